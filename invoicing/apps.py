"""From the run to the numbered titre."""

from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    """The room of calls and titres."""

    name = "invoicing"
    verbose_name = "Appels et titres"

    def ready(self) -> None:
        """Let the rooms below say what changes for titres already issued, and what staff decided."""
        from conventions import estimates, what_if
        from invoicing import drawing, drift, long_collection, long_work  # noqa: F401
        from invoicing.chorus import works  # noqa: F401
        from invoicing.decisions import decisions_for, decisions_on_schools
        from invoicing.liquidation import later  # noqa: F401
        from invoicing.portal import panels

        estimates.register_decisions(decisions_on_schools)
        what_if.register_decisions(decisions_for)
        panels.register()

"""From the run to the numbered titre."""

from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    """The room of calls and titres."""

    name = "invoicing"
    verbose_name = "Appels et titres"

    def ready(self) -> None:
        """Let imports and counts changed by hand say what they mean for the titres already issued."""
        from invoicing import drift  # noqa: F401
        from invoicing.portal import panels

        panels.register()

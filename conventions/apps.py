"""Who agreed to what, for which schools and years, and what it costs."""

from django.apps import AppConfig


class ConventionsConfig(AppConfig):
    """The room of agreements."""

    name = "conventions"
    verbose_name = "Conventions"

    def ready(self) -> None:
        """Register what this room says of imports below, its long work and the mayor's pages."""
        from conventions import absences, productions  # noqa: F401
        from conventions.forecasts import long_work  # noqa: F401
        from conventions.portal import panels

        panels.register()

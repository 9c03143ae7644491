"""Who agreed to what, for which schools and years, and what it costs."""

from django.apps import AppConfig


class ConventionsConfig(AppConfig):
    """The room of agreements."""

    name = "conventions"
    verbose_name = "Conventions"

    def ready(self) -> None:
        """Register what this room says of the imports of the rooms below."""
        from conventions import absences  # noqa: F401

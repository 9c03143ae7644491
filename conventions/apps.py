"""Who agreed to what, for which schools and years, and what it costs."""

from django.apps import AppConfig


class ConventionsConfig(AppConfig):
    """The room of agreements."""

    name = "conventions"
    verbose_name = "Conventions"

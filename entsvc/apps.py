"""The ground floor."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class EntsvcConfig(AppConfig):
    """Hooks the triggers to the migrations, registers the system checks and what rooms import."""

    name = "entsvc"
    verbose_name = "Socle"

    def ready(self) -> None:
        """Connect signals and checks."""
        from entsvc import checks, importing, triggers

        pre_migrate.connect(triggers.before_migrations)
        post_migrate.connect(triggers.after_migrations)
        checks.register_all()
        importing.discover()

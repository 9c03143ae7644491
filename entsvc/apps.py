"""The ground floor."""

from django.apps import AppConfig
from django.core.signals import request_finished
from django.db.models.signals import post_migrate, pre_migrate


class EntsvcConfig(AppConfig):
    """Hooks triggers to migrations, what waits to the end of requests; registers checks and imports."""

    name = "entsvc"
    verbose_name = "Imports et réglages"

    def ready(self) -> None:
        """Connect signals and checks; make the long work of imports known."""
        from entsvc import afterwards, checks, import_works, importing, triggers  # noqa: F401

        pre_migrate.connect(triggers.before_migrations)
        post_migrate.connect(triggers.after_migrations)
        request_finished.connect(afterwards.run_pending)
        checks.register_all()
        importing.discover()

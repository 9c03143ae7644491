"""What one unit costs, and by which vote."""

from django.apps import AppConfig


class TariffsConfig(AppConfig):
    """The room of tariffs."""

    name = "tariffs"
    verbose_name = "Tarifs"

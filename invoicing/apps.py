"""From the run to the numbered titre."""

from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    """The room of calls and titres."""

    name = "invoicing"
    verbose_name = "Appels et titres"

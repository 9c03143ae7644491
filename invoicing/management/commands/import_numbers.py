"""Import the numbers that the accountant's chain gave to titres."""

from entsvc.commands import ImportCommand
from invoicing.importers.accountant_numbers import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe les numéros attribués par le comptable."
    importer = IMPORTER

"""Import the unit prices of a version of a market's catalogue."""

from entsvc.commands import ImportCommand
from invoicing.importers.catalogue import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe les prix d'une version de catalogue."
    importer = IMPORTER

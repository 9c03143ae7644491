"""Import the expenses of a statement of expenses."""

from entsvc.commands import ImportCommand
from invoicing.importers.expenses import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe les dépenses d'un état des dépenses en préparation."
    importer = IMPORTER

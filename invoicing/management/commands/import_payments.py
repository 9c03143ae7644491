"""Import the accountant's payments."""

from entsvc.commands import ImportCommand
from invoicing.importers.payments import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe les encaissements du comptable."
    importer = IMPORTER

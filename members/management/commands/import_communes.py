"""Import the table of communes."""

from entsvc.commands import ImportCommand
from members.importers.communes import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe la table des communes."
    importer = IMPORTER

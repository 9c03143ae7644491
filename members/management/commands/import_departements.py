"""Import the table of départements."""

from entsvc.commands import ImportCommand
from members.importers.departements import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe la table des départements."
    importer = IMPORTER

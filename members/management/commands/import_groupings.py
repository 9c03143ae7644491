"""Import a list of RPI and syndicats."""

from entsvc.commands import ImportCommand
from members.importers.groupings import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe une liste de RPI et de syndicats."
    importer = IMPORTER

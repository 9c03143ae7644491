"""Import a list of members."""

from entsvc.commands import ImportCommand
from members.importers.members import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe une liste de membres."
    importer = IMPORTER

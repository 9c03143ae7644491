"""Import headcounts and usages."""

from entsvc.commands import ImportCommand
from members.importers.headcounts import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe des effectifs et des usages."
    importer = IMPORTER

"""Import an annuaire de l'éducation."""

from entsvc.commands import ImportCommand
from members.importers.annuaire import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe un annuaire de l'éducation."
    importer = IMPORTER

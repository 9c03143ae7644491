"""Import agreements taken over from elsewhere."""

from conventions.importing import IMPORTER
from entsvc.commands import ImportCommand


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe des conventions reprises de l'existant."
    importer = IMPORTER

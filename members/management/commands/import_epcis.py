"""Import the table of EPCI."""

from entsvc.commands import ImportCommand
from members.importers.epcis import IMPORTER


class Command(ImportCommand):
    """Thin: the rules are those of the importer."""

    help = "Importe la table des EPCI."
    importer = IMPORTER

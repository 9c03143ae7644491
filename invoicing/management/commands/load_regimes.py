"""Load the regimes shipped with the project."""

from typing import Any

from django.core.management.base import BaseCommand

from entsvc.journal import command_actor
from invoicing.regimes import load_regimes


class Command(BaseCommand):
    """Thin: the rules are in `invoicing.regimes`."""

    help = "Charge les régimes fournis et les droits nouveaux : crée ce qui manque, garde l'existant."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load and say what was created."""
        created = load_regimes(actor=command_actor())
        words = ", ".join(f"{count} {name}" for name, count in sorted(created.items()))
        self.stdout.write(f"Créé : {words}." if words else "Rien à créer : tout est déjà là.")

"""Go on with the long work that nobody does any more, and clear what is too old, for a timer to call."""

from typing import Any

from entsvc import background, short_lived
from entsvc.commands import JsonCommand
from entsvc.french import plural


class Command(JsonCommand):
    """Thin: what is left is in the rows, see `background`."""

    help = "Reprend les travaux longs que plus rien ne fait avancer."

    def handle(self, *args: Any, **options: Any) -> None:
        """Hand each of them to the workers, or do it here when there is none."""
        found = background.go_on_with_all()
        if not found:
            told = "Aucun travail à reprendre."
        elif background.is_inline():
            told = f"{plural(found, 'travail repris', 'travaux repris')} ici."
        else:
            told = f"{plural(found, 'travail confié', 'travaux confiés')} à db_worker."
        gone = short_lived.forget()
        if gone["files"]:
            told += f" {plural(gone['files'], 'export effacé', 'exports effacés')}."
        self.answer({"resumed": found, "forgotten": gone}, [told], as_json=options["json"])

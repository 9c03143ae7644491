"""Issue the titres of a run, then draw their documents."""

import argparse
from datetime import date
from typing import Any

from django.db.models import Prefetch

from entsvc.commands import JsonCommand
from entsvc.french import euros, plural
from entsvc.journal import command_actor
from invoicing.issuing import Issued, issue
from invoicing.models import Run, Titre, TitreDocument
from invoicing.numbering import IssueRefused
from invoicing.rendering import PDF, render_missing
from members.models import Signatory


def day(text: str) -> date:
    """Read the argument `--date`."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"« {text} » : date attendue comme 2025-03-03.") from error


class Command(JsonCommand):
    """Thin: the rules are in `issuing` and `rendering`."""

    help = "Émet les titres d'un calcul, puis produit leurs documents."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of the contract."""
        super().add_arguments(parser)
        parser.add_argument("--run", required=True, type=int, metavar="ID", help="Calcul.")
        parser.add_argument("--date", required=True, type=day, help="Date d'émission, AAAA-MM-JJ.")
        parser.add_argument("--signatory", required=True, type=int, metavar="ID")
        parser.add_argument("--exercice", type=int, metavar="N", help="Par défaut, celui de la date.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Issue, render, report."""
        as_json = options["json"]
        try:
            run = Run.objects.select_related("campaign__schedule__issuer").get(pk=options["run"])
            signatory = Signatory.objects.get(pk=options["signatory"])
            issued = issue(
                run=run,
                on=options["date"],
                signatory=signatory,
                exercice=options["exercice"],
                actor=command_actor(),
            )
        except Run.DoesNotExist:
            self._refuse(f"Aucun calcul {options['run']}.", as_json)
        except Signatory.DoesNotExist:
            self._refuse(f"Aucun signataire {options['signatory']}.", as_json)
        except IssueRefused as error:
            self._refuse(str(error), as_json)
        # The numbers are spent: whatever happens to a document, they are reported.
        for _ in render_missing(Titre.objects.filter(campaign=run.campaign), issued.warnings):
            pass
        keys = [titre.pk for titre in issued.titres]
        self.answer(_document(issued, keys), _words(issued), as_json=as_json)

    def _refuse(self, message: str, as_json: bool) -> None:
        empty = {"bordereau": None, "exercice": None, "titres": [], "blocked": []}
        self.fail({**empty, "error": message}, message, as_json=as_json)


def _document(issued: Issued, keys: list) -> dict[str, Any]:
    # Joined, not prefetched: SQLite refuses what Django writes beyond 1 000 documents.
    documents = Prefetch("documents", TitreDocument.objects.select_related("document"))
    titres = Titre.objects.filter(pk__in=keys).prefetch_related(documents).order_by("number")
    return {
        "bordereau": issued.bordereau.number if issued.bordereau else None,
        "exercice": issued.exercice,
        "titres": [_titre(titre) for titre in titres],
        "blocked": [{"siret": b.siret, "name": b.name, "messages": b.messages} for b in issued.blocked],
        "warnings": issued.warnings,
    }


def _titre(titre: Titre) -> dict[str, Any]:
    document = next((d.document for d in titre.documents.all() if d.role == PDF), None)
    return {
        "number": titre.number,
        "reference": titre.reference,
        "siret": titre.siret,
        "total": str(titre.total),
        "pdf": document.path if document else None,
        "sha256": document.sha256 if document else None,
    }


def _words(issued: Issued) -> list[str]:
    if issued.bordereau:
        head = (
            f"{issued.bordereau} : {plural(issued.bordereau.count, 'titre')}, "
            f"{euros(issued.bordereau.total)}."
        )
    else:
        head = "Aucun titre à émettre : ceux de cette campagne le sont déjà, ou sont bloqués."
    blocked = [f"  {b.name or b.siret} bloqué : {' '.join(b.messages)}" for b in issued.blocked]
    return [*(f"Attention : {w}" for w in issued.warnings), head, *blocked]

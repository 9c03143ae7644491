"""Produce the papers of a school year, or go on with a production, and write its ZIP."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from conventions import archive, productions
from conventions.models import PaperKind, Production
from entsvc.commands import JsonCommand, school_year_argument
from entsvc.french import plural
from entsvc.journal import command_actor
from members.models import Issuer


class Command(JsonCommand):
    """Thin: what is to do is in the rows, see `productions`."""

    help = "Produit les documents d'une année scolaire, ou poursuit une production."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare a production to go on with, or what to start."""
        super().add_arguments(parser)
        parser.add_argument("--production", type=UUID, metavar="ID", help="Production à poursuivre.")
        parser.add_argument("--issuer", metavar="CODE", help="Émetteur d'une nouvelle production.")
        parser.add_argument("--school-year", type=school_year_argument, metavar="AAAA-AAAA")
        parser.add_argument("--kind", choices=[kind.value for kind in PaperKind], help="Document.")
        parser.add_argument("--retry", action="store_true", help="Reprend aussi les échecs.")
        parser.add_argument("--zip", type=Path, metavar="FICHIER", help="Écrit le ZIP dans ce fichier.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Draw all that is left, write the ZIP, report."""
        as_json = options["json"]
        try:
            production = self._production(options)
        except (productions.ProductionRefused, Issuer.DoesNotExist, Production.DoesNotExist) as error:
            unknown = not isinstance(error, productions.ProductionRefused)
            message = "Production ou émetteur inconnu." if unknown else str(error)
            self.fail({"production": None, "error": message}, message, as_json=as_json)
        if options["retry"]:
            productions.put_back(production=production)
        productions.produce(production_id=production.pk)
        try:
            if options["zip"]:
                _write(production, options["zip"])
        except OSError as error:
            message = f"Le ZIP n'a pas pu être écrit ({error}) ; les documents, eux, sont conservés."
            self.fail({"production": str(production.pk), "error": message}, message, as_json=as_json)
        done = productions.progress(production)
        failures = production.items.exclude(failure="").order_by("convention__reference", "pk")
        told = list(failures.values_list("convention__reference", "failure"))
        document = {
            "production": str(production.pk),
            "total": done.total,
            "done": done.done,
            "failed": [{"reference": reference, "message": why} for reference, why in told],
            "left": done.left,
            "zip": str(options["zip"]) if options["zip"] else None,
        }
        words = [
            f"Production {production.pk}",
            f"{plural(done.done, 'document produit', 'documents produits')} sur {done.total}.",
            *(f"  {reference} : {why}" for reference, why in told),
        ]
        if done.left:
            words.append(f"{done.left} en cours ailleurs.")
        self.answer(document, words, as_json=as_json)

    def _production(self, options: dict[str, Any]) -> Production:
        wanted = (options["issuer"], options["school_year"], options["kind"])
        if options["production"]:
            return Production.objects.select_related("issuer").get(pk=options["production"])
        if None in wanted:
            message = "Arguments faux : donnez --production, ou --issuer, --school-year et --kind."
            raise CommandError(message, returncode=2)
        code, school_year_asked, kind = wanted
        return productions.written(
            issuer=Issuer.objects.get(code=code),
            year=school_year_asked,
            kind=kind,
            actor=command_actor(),
        )


def _write(production: Production, path: Path) -> None:
    """Write the whole ZIP or none: what is half written has another name."""
    partial = path.with_name(f".{path.name}.en-cours")
    try:
        with partial.open("wb") as out:
            for part in archive.stream(production):
                out.write(part)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)

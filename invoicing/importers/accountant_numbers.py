"""What importing the accountant's numbers does: each goes to the titre whose reference it gives."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from entsvc.cells import RowError, checked, is_rounded, parse_date, required
from entsvc.changes import in_batches
from entsvc.importing import Flag, Importer, Job, Layout, Options, register
from entsvc.tabular import Row
from invoicing.accountant_numbers import LONGEST, NumberRefused, write_number
from invoicing.models import Titre


@dataclass(frozen=True)
class Record:
    """A checked row: the reference of a titre, the number it was given, and when if it is told."""

    line: int
    reference: str
    number: str
    on: date | None


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a row; raises RowError for one that can't be kept.

    A row may wait for its number, as those of an état liquidatif given back half filled.
    """
    reference = required("reference", row.values["reference"].upper(), longest=20)
    number = row.values["numero"] and required("numero", row.values["numero"], longest=LONGEST)
    checked("numero", number, _whole)
    return Record(row.line, reference, number, parse_date("date", row.values.get("date", "")))


def apply(records: list[Record], job: Job) -> None:
    """Write each number on its titre, once; a number already written is never replaced by a file."""
    titres = _by_reference((record.reference for record in records), job)
    for record in records:
        found = titres.get(record.reference, [])
        try:
            written = _write(record, found, job)
        except RowError as error:
            job.report.refuse(record.line, error.column, error.value, error.message)
            continue
        if written:
            job.report.updated += 1
        else:
            job.report.unchanged += 1


IMPORTER = register(
    Importer(
        name="numeros-comptable",
        title="Numéros attribués par le comptable",
        layouts=(
            Layout(
                name="numéros",
                columns=("reference", "numero"),
                parse=parse,
                aliases={
                    "numero_du_comptable": "numero",
                    "numero_titre": "numero",
                    "date_du_numero": "date",
                },
            ),
        ),
        key=lambda record: record.reference,
        key_column="reference",
        apply=apply,
        permissions=("invoicing.change_titre",),
        shared=False,
    )
)


def _whole(number: str) -> None:
    if is_rounded(number):
        raise ValueError("Ce numéro a été arrondi par le tableur : remettez la colonne en texte.")


def _by_reference(references: Iterable[str], job: Job) -> dict[str, list[Titre]]:
    """Return the titres and corrections of these references, among the issuers of the account."""
    found: dict[str, list[Titre]] = {}
    titres = Titre.objects.defer("payload").order_by("pk")
    if job.issuers is not None:
        titres = titres.filter(issuer__in=job.issuers)
    for batch in in_batches(set(references)):
        for titre in titres.filter(reference__in=batch):
            found.setdefault(titre.reference, []).append(titre)
    return found


def _write(record: Record, found: list[Titre], job: Job) -> bool:
    if not found:
        raise RowError(
            "reference", record.reference, "Aucun titre de cette référence : vérifiez-la, ou l'émetteur."
        )
    if len(found) > 1:
        raise RowError(
            "reference", record.reference, "Deux émetteurs ont cette référence : écrivez-le à la main."
        )
    titre = found[0]
    if not record.number:
        return False
    if titre.external_reference not in ("", record.number):
        raise RowError(
            "numero",
            record.number,
            f"Ce titre porte déjà le n° {titre.external_reference} : s'il est faux, corrigez-le sur la "
            "page du titre.",
        )
    try:
        return write_number(titre=titre, number=record.number, on=record.on, actor=job.actor)
    except NumberRefused as error:
        raise RowError("numero", record.number, str(error)) from error

"""The number that the accountant's chain gave to a titre, read back, and the titre drawn under it."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from entsvc import journal
from entsvc.french import short_date
from invoicing.correction_payload import TITLES as CORRECTION_TITLES
from invoicing.models import Titre, TitreDocument
from invoicing.payload import TITLES
from invoicing.rendering import CHUNK, draw, keep

NUMBERED = TitreDocument.Role.NUMBERED
LONGEST = Titre._meta.get_field("external_reference").max_length


class NumberRefused(Exception):
    """The number can't be written so; the message says why, in French."""


@transaction.atomic
def write_number(*, titre: Titre, number: str, on: date | None = None, actor: str) -> bool:
    """Write the accountant's number of a titre or correction; return whether anything changed.

    `on` is the day on which it was given, kept in the journal. Raises NumberRefused for a number that
    another one bears in the exercice, a day before the issue or to come, and once the titre is drawn
    under its number.
    """
    titre = Titre.objects.select_for_update(of=("self",)).get(pk=titre.pk)
    number = " ".join(number.split())
    if number == titre.external_reference:
        return False
    check_number(titre, number, on)
    titre.external_reference = number
    try:
        with transaction.atomic():
            titre.save(update_fields=["external_reference"])
    except IntegrityError as error:
        raise NumberRefused(_taken(titre, number)) from error
    told = f"« {number} »" if number else "effacé"
    given = f", donné le {short_date(on)}" if on else ""
    journal.record(
        actor=actor,
        action="external-reference",
        target=titre,
        summary=f"{titre.reference} : numéro du comptable {told}{given}",
        data={"number": number, "on": on.isoformat() if on else None},
    )
    return True


def check_number(titre: Titre, number: str, on: date | None = None) -> None:
    """Raise NumberRefused when a titre can't take a number (see `write_number`)."""
    if len(number) > LONGEST:
        raise NumberRefused(f"Un numéro du comptable a au plus {LONGEST} caractères.")
    if titre.documents.filter(role=NUMBERED).exists():
        raise NumberRefused(
            f"{titre.reference} est déjà produit au n° {titre.external_reference} : ce document est "
            "définitif. Si ce numéro est faux, annulez et ré-émettez le titre."
        )
    if on and on < titre.issued_on:
        raise NumberRefused(
            f"{titre.reference} est du {short_date(titre.issued_on)} : son numéro ne peut pas être du "
            f"{short_date(on)}."
        )
    if on and on > timezone.localdate():
        raise NumberRefused("Cette date est à venir : donnez le jour où le numéro a été attribué.")
    if number and _bearers(titre, number).exists():
        raise NumberRefused(_taken(titre, number))


def to_draw(titres: QuerySet[Titre]) -> QuerySet[Titre]:
    """Return the titres that went out as a project, have their number, and are not drawn under it."""
    stored = TitreDocument.objects.filter(titre=OuterRef("pk"), role=NUMBERED)
    numbered = titres.filter(payload__document__external=True).exclude(external_reference="")
    return numbered.filter(~Exists(stored)).order_by("issuer", "exercice", "kind", "number")


def went_out_as_project(key: UUID | str) -> bool:
    """Tell whether a titre or correction was issued under a provisional reference; no key, no titre."""
    try:
        return Titre.objects.filter(pk=key, payload__document__external=True).exists()
    except ValidationError:
        return False


def draw_numbered(titres: QuerySet[Titre]) -> Iterator[Titre]:
    """Draw and store these titres under the accountant's number, from their frozen content alone."""
    keys = list(to_draw(titres).values_list("pk", flat=True))
    for start in range(0, len(keys), CHUNK):
        batch = Titre.objects.prefetch_related("lines").in_bulk(keys[start : start + CHUNK])
        for key in keys[start : start + CHUNK]:
            titre = batch[key]
            titre.payload = under_its_number(titre)
            keep(titre, draw(titre), NUMBERED)
            yield titre


def under_its_number(titre: Titre) -> dict[str, Any]:
    """Return the frozen content of a titre that went out as a project, under the accountant's number."""
    document = titre.payload["document"]
    is_titre = titre.kind == Titre.Kind.TITRE
    title = TITLES[document["regime"]] if is_titre else CORRECTION_TITLES[titre.kind]
    numbered = {"title": title, "number": titre.external_reference, "external": False}
    return {**titre.payload, "document": {**document, **numbered}}


def _bearers(titre: Titre, number: str) -> QuerySet[Titre]:
    """Return the others of its series and exercice that bear a number."""
    series = Titre.objects.filter(
        issuer=titre.issuer_id,
        budget=titre.budget,
        exercice=titre.exercice,
        external_reference=number,
    ).exclude(pk=titre.pk)
    titres = {"kind": Titre.Kind.TITRE}
    return series.filter(**titres) if titre.kind == Titre.Kind.TITRE else series.exclude(**titres)


def _taken(titre: Titre, number: str) -> str:
    bearer = _bearers(titre, number).order_by("pk").values_list("reference", flat=True).first()
    return (
        f"Le n° {number} est déjà celui de {bearer or 'un autre titre'} dans l'exercice "
        f"{titre.exercice} : vérifiez les deux."
    )

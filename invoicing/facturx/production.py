"""Which titres have their electronic invoice, and how those that lack it get theirs.

The invoice is a further document of the titre: the PDF that was stored, not drawn again, with the XML
within it. None is kept that the rules refuse; without their processor, it is kept unchecked and said so.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.db.models import Exists, OuterRef, QuerySet

from entsvc import documents, journal
from entsvc.french import plural
from invoicing.facturx.amounts import Line, lines_of
from invoicing.facturx.facts import facts_of
from invoicing.facturx.invoice_xml import XmlRefused, embed, extract, process_of, xml_of
from invoicing.facturx.profiles import Profile
from invoicing.facturx.refusals import refusals
from invoicing.facturx.validation import Verdict, check
from invoicing.keeping import PDF, keep
from invoicing.models import Bordereau, Titre, TitreDocument

log = logging.getLogger(__name__)

FACTURX = TitreDocument.Role.FACTURX
BATCH = 50  # titres whose rules run in one process
NO_PDF = "Son PDF n'est pas encore produit : produisez-le au bordereau."


@dataclass(frozen=True)
class Refused:
    """A titre that gets no electronic invoice, and why."""

    titre: UUID
    reference: str
    messages: list[str]


@dataclass
class Produced:
    """What a production did; `left` counts the titres it had no time for."""

    done: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unchecked: int = 0
    left: int = 0


def lacking(titres: QuerySet[Titre]) -> QuerySet[Titre]:
    """Return the titres and corrections that have no electronic invoice yet, in their order."""
    stored = TitreDocument.objects.filter(titre=OuterRef("pk"), role=FACTURX)
    return titres.filter(~Exists(stored)).order_by("issuer", "exercice", "kind", "number")


def why_not(titre: Titre) -> list[str]:
    """Return why a titre can't have its electronic invoice now, in French; nothing if it can."""
    drawn = any(link.role == PDF for link in titre.documents.all())
    found = refusals(titre.payload, _lines(titre), titre.total)
    return found if drawn else [*found, NO_PDF]


def invoice_of(titre: Titre, profile: Profile) -> bytes:
    """Return the XML of a titre; asked of what `why_not` lets through. Raises XmlRefused."""
    year = titre.campaign.school_year
    return xml_of(facts_of(titre.payload, _lines(titre), year=year, profile=profile))


def produce(
    *, titres: QuerySet[Titre], profile: Profile, actor: str, seconds: float | None = None
) -> Produced:
    """Write, check and keep the electronic invoices that are missing.

    Past `seconds`, no other batch is begun: the next call goes on. Safe in several processes at once:
    one document is kept.
    """
    made = Produced()
    limit = None if seconds is None else time.monotonic() + seconds
    keys = list(lacking(titres).values_list("pk", flat=True))
    for start in range(0, len(keys), BATCH):
        if limit is not None and start and time.monotonic() >= limit:
            made.left = len(keys) - start
            break
        _produce(_loaded(keys[start : start + BATCH]), profile, made)
    _record(made, titres, profile, actor)
    return made


def wanted(titres: QuerySet[Titre]) -> QuerySet[Titre]:
    """Return those of these titres whose bordereau asks for an invoice that they lack, once drawn."""
    stored = TitreDocument.objects.filter(titre=OuterRef("pk"), role=PDF)
    return lacking(titres).filter(Exists(stored)).exclude(bordereau__invoice_frame="")


def produce_wanted(titres: QuerySet[Titre], failures: list[str] | None = None) -> None:
    """Write, check and keep the invoices that bordereaux ask for, once each.

    Given a list of `failures`, each that can't be adds a French message to it.
    """
    for profile in Profile:
        framed = wanted(titres).filter(bordereau__invoice_frame=profile)
        keys = list(framed.values_list("pk", flat=True))
        for start in range(0, len(keys), BATCH):
            refused = produce_some(keys[start : start + BATCH], profile).refused
            if failures is not None:
                failures += [f"{item.reference} : {' '.join(item.messages)}" for item in refused]


def produce_some(keys: Sequence[UUID], profile: Profile) -> Produced:
    """Write, check and keep the invoices of some titres, in one process of the rules.

    One that breaks the library stops no other: it is refused.
    """
    made, titres = Produced(), _loaded(keys)
    try:
        _produce(titres, profile, made)
    except (DatabaseError, OSError):
        raise
    except Exception:
        log.exception("Factures électroniques, une par une")
        made = Produced()
        for titre in titres:
            _produce_alone(titre, profile, made)
    return made


def kept_of(titre: Titre) -> TitreDocument | None:
    """Return the electronic invoice of a titre, when it has one."""
    return titre.documents.filter(role=FACTURX).select_related("document").first()


def verdict_of(kept: TitreDocument) -> tuple[Profile, Verdict]:
    """Return the frame of a stored invoice and what the rules say of it today, from its own bytes.

    Raises CorruptDocument when they are no longer those that were stored.
    """
    xml = extract(documents.read(kept.document))
    profile = Profile(process_of(xml))
    return profile, check([xml], profile)[0]


def _loaded(keys: Sequence[UUID]) -> list[Titre]:
    rows = Titre.objects.select_related("campaign").prefetch_related("lines", "documents__document")
    found = rows.in_bulk(keys)
    return [found[key] for key in keys]


def _produce(batch: Sequence[Titre], profile: Profile, made: Produced) -> None:
    written: list[tuple[Titre, bytes]] = []
    for titre in batch:
        refused = why_not(titre)
        if not refused:
            try:
                written.append((titre, invoice_of(titre, profile)))
            except XmlRefused as error:
                refused = [f"Schéma XSD : {error}"]
        if refused:
            made.refused.append(Refused(titre.pk, titre.reference, refused))
    verdicts = check([xml for _, xml in written], profile)
    for (titre, xml), verdict in zip(written, verdicts, strict=True):
        refused = verdict.refused or _keep(titre, xml)
        if refused:
            made.refused.append(Refused(titre.pk, titre.reference, refused))
        else:
            made.done.append(titre.reference)
            made.unchecked += not verdict.is_checked


def _produce_alone(titre: Titre, profile: Profile, made: Produced) -> None:
    try:
        _produce([titre], profile, made)
    except (DatabaseError, OSError):
        raise
    except Exception as error:
        log.exception("Facture électronique %s", titre.reference)
        told = (
            f"Facture impossible ({type(error).__name__}) : reprenez ; si l'échec revient, signalez-le."
        )
        made.refused.append(Refused(titre.pk, titre.reference, [told]))


def _keep(titre: Titre, xml: bytes) -> list[str]:
    """Keep the stored PDF of a titre with an XML within it; return why it can't be."""
    link = next(link for link in titre.documents.all() if link.role == PDF)
    document: dict[str, Any] = titre.payload["document"]
    try:
        pdf = documents.read(link.document)
    except documents.CorruptDocument as error:
        return [str(error)]
    content = embed(
        pdf,
        xml,
        author=titre.payload["issuer"]["name"],
        title=f"{document['title']} {titre.reference}",
        subject=titre.payload["subject"],
        on=date.fromisoformat(document["issued_on"]),
    )
    keep(titre, content, FACTURX)
    return []


def _lines(titre: Titre) -> list[Line]:
    return lines_of(sorted(titre.lines.all(), key=lambda line: line.position))


def _record(made: Produced, titres: QuerySet[Titre], profile: Profile, actor: str) -> None:
    if not made.done:
        return
    concerned = Bordereau.objects.filter(titres__in=titres.order_by().values("pk"))
    bordereau = concerned.order_by("pk").first()
    count = plural(len(made.done), "facture électronique", "factures électroniques")
    named = made.done[0] if len(made.done) == 1 else f"de {made.done[0]} à {made.done[-1]}"
    journal.record(
        actor=actor,
        action="facturx",
        target=bordereau or "facturx",
        summary=f"{count} : {named}, cadre {profile}",
        data={"references": made.done, "profile": str(profile), "unchecked": made.unchecked},
    )

"""How the PES file of a bordereau is made: checked first, then kept with its bytes, once per sending.

Nothing leaves this machine: the file is given to whoever carries it, and the journal of sendings says
what was made, when, by whom. A file made again is another sending, whose documents have other
identifiers.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from entsvc import documents, journal
from entsvc.french import plural
from entsvc.models import StoredDocument
from invoicing.models import Bordereau, Channel, Sending
from invoicing.pes.facts import Flow
from invoicing.pes.findings import Finding
from invoicing.pes.reading import read_flow
from invoicing.pes.rules import check
from invoicing.pes.schema import NoSchema, breaches
from invoicing.pes.writing import write
from invoicing.roads import other_road

MIME = "application/xml"
SHOWN = 20


class SendingRefused(Exception):
    """The file can't be made; the message says why, in French, and `findings` what to mend."""

    def __init__(self, message: str, findings: list[Finding] | None = None) -> None:
        self.findings = findings or []
        super().__init__(message)


@dataclass
class Prepared:
    """A flow that was read, and what stands against writing it."""

    flow: Flow
    rank: int
    findings: list[Finding] = field(default_factory=list)


def channel_of(bordereau: Bordereau) -> Channel:
    """Return the channel of a bordereau's issuer; raise SendingRefused unless it is Hélios."""
    channel = Channel.objects.filter(issuer=bordereau.issuer_id).first()
    if channel is None:
        raise SendingRefused(
            f"{bordereau.issuer.name} n'a pas de canal d'envoi : choisissez-le dans « Canaux d'envoi »."
        )
    if channel.kind != Channel.Kind.HELIOS:
        raise SendingRefused(
            f"Le canal de {bordereau.issuer.name} est « {channel.get_kind_display()} » : un fichier PES "
            "ne va qu'à Hélios."
        )
    return channel


def prepare(bordereau: Bordereau, *, on: date | None = None) -> Prepared:
    """Read the flow of the next sending of a bordereau and check it; nothing is written.

    Raises SendingRefused for an issuer of another channel, titres that the accountant's chain numbers,
    a bordereau that left by another channel, or a stored document that is lost.
    """
    channel = channel_of(bordereau)
    titre = bordereau.titres.order_by("number").first()
    if titre.payload["document"].get("external", False):
        raise SendingRefused(
            "Ces pièces sont numérotées par la chaîne du comptable : elles n'entrent pas dans un PES."
        )
    gone = other_road(bordereau, Channel.Kind.HELIOS)
    if gone:
        raise SendingRefused(gone)
    rank = Sending.objects.filter(bordereau=bordereau).count() + 1
    try:
        flow = read_flow(bordereau, channel=channel, rank=rank, on=on or timezone.localdate())
    except documents.CorruptDocument as error:
        raise SendingRefused(str(error)) from error
    return Prepared(flow, rank, check(flow))


def produce(*, bordereau: Bordereau, actor: str, on: date | None = None) -> Sending:
    """Make the next file of a bordereau, keep it and record it; nothing is kept when a rule is broken.

    Raises SendingRefused, with what to mend. Killed midway, it leaves a file that no row names, and the
    same rank is taken up next time.
    """
    prepared = prepare(bordereau, on=on)
    if prepared.findings:
        broken = plural(len(prepared.findings), "point à corriger", "points à corriger")
        raise SendingRefused(f"{bordereau} : {broken}, aucun fichier produit.", prepared.findings)
    try:
        content = write(prepared.flow)
    except documents.CorruptDocument as error:
        raise SendingRefused(str(error)) from error
    by_schema = _check_schema(content)
    document = documents.store(content, content_type=MIME, suffix=".xml")
    try:
        with transaction.atomic():
            return _record(bordereau, prepared, document, by_schema, actor)
    except IntegrityError as error:
        raise SendingRefused(
            f"{bordereau} : un autre envoi vient d'être produit, voyez-le avant d'en faire un de plus."
        ) from error


def _check_schema(content: bytes) -> bool:
    """Confront a file with the schema provided; tell whether there is one."""
    if not settings.PES_XSD_DIR:
        return False
    try:
        told = breaches(content, Path(settings.PES_XSD_DIR))
    except NoSchema as error:
        raise SendingRefused(str(error)) from error
    if told:
        lines = " ; ".join(told[:SHOWN])
        raise SendingRefused(f"Le schéma fourni refuse le fichier, qui n'est pas gardé : {lines}.")
    return True


def _record(
    bordereau: Bordereau,
    prepared: Prepared,
    document: StoredDocument,
    by_schema: bool,
    actor: str,
) -> Sending:
    sending = Sending.objects.create(
        bordereau=bordereau,
        rank=prepared.rank,
        channel=Channel.Kind.HELIOS,
        file_name=prepared.flow.file_name,
        document=document,
        attachments=[item.id for item in prepared.flow.attachments],
        schema=by_schema,
        made_by=actor,
    )
    journal.record(
        actor=actor,
        action="pes",
        target=bordereau,
        summary=f"{bordereau} : fichier {sending.file_name} produit",
        data={"rank": sending.rank, "sha256": document.sha256, "size": document.size},
    )
    return sending

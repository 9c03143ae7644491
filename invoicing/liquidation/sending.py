"""How the état liquidatif of a campaign is made: checked, drawn, kept with its bytes, recorded once.

Nothing leaves this machine: the files are given to whoever enters them in the State's chain.
"""

from dataclasses import dataclass, field
from datetime import date

from django.db import IntegrityError, transaction
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.utils import timezone

from entsvc import documents, journal
from entsvc.models import StoredDocument
from invoicing.liquidation.pdf import draw_etat
from invoicing.liquidation.reading import Etat, read_etat
from invoicing.liquidation.rules import against, to_know
from invoicing.liquidation.workbook import write_workbook
from invoicing.models import Campaign, Channel, Sending, Titre
from invoicing.roads import other_road

PDF = ("application/pdf", ".pdf")
XLSX = ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx")


class EtatRefused(Exception):
    """The état can't be made; the message says why, in French, and `findings` what is missing."""

    def __init__(self, message: str, findings: list[str] | None = None) -> None:
        self.findings = findings or []
        super().__init__(message)


@dataclass
class Prepared:
    """An état that was read, what stands against making it, and what to know before."""

    etat: Etat
    findings: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_of_the_state(campaign: Campaign) -> bool:
    """Tell whether the channel of a campaign's issuer is the état liquidatif."""
    issuer = campaign.schedule.issuer_id
    return Channel.objects.filter(issuer=issuer, kind=Channel.Kind.STATE).exists()


def prepare(campaign: Campaign, *, on: date | None = None) -> Prepared:
    """Read the next état of a campaign and check it; nothing is written.

    Raises EtatRefused for an issuer of another channel, and while no titre is issued.
    """
    if not is_of_the_state(campaign):
        raise EtatRefused(
            f"Le canal de {campaign.schedule.issuer.name} n'est pas l'état liquidatif : voyez « Canaux "
            "d'envoi »."
        )
    rank = _made(campaign).count() + 1
    etat = read_etat(campaign, rank=rank, on=on or timezone.localdate())
    if etat is None:
        raise EtatRefused(f"{campaign} : aucun titre n'est encore émis, il n'y a rien à demander.")
    gone = [other_road(bordereau, Channel.Kind.STATE) for bordereau in etat.bordereaux]
    return Prepared(etat, [*filter(None, gone), *against(etat)], to_know(etat))


def produce(*, campaign: Campaign, rank: int, actor: str, on: date | None = None) -> Sending:
    """Make the état n° `rank` of a campaign, keep and record it; asked twice, it is made once.

    Raises EtatRefused when something is missing, or when its turn has not come. Killed midway, it leaves
    files that no row names, and the same rank is taken up next time.
    """
    made = _made(campaign).filter(rank=rank).first()
    if made:
        return made
    prepared = prepare(campaign, on=on)
    if prepared.etat.rank != rank:
        raise EtatRefused(f"{campaign} : le prochain état est le n° {prepared.etat.rank}, relisez-le.")
    if prepared.findings:
        raise EtatRefused(f"{campaign} : aucun état produit.", prepared.findings)
    drawn = _kept(draw_etat(prepared.etat), *PDF)
    book = _kept(write_workbook(prepared.etat), *XLSX)
    try:
        with transaction.atomic():
            return _record(prepared.etat, drawn, book, actor)
    except IntegrityError:
        return _made(campaign).get(rank=rank)  # another click was quicker


def answered(rows: QuerySet[Sending]) -> QuerySet[Sending]:
    """Tell of each état how many pieces were issued by then, and how many of them have their number.

    `n_pieces` and `n_numbers`; both are None for the sending of a bordereau.
    """
    listed = Titre.objects.filter(
        campaign=OuterRef("campaign"), bordereau__issued_at__lte=OuterRef("made_at")
    )
    return rows.annotate(
        n_pieces=_count(listed), n_numbers=_count(listed.exclude(external_reference=""))
    )


def _count(titres: QuerySet[Titre]) -> Subquery:
    counted = titres.order_by().values("campaign").annotate(n=Count("pk")).values("n")
    return Subquery(counted, output_field=IntegerField())


def _made(campaign: Campaign) -> QuerySet[Sending]:
    return Sending.objects.filter(campaign=campaign).order_by("rank")


def _kept(content: bytes, content_type: str, suffix: str) -> StoredDocument:
    return documents.store(content, content_type=content_type, suffix=suffix)


def _record(etat: Etat, drawn: StoredDocument, book: StoredDocument, actor: str) -> Sending:
    sending = Sending.objects.create(
        campaign=etat.campaign,
        rank=etat.rank,
        channel=Channel.Kind.STATE,
        file_name=f"{etat.stem}.pdf",
        document=drawn,
        workbook=book,
        attachments=[piece.reference for piece in etat.asked],
        schema=False,
        made_by=actor,
    )
    journal.record(
        actor=actor,
        action="etat-liquidatif",
        target=etat.campaign,
        summary=f"{etat.campaign} : état liquidatif n° {etat.rank} produit",
        data={"rank": etat.rank, "pdf": drawn.sha256, "workbook": book.sha256},
    )
    return sending

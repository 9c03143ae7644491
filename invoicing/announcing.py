"""Telling members, by e-mail and once, that a titre is issued and where to read it.

The mail leads to /espace/, where each signs in as usual: it never opens anything by itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import IntegrityError, transaction

from entsvc import mail
from entsvc.french import plural
from entsvc.journal import record
from invoicing.campaign_accounts import Account, bordereaux_of
from invoicing.chorus.posting import posted_on
from invoicing.deadlines import deadline
from invoicing.models import Announcement, Bordereau, Campaign, Titre, TitreDocument
from invoicing.statuses import Status
from members.portal.addressees import addressees

AT_ONCE = 300  # titres announced while the page waits


class AnnouncementRefused(Exception):
    """Nothing was announced; the message says why, in French."""


@dataclass(frozen=True)
class Ready:
    """A titre still to announce, and the addresses that open its page."""

    titre: Titre
    account: Account
    addresses: list[str]


@dataclass
class Waiting:
    """The titres of a campaign not announced yet, and those that can't be now, with the reason.

    `ready` go by their bordereau. A titre that nobody is to pay any more is not announced at all.
    """

    ready: dict[Bordereau, list[Ready]] = field(default_factory=dict)
    without_address: list[Titre] = field(default_factory=list)
    without_pdf: list[Titre] = field(default_factory=list)
    rejected: list[Titre] = field(default_factory=list)
    announced: int = 0

    @property
    def count(self) -> int:
        """Return how many are ready."""
        return sum(len(rows) for rows in self.ready.values())


def waiting(campaign: Campaign, accounts: Mapping[UUID, Account]) -> Waiting:
    """Part the titres of a campaign that something is left to pay of; a few queries in all."""
    found = Waiting(announced=Announcement.objects.filter(titre__campaign=campaign).count())
    listed = bordereaux_of(campaign).select_related("issuer").prefetch_related("events")
    bordereaux = {bordereau.pk: bordereau for bordereau in listed}
    titres = list(_unannounced(campaign, accounts))
    known = addressees({titre.debtor_id for titre in titres})
    drawn = set(_drawn(campaign))
    for titre in titres:
        account, told = accounts[titre.pk], known[titre.debtor_id]
        if account.status == Status.REJECTED:
            found.rejected.append(titre)
        elif titre.pk not in drawn:
            found.without_pdf.append(titre)
        elif not told:
            found.without_address.append(titre)
        else:
            row = Ready(titre, account, told)
            found.ready.setdefault(bordereaux[titre.bordereau_id], []).append(row)
    return found


@transaction.atomic
def announce(*, campaign: Campaign, rows: Sequence[Ready], actor: str) -> int:
    """Write to the addresses of each titre, at most `AT_ONCE`, and remember it; return how many titres.

    Raises AnnouncementRefused when there is none, or when another post is announcing one of them: each
    is announced once, by constraint, and then nothing of this call is written.
    """
    rows = rows[:AT_ONCE]
    if not rows:
        raise AnnouncementRefused("Aucun titre à annoncer : cochez au moins un bordereau qui en a.")
    try:
        with transaction.atomic():
            Announcement.objects.bulk_create(
                Announcement(titre=row.titre, addresses=row.addresses, told_by=actor) for row in rows
            )
    except IntegrityError as error:
        raise AnnouncementRefused(
            "Un autre poste vient d'annoncer une partie de ces titres : relisez la page, rien n'est "
            "parti d'ici."
        ) from error
    titres = Titre.objects.select_related("issuer").annotate(posted=posted_on())
    whole = titres.in_bulk([row.titre.pk for row in rows])
    for row in rows:
        _write_to(row, whole[row.titre.pk])
    record(
        actor=actor,
        action="announce",
        target=campaign,
        summary=f"{campaign} : {plural(len(rows), 'titre annoncé', 'titres annoncés')} par courriel",
        data={"titres": {row.titre.reference: row.addresses for row in rows}},
    )
    return len(rows)


def _write_to(row: Ready, titre: Titre) -> None:
    remaining = row.account.remaining
    context = {
        "titre": titre,
        "remaining": remaining if remaining != titre.total else None,
        "due": deadline(titre.issued_on, titre.payload["document"]["due_text"], titre.posted),
        "issuer": titre.issuer,
        "link": mail.link("espace:home"),
    }
    mail.post(row.addresses, "titre_emis", context)


def _unannounced(campaign: Campaign, accounts: Mapping[UUID, Account]) -> Iterable[Titre]:
    rows = Titre.objects.filter(
        campaign=campaign, kind=Titre.Kind.TITRE, announcement__isnull=True
    )  # fmt: skip
    rows = rows.only("reference", "debtor", "debtor_name", "bordereau").order_by("exercice", "number")
    return (row for row in rows if row.pk in accounts and accounts[row.pk].remaining)


def _drawn(campaign: Campaign) -> Collection[UUID]:
    kept = TitreDocument.objects.filter(titre__campaign=campaign, role=TitreDocument.Role.PDF)
    return kept.order_by("pk").values_list("titre", flat=True)

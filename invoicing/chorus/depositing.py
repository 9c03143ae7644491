"""What of a bordereau is deposited on Chorus Pro, and how a deposit is never made twice.

A sending is written and committed with its bytes first, then claimed, then the call is made. Whoever
dies in between leaves a sending whose state nobody knows; it may be deposited again only once a search
of the supplier's invoices, by their numbers, says that nothing arrived.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Prefetch, Q, QuerySet
from django.utils import timezone

from entsvc import documents, journal
from entsvc.french import plural
from invoicing.bordereaux import State, state_of
from invoicing.chorus import lots
from invoicing.chorus.access import Access, access_of
from invoicing.chorus.answers import Found
from invoicing.chorus.client import WAITS, ChorusClient, NotSent, Refused, Unclear
from invoicing.facturx.archive import name_of
from invoicing.models import (
    Bordereau,
    Channel,
    Deposit,
    DepositedPiece,
    Sending,
    Titre,
    TitreDocument,
)
from invoicing.pes.frozen import mark_of
from invoicing.roads import other_road
from invoicing.statuses import with_status

SYNTAX = "IN_DP_E2_CII_FACTURX"
KINDS = {".pdf": "application/pdf", ".tar.gz": "application/gzip"}
SHOWN = 5
GIVEN_UP = "Dépôt abandonné avant l'appel."


class DepositRefused(Exception):
    """Nothing can be deposited so; the message says why and what to do, in French."""


@dataclass(frozen=True)
class LeftOut:
    """A piece that is not deposited, and why."""

    titre: Titre
    why: str


@dataclass
class Prepared:
    """What a deposit would send, what is already under way, what is left out; `trial`: to a sandbox."""

    ready: list[Titre] = field(default_factory=list)
    under_way: list[DepositedPiece] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    waiting: list[Deposit] = field(default_factory=list)
    adrift: list[Deposit] = field(default_factory=list)
    trial: bool = False

    @property
    def lots(self) -> list[list[Titre]]:
        """Return the pieces to deposit, part by part as they are to be sent."""
        sizes = [_invoice(titre).document.size for titre in self.ready]
        return [[self.ready[place] for place in lot] for lot in lots.parted(sizes)]


@dataclass
class Done:
    """What deposits came to: the files deposited, and those that were not, with the reason."""

    deposited: list[Deposit] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def goes_by_chorus(issuer_id: int) -> bool:
    """Tell whether an issuer's titres are deposited on Chorus Pro."""
    return Channel.objects.filter(issuer=issuer_id, kind=Channel.Kind.CHORUS_PRO).exists()


def prepare(bordereau: Bordereau) -> Prepared:
    """Return what a deposit of a bordereau would send; nothing is written, nobody is called.

    Raises DepositRefused for another channel, a bordereau that is not signed or that left by another
    channel, ChorusOff unless the issuer's access is set.
    """
    if not goes_by_chorus(bordereau.issuer_id):
        raise DepositRefused(
            f"Le canal de {bordereau.issuer.name} n'est pas « {Channel.Kind.CHORUS_PRO.label} » : "
            "choisissez-le dans « Canaux d'envoi »."
        )
    access = access_of(bordereau.issuer)
    if state_of(bordereau) == State.PREPARED:
        raise DepositRefused(f"{bordereau} n'est pas signé : enregistrez d'abord sa signature.")
    gone = other_road(bordereau, Channel.Kind.CHORUS_PRO)
    if gone:
        raise DepositRefused(gone)
    found = Prepared(trial=access.is_trial)
    now = timezone.now()
    for deposit in deposits_of(bordereau):
        if deposit.state == Deposit.State.WAITING:
            found.waiting.append(deposit)
        elif deposit.is_adrift(now):
            found.adrift.append(deposit)
    for titre in _pieces(bordereau):
        if titre.under_way:
            found.under_way.append(titre.under_way[0])
        elif why := _why_not(titre, access):
            found.left_out.append(LeftOut(titre, why))
        else:
            found.ready.append(titre)
    return found


def deposits_of(bordereau: Bordereau) -> QuerySet[Deposit]:
    """Return the deposits of a bordereau, in their order."""
    rows = Deposit.objects.filter(sending__bordereau=bordereau)
    return rows.select_related("sending__bordereau__issuer").order_by("sending__rank")


def record(*, bordereau: Bordereau, actor: str) -> list[Deposit]:
    """Write the sendings of what is ready, with their bytes, before any call; none when nothing is.

    Raises DepositRefused, ChorusOff, or what stands against reading a stored document. Asked twice at
    once, one of the two writes them.
    """
    prepared = prepare(bordereau)
    written = [
        (_packed(titres, bordereau), titres) for titres in prepared.lots
    ]  # the bytes are stored before the transaction: they may be heavy
    try:
        with transaction.atomic():
            rank = bordereau.sendings.aggregate(last=Max("rank"))["last"] or 0
            return [
                _recorded(bordereau, rank + place, document, titres, actor)
                for place, (document, titres) in enumerate(written, start=1)
            ]
    except IntegrityError as error:
        raise DepositRefused(
            f"{bordereau} : un autre poste vient d'en préparer le dépôt, relisez la page."
        ) from error


def send(deposit: Deposit, *, client: ChorusClient, actor: str) -> Deposit:
    """Deposit a file that waits for it, if nobody does, and write what Chorus Pro answers.

    To be called outside any transaction: what precedes the call must be committed. Raises NotSent (it
    waits again), Refused (its pieces may be deposited anew), Unclear (nobody knows: search).
    """
    content = documents.read(deposit.sending.document)
    asked_at = timezone.now()
    waits = Deposit.objects.filter(pk=deposit.pk, state=Deposit.State.WAITING)
    claimed = waits.update(state=Deposit.State.ASKED, asked_at=asked_at, asked_by=actor, told="")
    if not claimed:
        raise DepositRefused(f"{deposit.sending} : un autre poste le dépose déjà.")
    mine = Deposit.objects.filter(pk=deposit.pk, state=Deposit.State.ASKED, asked_at=asked_at)
    name, syntax = deposit.sending.file_name, deposit.syntax
    try:
        receipt = client.deposit(name, content, syntax)
    except NotSent as error:
        mine.update(state=Deposit.State.WAITING, told=str(error))
        raise
    except Refused as error:
        _refused(mine, deposit, str(error), actor)
        raise
    except Unclear as error:
        mine.update(state=Deposit.State.UNKNOWN, told=str(error))
        _journal(deposit, actor, "chorus-inconnu", f"état inconnu, {error}")
        raise
    mine.update(
        state=Deposit.State.DEPOSITED, flow=receipt.flow, flow_on=receipt.on or timezone.localdate()
    )
    _journal(deposit, actor, "chorus-depot", f"déposé, flux {receipt.flow}")
    deposit.refresh_from_db()
    return deposit


def send_all(
    deposits: Iterable[Deposit], *, client: ChorusClient, actor: str, sleep: Any = time.sleep
) -> Done:
    """Deposit the files that wait, one after the other; wait once when Chorus Pro asks for it.

    One that fails is told and the next is tried, but for what would fail them all.
    """
    done = Done()
    for deposit in deposits:
        try:
            done.deposited.append(_sent_in_time(deposit, client, actor, sleep))
        except NotSent as error:
            done.failed.append(f"{deposit.sending} : {error} Il reste à déposer.")
            break
        except Refused as error:
            done.failed.append(f"{deposit.sending} : {error}")
        except Unclear as error:
            done.failed.append(f"{deposit.sending} : {error} {_search_words()}")
        except (DepositRefused, documents.CorruptDocument) as error:
            done.failed.append(str(error))
    return done


def search(deposit: Deposit, *, client: ChorusClient, actor: str) -> Deposit:
    """Ask Chorus Pro whether a deposit that nobody answered arrived, and write what it says.

    Found, its flow is taken up. Not found, it waits to be deposited again, but not before Chorus Pro
    had the time to show it (CHORUS_SETTLE_HOURS). Raises DepositRefused for any other deposit, and
    ChorusError.
    """
    now = timezone.now()
    if not deposit.is_adrift(now):
        raise DepositRefused(f"{deposit.sending} : {deposit.told_state.lower()}, rien à rechercher.")
    mine = Deposit.objects.filter(pk=deposit.pk, state=deposit.state, asked_at=deposit.asked_at)
    found, by_hand = _arrived(deposit, client)
    if found:
        facts = {"state": Deposit.State.DEPOSITED, "flow": found.flow, "flow_on": found.deposited_on}
        told = f"retrouvé par sa facture {found.number}, flux {found.flow}"
    elif by_hand:
        facts = {"state": Deposit.State.UNKNOWN}
        numbers = ", ".join(row.number for row in by_hand[:SHOWN])
        told = (
            f"sur Chorus Pro sans numéro de flux, donc saisie à la main : {numbers}. Ne la déposez pas "
            "de nouveau ; « Clore ce dépôt », sur la page de l'envoi, laisse partir les autres"
        )
    elif now - deposit.asked_at < timedelta(hours=settings.CHORUS_SETTLE_HOURS):
        facts = {"state": Deposit.State.UNKNOWN}
        told = (
            "introuvable pour l'instant ; un flux peut tarder : cherchez de nouveau "
            f"{plural(settings.CHORUS_SETTLE_HOURS, 'heure')} après le dépôt"
        )
    else:
        facts, told = {"state": Deposit.State.WAITING}, "introuvable : il peut être déposé de nouveau"
    if mine.update(searched_at=now, told=f"Recherche : {told}.", **facts):
        for row in by_hand if not found else []:
            _known_by(deposit, row)
        _journal(deposit, actor, "chorus-recherche", told)
    deposit.refresh_from_db()
    return deposit


@transaction.atomic
def give_up(*, deposit: Deposit, actor: str) -> None:
    """Give up a file that waits to be deposited: its pieces may enter another one.

    Raises DepositRefused once it was asked for.
    """
    waits = Deposit.objects.filter(pk=deposit.pk, state=Deposit.State.WAITING)
    if not waits.update(state=Deposit.State.GIVEN_UP, told=GIVEN_UP):
        raise DepositRefused(f"{deposit.sending} n'attend plus d'être déposé : rien à abandonner.")
    _close(deposit, GIVEN_UP)
    _journal(deposit, actor, "chorus-abandon", "abandonné avant son dépôt")


def unsettled(deposit: Deposit) -> str:
    """Say why an officer can't close a deposit; nothing when it is nothing but a search can tell more.

    Either nobody knows whether it arrived, and a search said what is there once Chorus Pro had the time
    to show it; or Chorus Pro integrated it, and never showed some of its pieces.
    """
    if deposit.is_adrift(timezone.now()):
        settle = timedelta(hours=settings.CHORUS_SETTLE_HOURS)
        if deposit.searched_at is None or deposit.searched_at - deposit.asked_at < settle:
            hours = plural(settings.CHORUS_SETTLE_HOURS, "heure")
            return f"{deposit.sending} : suivez d'abord les dépôts, {hours} au moins après son envoi."
        return ""
    if deposit.is_accepted and deposit.read_at and lost_pieces(deposit).exists():
        return ""
    return f"{deposit.sending} : {deposit.told_state.lower()}, rien à clore."


def lost_pieces(deposit: Deposit) -> QuerySet[DepositedPiece]:
    """Return the pieces of a deposit that are under way, and that Chorus Pro never showed."""
    return deposit.pieces.filter(closed=False, identifier="").order_by("titre__number")


@transaction.atomic
def settle(*, deposit: Deposit, reason: str, actor: str) -> int:
    """Close a deposit by hand: the pieces that Chorus Pro has stay, the others may go in another one.

    Returns how many of those there are. Raises DepositRefused without a reason, or while `unsettled`.
    """
    deposit = Deposit.objects.select_for_update(of=("self",)).get(pk=deposit.pk)
    reason = " ".join(reason.split())
    why = unsettled(deposit) or ("" if reason else "Donnez le motif : il reste au journal.")
    if why:
        raise DepositRefused(why)
    told = f"Clos par {actor} : {reason}"
    if deposit.state != Deposit.State.DEPOSITED:
        Deposit.objects.filter(pk=deposit.pk).update(state=Deposit.State.GIVEN_UP, told=told)
    released = lost_pieces(deposit).order_by().update(closed=True, reason=told, read_at=timezone.now())
    count = plural(released, "pièce laissée", "pièces laissées")
    _journal(deposit, actor, "chorus-clos", f"clos, {count} à un autre dépôt ({reason})")
    return released


def _sent_in_time(deposit: Deposit, client: ChorusClient, actor: str, sleep: Any) -> Deposit:
    try:
        return send(deposit, client=client, actor=actor)
    except NotSent as error:
        if error.wait is None or error.wait > WAITS:
            raise
        sleep(error.wait)
        return send(deposit, client=client, actor=actor)


def _pieces(bordereau: Bordereau) -> QuerySet[Titre]:
    """Return the pieces of a bordereau with what decides whether each may be deposited."""
    invoices = TitreDocument.objects.filter(role=TitreDocument.Role.FACTURX).select_related("document")
    under_way = DepositedPiece.objects.filter(closed=False).select_related("sending__deposit")
    return (
        with_status(bordereau.titres.defer("payload"))
        .annotate(specimen=F("payload__document__specimen"), external=F("payload__document__external"))
        .select_related("original")
        .defer("original__payload")
        .prefetch_related(
            Prefetch("documents", invoices.order_by("pk"), to_attr="invoices"),
            Prefetch("deposits", under_way.order_by("pk"), to_attr="under_way"),
            Prefetch("original__deposits", under_way.order_by("pk"), to_attr="under_way"),
        )
        .order_by("number")
    )


def _why_not(titre: Titre, access: Access) -> str:
    """Return why a piece is left out, in French; nothing when it may be deposited."""
    if titre.external:
        return "numérotée par la chaîne de l'État, qui la dépose elle-même."
    if titre.specimen and not access.is_trial:
        return "SPÉCIMEN : son comptable ou son signataire est fictif, elle ne se dépose pas."
    if titre.due_left is not None and not titre.due_left:
        if titre.received:
            return "déjà payée en entier : déposée, elle risquerait d'être payée deux fois."
        return "annulée avant son dépôt : rien n'est plus dû."
    if titre.original and not any(
        piece.identifier or piece.sending.deposit.state == Deposit.State.DEPOSITED
        for piece in titre.original.under_way
    ):
        original = titre.original.reference
        if titre.kind == Titre.Kind.ANNULATION:
            return f"elle annule {original}, qui n'est pas sur Chorus Pro : rien à y annuler."
        return f"elle réduit {original}, qui n'est pas déposé : déposez-le d'abord."
    if not titre.invoices:
        return "sa facture électronique est à produire : « Factur-X », sur la page du bordereau."
    if not lots.fits(_invoice(titre).document.size):
        return "son fichier dépasse ce que Chorus Pro accepte (10 Mo)."
    return ""


def _invoice(titre: Titre) -> TitreDocument:
    return titre.invoices[0]


def _packed(titres: list[Titre], bordereau: Bordereau) -> Any:
    invoices = [
        lots.Invoice(name_of(titre.reference), documents.read(_invoice(titre).document))
        for titre in titres
    ]
    suffix = _suffix(titres)
    return documents.store(lots.packed(invoices), content_type=KINDS[suffix], suffix=suffix)


def _suffix(titres: list[Titre]) -> str:
    return ".pdf" if len(titres) == 1 else ".tar.gz"


def _recorded(
    bordereau: Bordereau, rank: int, document: Any, titres: list[Titre], actor: str
) -> Deposit:
    sending = Sending.objects.create(
        bordereau=bordereau,
        rank=rank,
        channel=Channel.Kind.CHORUS_PRO,
        file_name=f"FACTURX_{mark_of(bordereau, rank)}{_suffix(titres)}",
        document=document,
        attachments=[],
        schema=False,
        made_by=actor,
    )
    deposit = Deposit.objects.create(sending=sending, syntax=SYNTAX)
    DepositedPiece.objects.bulk_create(DepositedPiece(sending=sending, titre=row) for row in titres)
    _journal(deposit, actor, "chorus-prepare", f"{plural(len(titres), 'pièce')} à déposer")
    return deposit


def _refused(mine: QuerySet[Deposit], deposit: Deposit, why: str, actor: str) -> None:
    with transaction.atomic():
        if mine.update(state=Deposit.State.REFUSED, told=why):
            _close(deposit, why)
            _journal(deposit, actor, "chorus-refus", why)


def _close(deposit: Deposit, why: str) -> None:
    deposit.pieces.filter(closed=False).update(closed=True, reason=why, read_at=timezone.now())


def _arrived(deposit: Deposit, client: ChorusClient) -> tuple[Found | None, list[Found]]:
    """Return an invoice that came by this deposit, else those that someone entered on the portal.

    Those of other deposits are known by their flow, or by their identifier.
    """
    known = Q(flow__gt="") & ~Q(pk=deposit.pk)
    flows = set(Deposit.objects.filter(known).order_by("pk").values_list("flow", flat=True))
    elsewhere = DepositedPiece.objects.exclude(sending=deposit.sending_id).exclude(identifier="")
    identifiers = set(elsewhere.order_by("pk").values_list("identifier", flat=True))
    numbers = deposit.pieces.order_by("titre__number").values_list("titre__reference", flat=True)
    by_hand = []
    for number in numbers:
        for found in client.invoices_numbered(number):
            if found.flow and found.flow not in flows:
                return found, []
            if not found.flow and found.identifier not in identifiers:
                by_hand.append(found)
    return None, by_hand


def _known_by(deposit: Deposit, found: Found) -> None:
    """Write the identifier of an invoice that was entered by hand: it is there, whatever happens."""
    pieces = deposit.pieces.filter(titre__reference=found.number, closed=False, identifier="")
    pieces.update(identifier=found.identifier, status=found.status, status_at=found.status_at)


def _search_words() -> str:
    return "Ne le déposez pas de nouveau : « Suivre les dépôts » cherchera s'il est arrivé."


def _journal(deposit: Deposit, actor: str, action: str, told: str) -> None:
    sending = deposit.sending
    journal.record(
        actor=actor,
        action=action,
        target=sending.bordereau,
        summary=f"{sending.file_name} : {told}",
        data={"rank": sending.rank, "sha256": sending.document.sha256, "size": sending.document.size},
    )

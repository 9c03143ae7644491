"""What importing the accountant's payments does: each goes to the titre it names, or waits.

A line with a negative amount takes back the receipt of the same reference and amount.
"""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from entsvc.cells import RowError, checked, is_rounded, parse_date, read_euros, required
from entsvc.french import euros, short_date
from entsvc.importing import Flag, Importer, Job, Layout, Option, Options, register
from entsvc.tabular import Row, UnreadableFile
from invoicing.matching import Known, Match, Names
from invoicing.models import Payment, PendingReceipt, Titre
from invoicing.payments import PaymentRefused, cancel_payment, record_payment, standing
from invoicing.receipts import Receipt, ReceiptRefused, State, dismiss, keep_pending
from members.models import Issuer

SIRET_DIGITS = 14


@dataclass(frozen=True)
class Record:
    """A checked row: a receipt, or what takes one back; `titre` is what its column says."""

    line: int
    receipt: Receipt
    titre: str
    is_reversal: bool

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Return all that the row says: two lines that differ in nothing are told apart by nobody."""
        receipt = self.receipt
        return (
            receipt.reference, receipt.received_on.isoformat(), receipt.amount, self.is_reversal,
            self.titre, receipt.wording, receipt.payer, receipt.siret,
        )  # fmt: skip


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a row; raises RowError for one that can't be kept."""
    cells = {name: " ".join(row.values.get(name, "").split()) for name in COLUMNS}
    received_on = parse_date("date", required("date", cells["date"]))
    if received_on > timezone.localdate():
        raise RowError("date", cells["date"], "Cette date est à venir.")
    amount = checked("montant", required("montant", cells["montant"]), read_euros)
    if not amount:
        raise RowError("montant", cells["montant"], "Un montant nul n'est pas un encaissement.")
    reference = required("reference", cells["reference"], longest=100)
    for name in ("reference", "titre"):
        checked(name, cells[name], _whole)
    if len(cells["libelle"]) > 300 or len(cells["payeur"]) > 200:
        raise RowError("libelle", cells["libelle"][:50], "Libellé ou payeur trop long : abrégez-le.")
    receipt = Receipt(
        received_on=received_on,
        amount=abs(amount),
        reference=reference,
        wording=cells["libelle"],
        payer=cells["payeur"],
        siret=_siret(cells["siret"], flag),
    )
    return Record(row.line, receipt, cells["titre"], is_reversal=amount < 0)


def apply(records: list[Record], job: Job) -> None:
    """Record, keep or take back each receipt: the oldest first, those that name their titre first."""
    desk = Desk(job)
    matched = [(record, desk.match(record)) for record in records]

    def rank(pair: tuple[Record, Match]) -> tuple[Any, ...]:
        record, match = pair
        return record.receipt.received_on, record.is_reversal, match.titre is None, record.line

    for record, match in sorted(matched, key=rank):
        try:
            desk.take(record, match)
        except RowError as error:
            job.report.refuse(record.line, error.column, error.value, error.message)
        except (PaymentRefused, ReceiptRefused) as error:
            job.report.refuse(record.line, "reference", record.receipt.reference, str(error))


class Desk:
    """Where the receipts of one file are dealt with; `claimed` tells which line did each."""

    def __init__(self, job: Job) -> None:
        self.job, self.report = job, job.report
        self.issuers = _issuers(job)
        self.names = Names.of([issuer.pk for issuer in self.issuers])
        self.claimed: dict[tuple[Hashable, ...], int] = {}
        self.named: dict[tuple[Hashable, ...], list[Any]] = defaultdict(list)
        self.taken_back: set[Hashable] = set()

    def match(self, record: Record) -> Match:
        """Return the titre that a line names."""
        return self.names.find(record.titre, record.receipt.reference, record.receipt.wording)

    def take(self, record: Record, match: Match) -> None:
        """Record a receipt on the titre it names or keep it until someone decides; or take one back."""
        if record.is_reversal:
            if match.is_ambiguous:
                raise RowError("titre", record.titre, f"{match.problem} Nommez celui de cette reprise.")
            self._take_back(record, match.titre)
        elif match.titre:
            self._record(record, match.titre)
        else:
            self._keep(record, match.problem)

    def _take_back(self, record: Record, named: Known | None) -> None:
        receipt = record.receipt
        self._claim(record, "reprise", named and named.key)
        payments = Payment.objects.filter(
            kind=Payment.Kind.RECEIPT,
            titre__issuer__in=self.issuers,
            amount=receipt.amount,
            reference=receipt.reference,
            received_on__lte=receipt.received_on,
            **({"titre": named.key} if named else {}),
        ).exclude(pk__in=self.taken_back)
        rows = list(payments.select_related("titre", "cancellation").order_by("received_on", "pk"))
        done = [row for row in rows if _cancelled_on(row) == receipt.received_on]
        left = [row for row in rows if _cancelled_on(row) is None]
        pending = [] if named else list(self._pending_of(receipt))
        waiting = [row for row in pending if row.state == State.WAITING]
        if done:
            self._already_taken_back(record, done[0], named is None and bool(left or waiting))
        elif any(row.reason == _dismissal(receipt) for row in pending):
            self.report.unchanged += 1
        elif len(left) + len(waiting) > 1:
            raise _several(receipt, left, waiting)
        elif left:
            self._cancel(record, left[0])
        elif waiting:
            dismiss(pending=waiting[0], reason=_dismissal(receipt), actor=self.job.actor)
            self.report.updated += 1
        elif rows or pending:
            self.report.unchanged += 1
        else:
            raise RowError(
                "montant", f"-{receipt.amount}",
                "Aucun encaissement de ce montant et de cette référence n'est connu : rien à reprendre.",
            )  # fmt: skip

    def _already_taken_back(self, record: Record, payment: Payment, others_stand: bool) -> None:
        """Change nothing; tell it when the line may well be about another receipt than this one."""
        self.taken_back.add(payment.pk)
        self.report.unchanged += 1
        if others_stand or payment.cancellation.reference != _reason(record.receipt):
            told = "Reprise déjà connue sur {} ; si c'est une autre reprise, nommez son titre."
            self._flag(record, payment.titre.issuer_id, told.format(payment.titre.reference))

    def _record(self, record: Record, named: Known) -> None:
        receipt = record.receipt
        self._claim(record, named.key)
        self.named[receipt.key].append(named.key)
        known = Payment.objects.filter(
            titre=named.key, kind=Payment.Kind.RECEIPT, **receipt.identity
        ).exists()
        pending = self._pending(named.issuer, receipt).first()
        if known:
            self.report.unchanged += 1
        elif pending is None:
            titre = Titre.objects.get(pk=named.key)
            payment = record_payment(
                titre=titre, **receipt.identity, actor=self.job.actor, source=self.job.record
            )
            self.report.created += 1
            self._flag_payment(record, payment)
        else:
            self._already_pending(record, named, pending)

    def _already_pending(self, record: Record, named: Known, pending: PendingReceipt) -> None:
        """Leave to who decides a receipt kept by an earlier file: suggest the titre it names by now."""
        self.report.unchanged += 1
        state = pending.get_state_display().lower()
        if pending.state == State.WAITING and pending.suggested_id != named.key:
            PendingReceipt.objects.filter(pk=pending.pk).update(suggested=named.key)
            self.report.unchanged -= 1
            self.report.updated += 1
        self._flag(
            record,
            named.issuer,
            f"Connu par un fichier précédent, {state} : rien n'est saisi de plus sur {named.reference}.",
        )

    def _keep(self, record: Record, problem: str) -> None:
        receipt, issuer = record.receipt, self._issuer(problem)
        self._claim(record, issuer.pk)
        wording = receipt.wording
        if record.titre and record.titre not in wording:
            wording = f"{wording} – titre « {record.titre} »".removeprefix(" – ")[:300]
        if self._is_known(record, issuer, wording):
            self.report.unchanged += 1
            return
        kept = keep_pending(
            issuer=issuer,
            receipt=replace(receipt, wording=wording),
            source=self.job.record,
        )
        self.report.created += 1
        told = problem or "Aucun titre n'est nommé."
        hint = f" Titre proposé : {kept.suggested.reference}." if kept.suggested else ""
        self._flag(record, issuer.pk, f"{told} À attribuer.{hint}")

    def _is_known(self, record: Record, issuer: Issuer, wording: str) -> bool:
        """Tell whether a receipt that names no titre is known, and flag it where it may be another."""
        receipt = record.receipt
        pending = self._pending(issuer.pk, receipt).first()
        if pending:
            if pending.wording != wording:
                state = pending.get_state_display().lower()
                told = (
                    f"Déjà connu parmi les encaissements à attribuer ({state}) ; "
                    "si c'est un autre encaissement, nommez son titre ou donnez-lui sa propre référence."
                )
                self._flag(record, issuer.pk, told)
            return True
        payments = Payment.objects.filter(
            kind=Payment.Kind.RECEIPT, titre__issuer=issuer, **receipt.identity
        ).exclude(titre__in=self.named[receipt.key])
        references = sorted(set(payments.order_by("pk").values_list("titre__reference", flat=True)))
        if references:
            known = f"Déjà connu sur {', '.join(references)}"
            told = f"{known} ; si c'est un autre encaissement, nommez son titre."
            self._flag(record, issuer.pk, told)
        return bool(references)

    def _cancel(self, record: Record, payment: Payment) -> None:
        self.taken_back.add(payment.pk)
        cancel_payment(
            payment=payment,
            reason=_reason(record.receipt),
            on=record.receipt.received_on,
            actor=self.job.actor,
            source=self.job.record,
        )
        self.report.created += 1

    def _claim(self, record: Record, *what: Hashable) -> None:
        """Refuse the second line of a file that tells the same receipt in other words."""
        key = (*what, *record.receipt.key)
        first = self.claimed.setdefault(key, record.line)
        if first != record.line:
            raise RowError(
                "reference",
                record.receipt.reference,
                f"Même date, montant et référence que la ligne {first} : si c'est un autre "
                "encaissement, donnez-lui sa propre référence.",
            )

    def _issuer(self, problem: str) -> Issuer:
        if len(self.issuers) != 1:
            codes = ", ".join(issuer.code for issuer in self.issuers)
            raise RowError(
                "titre",
                "",
                f"{problem or 'Cette ligne ne nomme aucun titre.'} Dites de quel émetteur ({codes}).",
            )
        return self.issuers[0]

    def _pending(self, issuer: int, receipt: Receipt) -> QuerySet[PendingReceipt]:
        return PendingReceipt.objects.filter(issuer=issuer, **receipt.identity).order_by("pk")

    def _pending_of(self, receipt: Receipt) -> QuerySet[PendingReceipt]:
        """Return the receipts, not yet attributed, that a reversal may take back."""
        return PendingReceipt.objects.filter(
            issuer__in=self.issuers,
            amount=receipt.amount,
            reference=receipt.reference,
            received_on__lte=receipt.received_on,
            payment=None,
        ).order_by("pk")

    def _flag_payment(self, record: Record, payment: Payment) -> None:
        titre = payment.titre
        found = standing(titre)
        if found.overpaid:
            told = f"{titre.reference} est payé {euros(found.overpaid)} de trop."
            self._flag(record, titre.issuer_id, told)
        if record.receipt.siret and record.receipt.siret != titre.siret:
            told = (
                f"Payé par {record.receipt.siret} ; le débiteur de {titre.reference} est {titre.siret}."
            )
            self._flag(record, titre.issuer_id, told)

    def _flag(self, record: Record, issuer: int, message: str) -> None:
        self.report.flag(record.line, "titre", record.titre, message, issuer=issuer)


COLUMNS = ("date", "montant", "reference", "libelle", "titre", "siret", "payeur")
IMPORTER = register(
    Importer(
        name="encaissements",
        title="Encaissements du comptable",
        layouts=(
            Layout(
                name="encaissements",
                columns=("date", "montant", "reference"),
                parse=parse,
                aliases={
                    "date_encaissement": "date",
                    "montant_encaisse": "montant",
                    "reference_comptable": "reference",
                    "numero_titre": "titre",
                    "debiteur": "payeur",
                },
            ),
        ),
        key=lambda record: record.key,
        key_column="reference",
        apply=apply,
        permissions=("invoicing.record_payment",),
        options=(
            Option(
                name="issuer",
                flag="--issuer",
                label="Émetteur",
                help="De qui le comptable donne les encaissements ; inutile s'il n'y en a qu'un.",
                parse=lambda text: text.upper(),
                choices=lambda issuers: [(row.code, row.name) for row in _issuers_of(issuers)],
            ),
        ),
        shared=False,
    )
)


def _cancelled_on(payment: Payment) -> date | None:
    return payment.cancellation.received_on if hasattr(payment, "cancellation") else None


def _reason(reversal: Receipt) -> str:
    told = "repris par le comptable"
    return (f"{told} : {reversal.wording}" if reversal.wording else told)[:100]


def _dismissal(reversal: Receipt) -> str:
    return f"Repris par le comptable le {short_date(reversal.received_on)}."


def _several(reversal: Receipt, payments: list[Payment], waiting: list[PendingReceipt]) -> RowError:
    """Refuse a reversal that several receipts answer to, naming them."""
    names = [f"{row.titre.reference} du {short_date(row.received_on)}" for row in payments]
    names += [f"à attribuer du {short_date(row.received_on)}" for row in waiting]
    return RowError(
        "reference",
        reversal.reference,
        f"Plusieurs encaissements répondent à cette reprise ({', '.join(names)}) : nommez le titre, ou "
        "annulez le bon sur la page de son titre.",
    )


def _whole(text: str) -> None:
    if is_rounded(text):
        raise ValueError("Arrondi par le tableur : remettez la colonne en texte.")


def _siret(text: str, flag: Flag) -> str:
    """Return a SIRET, or nothing and a flag: it only helps to suggest."""
    plain = "".join(text.split())
    if plain and not (plain.isdigit() and len(plain) == SIRET_DIGITS):
        flag("siret", text, "Ce SIRET n'a pas 14 chiffres : il est laissé de côté.")
        return ""
    return plain


def _issuers(job: Job) -> list[Issuer]:
    """Return the issuers whose titres a file may pay: the one asked for, else those of the account."""
    issuers = _issuers_of(job.issuers)
    code = job.options.get("issuer")
    if code:
        issuers = issuers.filter(code__iexact=code)
    if not issuers:
        raise UnreadableFile(f"Émetteur inconnu de ce compte : {code or 'aucun'}.")
    return list(issuers)


def _issuers_of(keys: frozenset[int] | None) -> QuerySet[Issuer]:
    """Return the issuers of these keys, all of them for None."""
    issuers = Issuer.objects.order_by("code")
    return issuers if keys is None else issuers.filter(pk__in=keys)

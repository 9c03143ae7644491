"""How an exercice is closed for good, with the report that proves its series complete.

After it the database gives no more number in that exercice: what was wrong in it is mended by a mandat
at account 673. The report is frozen with its fingerprint and that of the journal at that moment.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from entsvc import chain, journal
from entsvc.canonical import fingerprint
from entsvc.french import integer, plural, short_date
from invoicing.models import (
    Bordereau,
    BordereauEvent,
    ClosedExercice,
    MandatRequest,
    Series,
    Titre,
)
from invoicing.numbering import IssueRefused, last_day_of, lock_counter
from invoicing.payments import ZERO
from invoicing.statuses import ORDER, Status, with_status
from invoicing.verification import Scope, Verdict, verify
from invoicing.verification.figures import ExerciceFigures, of_exercice, proof
from members.models import Issuer

SHOWN = 20


class ClosingRefused(Exception):
    """Nothing is closed; `messages` says why, in French, one sentence each."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)


@dataclass(frozen=True)
class Collection:
    """What was asked and received for the titres of an exercice, in euros, and how many are not paid.

    `remaining` counts nothing where more was paid than is due: `overpaid` tells that, so that
    due - paid = remaining - overpaid. `mandats`: what mandats were asked to give back, once by request;
    it changes nothing to what is due.
    """

    due: Decimal = ZERO
    paid: Decimal = ZERO
    remaining: Decimal = ZERO
    mandats: Decimal = ZERO
    unpaid: int = 0
    rejected: int = 0

    @property
    def overpaid(self) -> Decimal:
        """Return the euros received beyond what is due, titre by titre."""
        return self.remaining - (self.due - self.paid)

    def as_json(self) -> dict[str, Any]:
        """Return the amounts as strings with two decimals."""
        names = ("due", "paid", "remaining", "overpaid", "mandats")
        amounts = {name: str(getattr(self, name)) for name in names}
        return {**amounts, "unpaid": self.unpaid, "rejected": self.rejected}


@dataclass
class Prospect:
    """What a closing would freeze, and what to think of before it."""

    figures: ExerciceFigures
    collection: Collection
    warnings: list[str] = field(default_factory=list)


def close_exercice(
    *, issuer: Issuer, exercice: int, actor: str, budget: str | None = None
) -> ClosedExercice:
    """Verify an exercice whole and close it for good.

    Not inside a transaction of the caller: the verification is long and holds nobody up. Raises
    ClosingRefused (French messages) before the year's end, for an exercice without any titre or closed
    already, for a missing document or any deviation, or when something was issued meanwhile.
    """
    prospect = look_ahead(issuer=issuer, exercice=exercice, budget=budget)
    verdict = verify(prospect.figures.scope)
    if not verdict.green:
        raise ClosingRefused(*_deviations(verdict))
    chain.link_pending()
    try:
        with transaction.atomic():
            return _close(prospect, verdict, actor)
    except IntegrityError as error:
        raise ClosingRefused(f"L'exercice {exercice} est déjà clos.") from error


def look_ahead(*, issuer: Issuer, exercice: int, budget: str | None = None) -> Prospect:
    """Return what a closing would freeze, without verifying it.

    Raises ClosingRefused when an exercice can't be closed whatever its state.
    """
    budget = issuer.budget_code if budget is None else budget
    figures = of_exercice(issuer, budget, exercice)
    closed = figures.scope.of(ClosedExercice.objects)
    if closed.exists():
        raise ClosingRefused(f"L'exercice {exercice} de {issuer.code} est déjà clos.")
    if timezone.localdate() <= date(exercice, 12, 31):
        raise ClosingRefused(
            f"L'exercice {exercice} court jusqu'au 31/12/{exercice} : il se clôt après cette date."
        )
    if not figures.series[Series.BORDEREAU].count:
        raise ClosingRefused(f"{figures} : aucun titre n'y est émis, il n'y a rien à clore.")
    money = collection(figures.scope)
    return Prospect(figures, money, _warnings(figures, money))


def collection(scope: Scope) -> Collection:
    """Return what remains to collect of a part of the ledger today."""
    sums = with_status(scope.of(Titre.objects.filter(kind=Titre.Kind.TITRE))).aggregate(
        owed=Sum("due"),
        given=Sum("received"),
        left=Sum("due_left"),
        unpaid=Count("pk", filter=Q(due_left__gt=0)),
        rejected=Count("pk", filter=Q(status_rank=ORDER.index(Status.REJECTED))),
    )
    requests = scope.of(MandatRequest.objects, "titre__")
    return Collection(
        mandats=requests.aggregate(sum=Sum("amount"))["sum"] or ZERO,
        due=sums["owed"] or ZERO,
        paid=sums["given"] or ZERO,
        remaining=sums["left"] or ZERO,
        unpaid=sums["unpaid"],
        rejected=sums["rejected"],
    )


def _close(prospect: Prospect, verdict: Verdict, actor: str) -> ClosedExercice:
    """Lock every counter of the exercice, and freeze the report unless a number was taken meanwhile."""
    figures = prospect.figures
    issuer, budget, exercice = figures.issuer, figures.budget, figures.exercice
    try:
        for series in Series:  # those that never began too: nothing can begin behind the report
            lock_counter(issuer, budget, exercice, series)
    except IssueRefused as error:
        raise ClosingRefused(f"L'exercice {exercice} est déjà clos.") from error
    now = of_exercice(issuer, budget, exercice)
    if now.series != figures.series:
        raise ClosingRefused(
            f"Des pièces de l'exercice {exercice} viennent d'être émises : recommencez la clôture."
        )
    report = _report(prospect, verdict, actor)
    closed = ClosedExercice.objects.create(
        issuer=issuer,
        budget=budget,
        exercice=exercice,
        closed_by=actor,
        report=report,
        sha256=fingerprint(report),
        journal_head=report["journal"]["head"],
    )
    journal.record(
        actor=actor,
        action="close-exercice",
        target=closed,
        summary=f"{figures} : exercice clos",
        data={"sha256": closed.sha256},
    )
    return closed


def _report(prospect: Prospect, verdict: Verdict, actor: str) -> dict[str, Any]:
    figures = prospect.figures
    return {
        "issuer": {"code": figures.issuer.code, "name": figures.issuer.name},
        "budget": figures.budget,
        "exercice": figures.exercice,
        "closed_on": timezone.localdate().isoformat(),
        "closed_by": actor,
        "proof": proof(figures),
        "collection": prospect.collection.as_json(),
        "documents_read": verdict.documents,
        "warnings": prospect.warnings,
        "journal": {"links": verdict.links, "head": chain.head()},
    }


def _warnings(figures: ExerciceFigures, money: Collection) -> list[str]:
    """Tell what no rule forbids, and what nobody would want to find out afterwards."""
    found = []
    issuer, exercice = figures.issuer, figures.exercice
    last_day = last_day_of(exercice, issuer.complementary_days)
    if issuer.complementary_days and timezone.localdate() <= last_day:
        found.append(
            f"La période complémentaire court jusqu'au {short_date(last_day)} : une fois l'exercice "
            "clos, plus aucun titre ne pourra le porter."
        )
    steps = figures.scope.of(Bordereau.objects).aggregate(
        signed=Count("pk", filter=Q(events__kind=BordereauEvent.Kind.SIGNED)),
        sent=Count("pk", filter=Q(events__kind=BordereauEvent.Kind.SENT)),
    )
    count = figures.scope.of(Bordereau.objects).count()
    for name, word in (("signed", "signé"), ("sent", "envoyé")):
        left = count - steps[name]
        if left:
            found.append(not_recorded(left, count, word))
    if money.rejected:
        found.append(
            f"{plural(money.rejected, 'titre rejeté', 'titres rejetés')} par le comptable et non "
            "annulés : une fois l'exercice clos, seul un mandat les compense."
        )
    return found


def not_recorded(left: int, count: int, word: str) -> str:
    """Say how many bordereaux of all were not recorded as signed, or as sent."""
    if left == count:
        none = "Le seul bordereau" if count == 1 else f"Aucun des {integer(count)} bordereaux"
        return f"{none} n'est enregistré comme {word}."
    one, many = f"n'est pas enregistré comme {word}", f"ne sont pas enregistrés comme {word}s"
    return f"Sur {integer(count)} bordereaux, {plural(left, one, many)}."


def _deviations(verdict: Verdict) -> list[str]:
    shown = [f"{deviation}." for deviation in verdict.deviations[:SHOWN]]
    more = verdict.count - len(shown)
    return [
        f"{plural(verdict.count, 'écart')} : l'exercice ne peut pas être clos.",
        *shown,
        *([f"… et {plural(more, 'autre')} : lancez « manage.py verify_ledger »."] if more else []),
    ]

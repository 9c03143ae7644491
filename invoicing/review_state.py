"""Where a run stands: is it the last one, was it issued, and what changed since it was computed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from conventions.assessment import enrolled_in
from conventions.models import (
    Convention,
    DeliveredUnits,
    Delivery,
    Enrolment,
    EtatContradictoire,
    MemberEtat,
    Objection,
    Subscription,
)
from entsvc import history
from entsvc.french import plural
from invoicing.models import (
    Acceptance,
    Adjustment,
    Campaign,
    DecidedDeduction,
    Exclusion,
    Run,
    Titre,
    VotedAmount,
    YearPool,
)
from invoicing.review_reading import charges_of
from members.models import Headcount, Usage
from tariffs import engine

DECISIONS = (YearPool, DecidedDeduction, Adjustment, Exclusion, Acceptance, VotedAmount)
LISTS = (Enrolment, Subscription, DeliveredUnits, Delivery)

# What changed, one and several.
DECISION = "décision de l'année|décisions de l'année"
OBJECTED = "contestation déposée ou répondue|contestations déposées ou répondues"
LISTED = "inscription, option ou prestation modifiée|inscriptions, options ou prestations modifiées"


@dataclass(frozen=True)
class State:
    """What a reader of a run should know before acting on it.

    `latest` is the number of the last run of its campaign. `issued` counts its own titres, `elsewhere`
    those of its campaign that other runs gave, `since` what was issued or corrected of the year after
    it was computed, and `changes` says, in French, which data changed since. `etat` is the key of the
    état contradictoire of the year, None where there is none, `waiting` and `answered` count the
    objections made there.
    """

    latest: int
    issued: int
    elsewhere: int
    since: int
    changes: tuple[str, ...]
    etat: int | None
    waiting: int
    answered: int


def state_of(run: Run) -> State:
    """Return where a run stands, in a constant number of queries."""
    own, others = Q(campaign=run.campaign_id, call__run=run.pk), Q(campaign=run.campaign_id)
    together = run.campaign.together.order_by().values("pk")
    later = Q(bordereau__issued_at__gt=run.computed_at) & ~Q(call__run=run.pk, kind=Titre.Kind.TITRE)
    titres = Titre.objects.filter(campaign__in=together).aggregate(
        own=Count("pk", filter=own & Q(kind=Titre.Kind.TITRE)),
        campaign=Count("pk", filter=others & Q(kind=Titre.Kind.TITRE)),
        since=Count("pk", filter=later),
    )
    return State(
        issued=titres["own"],
        elsewhere=titres["campaign"] - titres["own"],
        since=titres["since"],
        changes=tuple(_changes(run)),
        **_standing(run.campaign),
    )


def _standing(campaign: Campaign) -> dict[str, int | None]:
    """Return the last run of a campaign, and what is objected to the year it calls, in one query."""
    of_year = {"schedule": OuterRef("schedule"), "school_year": OuterRef("school_year")}
    etats = EtatContradictoire.objects.filter(**of_year).order_by().values("pk")
    filed = Objection.objects.filter(
        **{f"shown__etat__{name}": value for name, value in of_year.items()}, withdrawn_at=None
    )
    known = Campaign.objects.filter(pk=campaign.pk).values(
        latest=Max("runs__number"),
        etat=Subquery(etats[:1]),
        waiting=_many(filed.filter(answer="")),
        answered=_many(filed.exclude(answer="")),
    )
    nothing = {"etat": None, "waiting": 0, "answered": 0} if campaign.apart else {}
    return known.get() | nothing


def _many(rows: QuerySet) -> Coalesce:
    same = rows.order_by().annotate(same=Value(1)).values("same")
    return Coalesce(Subquery(same.annotate(number=Count("pk")).values("number")), 0)


def _changes(run: Run) -> Iterable[str]:
    """Say which data of a run's year changed after it; a quote's are frozen by its steps."""
    if run.campaign.quote_id:
        return
    rows = [*_counts_changed(run), *_decided(run), *_agreed(run), *_objected(run)]
    if not rows:
        return
    first, *more = rows
    numbers: Counter[str] = Counter()
    for words, number in first.union(*more, all=True).values_list("words", "number"):
        numbers[words] += number
    for words, number in sorted(numbers.items()):
        if number:
            yield plural(number, *words.split("|"))


def _counts_changed(run: Run) -> Iterable[QuerySet]:
    campaign = run.campaign
    charges = charges_of(run).values()
    metrics = {charge.metric for charge in charges}
    banded = any(charge.model == engine.BANDED for charge in charges)
    moved = Q(recorded_at__gt=run.computed_at) | Q(superseded_at__gt=run.computed_at)
    schools = enrolled_in(campaign.schedule, campaign.school_year).order_by().values("school")
    if engine.PUPILS in metrics or banded:
        rows = Headcount.objects.filter(moved, school_year=campaign.school_year, school__in=schools)
        yield _counted(rows, "effectif changé|effectifs changés", "school")
    if engine.ACTIVE_PUPILS in metrics:
        rows = Usage.objects.filter(moved, school_year=campaign.school_year, school__in=schools)
        yield _counted(rows, "usage changé|usages changés", "school")


def _decided(run: Run) -> Iterable[QuerySet]:
    campaign = run.campaign
    for model in DECISIONS:
        rows = model.history.filter(schedule=campaign.schedule_id, school_year=campaign.school_year)
        yield _counted(_later(rows, run), DECISION, "id")


def _agreed(run: Run) -> Iterable[QuerySet]:
    schedule = run.campaign.schedule_id
    rows = _later(Convention.history.filter(schedule=schedule), run)
    yield _counted(rows, "convention modifiée|conventions modifiées", "id")
    # A plain list of keys: what was deleted since stays in the history of an agreement that exists.
    for model in LISTS:
        kept = Convention.objects.filter(schedule=schedule).order_by().values("pk")
        rows = _later(model.history.filter(convention_id__in=kept), run)
        yield _counted(rows, LISTED, "id")


def _objected(run: Run) -> Iterable[QuerySet]:
    campaign = run.campaign
    moved = Q(objections__filed_at__gt=run.computed_at)
    moved |= Q(objections__answered_at__gt=run.computed_at)
    rows = MemberEtat.objects.filter(
        moved,
        objections__withdrawn_at=None,
        etat__schedule=campaign.schedule_id,
        etat__school_year=campaign.school_year,
    )
    yield _counted(rows, OBJECTED, "objections")


def _later(rows: QuerySet, run: Run) -> QuerySet:
    return rows.filter(history_date__gt=run.computed_at).exclude(history_change_reason=history.FIRST)


def _counted(rows: QuerySet, words: str, of: str) -> QuerySet:
    named = rows.order_by().annotate(words=Value(words)).values("words")
    return named.annotate(number=Count(of, distinct=True)).values("words", "number")

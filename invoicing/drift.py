"""Which counts changed after a titre was issued on them: derived from frozen and current facts."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from conventions.basis import from_json
from entsvc.changes import in_batches
from entsvc.french import integer
from entsvc.importing import Job, remarks_on
from invoicing.models import Campaign, Run, Titre, TitreLine
from members import counts
from members.models import Headcount, School, Usage
from tariffs import engine
from tariffs.models import Schedule

MODELS = {engine.PUPILS: Headcount, engine.ACTIVE_PUPILS: Usage}
NOTED = {engine.PUPILS: "headcounts", engine.ACTIVE_PUPILS: "usages"}
COLUMNS = {engine.PUPILS: "eleves", engine.ACTIVE_PUPILS: "eleves_actifs"}
WORDS = {engine.PUPILS: "L'effectif", engine.ACTIVE_PUPILS: "L'usage"}


SHOWN = 100  # on a campaign's page
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Drift:
    """A count on which an issued titre rests, and what it is now (None: no longer known)."""

    uai: str
    frozen: int
    current: int | None
    titre_reference: str
    metric: str = engine.PUPILS

    @property
    def message(self) -> str:
        """Return what staff should know: the titre holds, another document will mend it."""
        if self.current is None:
            change = f"({integer(self.frozen)}) n'est plus connu"
        else:
            change = f"passe de {integer(self.frozen)} à {integer(self.current)}"
        return (
            f"{WORDS[self.metric]} {change} après le titre {self.titre_reference} : il reste dû tel "
            "quel ; une campagne complémentaire ou une réduction le corrigera."
        )


def drifts(schedule: Schedule, year: int) -> list[Drift]:
    """Return, by UAI, the counts of a school year that changed since a titre of the schedule read them.

    Only those that its tariff reads: a price per school rests on no count. A titre annulled since no
    longer counts, nor does a school for which réductions made up for the change, to the cent.
    """
    found = [
        Drift(uai, number, current.get(uai), reference, metric)
        for metric, frozen in _frozen(schedule, year).items()
        for current in [_current(metric, year, frozen)]
        for uai, (number, reference) in frozen.items()
        if current.get(uai) != number
    ]
    made_up = _made_up(schedule, year, found) if found else set()
    found = [drift for drift in found if (drift.titre_reference, drift.uai) not in made_up]
    return sorted(found, key=lambda drift: (drift.uai, drift.metric))


@dataclass(frozen=True)
class ShownDrift:
    """A drift with the school and the titre that a page links to."""

    drift: Drift
    school: School
    titre: Titre


def shown_drifts(schedule: Schedule, year: int) -> tuple[list[ShownDrift], int]:
    """Return the first drifts as a page shows them, and how many more there are."""
    found = drifts(schedule, year)
    first = found[:SHOWN]
    schools, titres = named(schedule, first)
    shown = [ShownDrift(drift, schools[drift.uai], titres[drift.titre_reference]) for drift in first]
    return shown, len(found) - len(first)


def named(schedule: Schedule, told: Iterable[Any]) -> tuple[dict[str, School], dict[str, Titre]]:
    """Return the schools by UAI, and the titres by reference, that drifts or changes of lists name."""
    references = {item.titre_reference for item in told}
    titres = Titre.objects.filter(issuer=schedule.issuer_id, reference__in=references)
    return (
        School.objects.in_bulk({item.uai for item in told}, field_name="uai"),
        {titre.reference: titre for titre in titres.defer("payload").order_by("pk")},
    )


@counts.remarks_on_changes
def tell_drifts(
    model: type[counts.Count], changed: Iterable[tuple[str, int]], issuers: frozenset[int] | None
) -> list[str]:
    """Say which counts changed by hand were billed already; `issuers` is None for all."""
    changed = set(changed)
    campaigns = Campaign.objects.filter(rank=1, school_year__in={year for _, year in changed})
    if issuers is not None:
        campaigns = campaigns.filter(schedule__issuer__in=issuers)
    return [
        f"{drift.uai} : {drift.message}"
        for campaign in campaigns.select_related("schedule").order_by("pk")
        for drift in drifts(campaign.schedule, campaign.school_year)
        if MODELS[drift.metric] is model and (drift.uai, campaign.school_year) in changed
    ]


@remarks_on("effectifs")
def flag_drifts(job: Job) -> None:
    """Flag the counts that an import changes after a titre was issued on them."""
    changed = {metric: job.noted[name] for metric, name in NOTED.items()}
    years = {year for news in changed.values() for _, year in news}
    campaigns = Campaign.objects.filter(rank=1, school_year__in=years).select_related("schedule")
    if job.issuers is not None:
        campaigns = campaigns.filter(schedule__issuer__in=job.issuers)
    for campaign in campaigns.order_by("pk"):
        for drift in drifts(campaign.schedule, campaign.school_year):
            line = changed[drift.metric].get((drift.uai, campaign.school_year))
            if line is not None:
                issuer = campaign.schedule.issuer_id
                job.report.flag(line, COLUMNS[drift.metric], drift.uai, drift.message, issuer=issuer)


def _frozen(schedule: Schedule, year: int) -> dict[str, dict[str, tuple[int, str]]]:
    """Return, by metric, {UAI: (count, reference of the titre that rests on it)}."""
    frozen: dict[str, dict[str, tuple[int, str]]] = {metric: {} for metric in MODELS}
    for run_id, references in _references(schedule, year).items():
        basis = Run.objects.values_list("basis", flat=True).get(pk=run_id)
        members = [member for member in basis["members"] if member["siret"] in references]
        restored = from_json({**basis, "members": members})
        for member in restored.members:
            for metric in MODELS:
                read = engine.schools_read(restored.charges, member, metric)
                for uai, number in _numbers(member, metric):
                    if uai in read and number is not None:
                        frozen[metric][uai] = number, references[member.siret]
    return frozen


def _references(schedule: Schedule, year: int) -> Mapping[int, dict[str, str]]:
    """Return {run: {SIRET: reference of its titre}} for the titres that nothing annulled."""
    annulled = Titre.objects.filter(kind=Titre.Kind.ANNULATION).values("original")
    titres = (
        Titre.objects.filter(campaign__schedule=schedule, campaign__school_year=year, call__isnull=False)
        .exclude(pk__in=annulled)
        .order_by("call__run", "pk")
        .values_list("call__run", "siret", "reference")
    )
    runs: dict[int, dict[str, str]] = defaultdict(dict)
    for run_id, siret, reference in titres:
        runs[run_id][siret] = reference
    return runs


def _made_up(schedule: Schedule, year: int, found: Collection[Drift]) -> set[tuple[str, str]]:
    """Return the (reference, UAI) of which the titre, once reduced, asks what the counts now make.

    The frozen basis is assessed again with the current counts of the schools that réductions name.
    """
    net = _reduced(schedule, year, {(drift.titre_reference, drift.uai) for drift in found})
    if not net:
        return set()
    known = {(drift.uai, drift.metric): drift.current for drift in found}
    schools = {uai for _, uai in net}
    made_up = set()
    for run_id, references in _references(schedule, year).items():
        if not {reference for reference, _ in net} & set(references.values()):
            continue
        basis = from_json(Run.objects.values_list("basis", flat=True).get(pk=run_id))
        members = tuple(_with_counts(member, known, schools) for member in basis.members)
        for result in replace(basis, members=members).assess():
            reference = references.get(result.member.siret, "")
            expected: dict[str, Decimal] = defaultdict(lambda: ZERO)
            for line in result.lines:
                expected[line.uai] += line.amount
            made_up |= {
                (named, uai)
                for (named, uai), amount in net.items()
                if named == reference and amount == expected[uai]
            }
    return made_up


def _reduced(
    schedule: Schedule, year: int, named: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Decimal]:
    """Return, by (reference, UAI), what a titre asks for a school that réductions name, once made."""
    same = {"campaign__schedule": schedule, "campaign__school_year": year}
    reductions = Titre.objects.filter(kind=Titre.Kind.REDUCTION, **same)
    lines = TitreLine.objects.filter(titre__in=reductions.values("pk")).exclude(uai="").order_by("pk")
    net: dict[tuple[str, str], Decimal] = {}
    for reference, uai, amount in lines.values_list("titre__original__reference", "uai", "amount"):
        if (reference, uai) in named:
            net[reference, uai] = net.get((reference, uai), ZERO) - amount
    if not net:
        return net
    asked = TitreLine.objects.filter(titre__in=reductions.values("original")).order_by("pk")
    for reference, uai, amount in asked.values_list("titre__reference", "uai", "amount"):
        if (reference, uai) in net:
            net[reference, uai] += amount
    return net


def _with_counts(
    member: engine.Member, known: Mapping[tuple[str, str], int | None], schools: Collection[str]
) -> engine.Member:
    """Return a member with the current counts of these schools."""
    agreements = tuple(
        replace(agreement, schools=tuple(_counted(s, known, schools) for s in agreement.schools))
        for agreement in member.agreements
    )
    return replace(member, agreements=agreements)


def _counted(
    school: engine.School, known: Mapping[tuple[str, str], int | None], schools: Collection[str]
) -> engine.School:
    if school.uai not in schools:
        return school
    return replace(
        school,
        pupils=known.get((school.uai, engine.PUPILS), school.pupils),
        active_pupils=known.get((school.uai, engine.ACTIVE_PUPILS), school.active_pupils),
    )


def _numbers(member: engine.Member, metric: str) -> Iterator[tuple[str, int | None]]:
    for agreement in member.agreements:
        for school in agreement.billed:
            yield school.uai, school.pupils if metric == engine.PUPILS else school.active_pupils


def _current(metric: str, year: int, uais: Mapping[str, tuple[int, str]]) -> dict[str, int]:
    return {
        uai: known.number
        for batch in in_batches(uais)
        for uai, known in counts.retained(MODELS[metric], year, counts.by_uai(batch)).items()
    }

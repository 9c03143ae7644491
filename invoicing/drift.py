"""Which counts changed after a titre was issued on them: derived from frozen and current facts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from conventions.basis import from_json, frozen_charges
from entsvc.changes import in_batches
from entsvc.french import integer
from entsvc.importing import Job, remarks_on
from invoicing.made_up import by_mandats, by_reductions, references_of
from invoicing.models import Campaign, Run, Titre
from invoicing.numbering import all_closed
from members import counts
from members.models import Headcount, School, Usage
from tariffs import engine
from tariffs.models import Schedule

MODELS = {engine.PUPILS: Headcount, engine.ACTIVE_PUPILS: Usage}
NOTED = {engine.PUPILS: "headcounts", engine.ACTIVE_PUPILS: "usages"}
COLUMNS = {engine.PUPILS: "eleves", engine.ACTIVE_PUPILS: "eleves_actifs"}
WORDS = {engine.PUPILS: "L'effectif", engine.ACTIVE_PUPILS: "L'usage"}


SHOWN = 100  # on a campaign's page


@dataclass(frozen=True)
class Drift:
    """A count on which an issued titre rests, and what it is now (None: no longer known)."""

    uai: str
    frozen: int
    current: int | None
    titre_reference: str
    metric: str = engine.PUPILS
    closed: bool = False  # the exercice of the titre: no réduction can be made there any more

    @property
    def grew(self) -> bool:
        """Tell whether more is to be billed, as a price by the pupil makes of it."""
        return self.current is not None and self.current > self.frozen

    @property
    def in_address(self) -> str:
        """Return what the address of a réduction says of it (see `correction_forms.to_take_off`)."""
        now = {} if self.current is None else {"apres": self.current}
        return urlencode({"ecole": self.uai, "avant": self.frozen, **now})

    @property
    def message(self) -> str:
        """Return what staff should know: the titre holds, another document will mend it."""
        if self.current is None:
            change = f"({integer(self.frozen)}) n'est plus connu"
        else:
            change = f"passe de {integer(self.frozen)} à {integer(self.current)}"
        start = f"{WORDS[self.metric]} {change} après le titre {self.titre_reference} : il reste dû tel "
        if self.closed:
            return (
                f"{start}quel, et son exercice est clos ; une campagne complémentaire appellera ce qui "
                "manque, un mandat demandé au comptable rendra ce qui est de trop."
            )
        return f"{start}quel ; une campagne complémentaire ou une réduction le corrigera."


def drifts(schedule: Schedule, year: int) -> list[Drift]:
    """Return, by UAI, the counts of a school year that changed since a titre of the schedule read them.

    Only those that its tariff reads: a price per school rests on no count. A titre annulled since no
    longer counts, nor does a school for which réductions made up for the change, to the cent, nor a
    titre of which the mandats asked for did (see `made_up`).
    """
    found = changed_counts(schedule, year)
    if not found:
        return []
    known = {(drift.uai, drift.metric): drift.current for drift in found}
    reduced = by_reductions(schedule, year, known, {(d.titre_reference, d.uai) for d in found})
    offset = by_mandats(schedule, year, known)
    found = [
        drift
        for drift in found
        if (drift.titre_reference, drift.uai) not in reduced and drift.titre_reference not in offset
    ]
    closed = closed_references(schedule, (drift.titre_reference for drift in found))
    told = (replace(drift, closed=drift.titre_reference in closed) for drift in found)
    return sorted(told, key=lambda drift: (drift.uai, drift.metric))


def changed_counts(schedule: Schedule, year: int) -> list[Drift]:
    """Return the same, made up for or not."""
    return [
        Drift(uai, number, current.get(uai), reference, metric)
        for metric, frozen in _frozen(schedule, year).items()
        for current in [_current(metric, year, frozen)]
        for uai, (number, reference) in frozen.items()
        if current.get(uai) != number
    ]


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
    return (
        School.objects.in_bulk({item.uai for item in told}, field_name="uai"),
        {titre.reference: titre for titre in _titres(schedule, references)},
    )


def closed_references(schedule: Schedule, references: Iterable[str]) -> set[str]:
    """Return those of which the exercice is closed or over: only a mandat takes anything off them."""
    titres = _titres(schedule, set(references))
    closed = all_closed(titres, timezone.localdate())
    return {titre.reference for titre in titres if titre.pk in closed}


@counts.remarks_on_changes
def tell_drifts(
    model: type[counts.Count], changed: Iterable[tuple[str, int]], issuers: frozenset[int] | None
) -> list[str]:
    """Say which counts changed by hand were billed already; `issuers` is None for all."""
    changed = set(changed)
    campaigns = Campaign.objects.filter(
        rank=1, apart=False, school_year__in={year for _, year in changed}
    )
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
    campaigns = Campaign.objects.filter(rank=1, apart=False, school_year__in=years).select_related(
        "schedule"
    )
    if job.issuers is not None:
        campaigns = campaigns.filter(schedule__issuer__in=job.issuers)
    for campaign in campaigns.order_by("pk"):
        for drift in drifts(campaign.schedule, campaign.school_year):
            line = changed[drift.metric].get((drift.uai, campaign.school_year))
            if line is not None:
                issuer = campaign.schedule.issuer_id
                job.report.flag(line, COLUMNS[drift.metric], drift.uai, drift.message, issuer=issuer)


def _titres(schedule: Schedule, references: Collection[str]) -> list[Titre]:
    titres = Titre.objects.filter(issuer=schedule.issuer_id, reference__in=references)
    return list(titres.select_related("issuer").defer("payload").order_by("pk"))


def _frozen(schedule: Schedule, year: int) -> dict[str, dict[str, tuple[int, str]]]:
    """Return, by metric, {UAI: (count, reference of the titre that rests on it)}."""
    frozen: dict[str, dict[str, tuple[int, str]]] = {metric: {} for metric in MODELS}
    for run_id, references in references_of(schedule, year).items():
        run = Run.objects.defer("basis").get(pk=run_id)
        if not _reads_counts(run):
            continue
        basis = run.basis
        members = [member for member in basis["members"] if member["siret"] in references]
        restored = from_json({**basis, "members": members})
        for member in restored.members:
            for metric in MODELS:
                read = engine.schools_read(restored.charges, member, metric)
                for uai, number in _numbers(member, metric):
                    if uai in read and number is not None:
                        frozen[metric][uai] = number, references[member.siret]
    return frozen


def _reads_counts(run: Run) -> bool:
    """Tell whether anything of a run rests on a count: then only is its whole basis read."""
    charges = frozen_charges(run.charges)
    return any(engine.reads(charge, metric) for charge in charges for metric in MODELS)


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

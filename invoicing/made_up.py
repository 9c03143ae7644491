"""Whether what corrected a titre, or the mandats asked for it, make up for what changed since.

The frozen basis of its call is assessed again with the counts of today. A réduction names schools: it
makes up for a change school by school. A request of a mandat names none, only an amount: it makes up for
all that changed of its debtor at once, counts and lists, when its titres then ask what they should.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from django.db.models import Q

from conventions.assessment import enrolled_in, opened_in
from conventions.basis import Basis, from_json
from invoicing.models import Campaign, Exclusion, MandatRequest, Run, Titre, TitreLine
from invoicing.models.titres import Titres
from tariffs import engine
from tariffs.models import Schedule

ZERO = Decimal("0.00")
Known = Mapping[tuple[str, str], int | None]  # (UAI, metric): the count of today


def references_of(schedule: Schedule, year: int) -> Mapping[int, dict[str, str]]:
    """Return {run: {SIRET: reference of its titre}} for the titres that nothing annulled."""
    titres = (
        _of_year(schedule, year)
        .in_force()
        .filter(call__isnull=False)
        .order_by("call__run", "pk")
        .values_list("call__run", "siret", "reference")
    )
    runs: dict[int, dict[str, str]] = defaultdict(dict)
    for run_id, siret, reference in titres:
        runs[run_id][siret] = reference
    return runs


def billed_today(schedule: Schedule, year: int) -> dict[tuple[str, str], set[str]]:
    """Return the UAIs that a calculation would bill today, by SIRET and agreement."""
    left_out = Exclusion.objects.filter(schedule=schedule, school_year=year)
    rows = enrolled_in(schedule, year).filter(opened_in(year))
    rows = rows.exclude(school__in=left_out.values("school")).order_by("pk")
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    named = ("convention__debtor__siret", "convention__reference", "school__uai")
    for siret, agreement, uai in rows.values_list(*named):
        found[siret, agreement].add(uai)
    return found


def by_reductions(
    schedule: Schedule, year: int, known: Known, named: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return which (reference, UAI) ask, once reduced, what the counts of today make, to the cent."""
    net = _reduced(schedule, year, named)
    made_up = set()
    for result, reference in _assessed(schedule, year, known, net):
        expected: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for line in result.lines:
            expected[line.uai] += line.amount
        made_up |= {
            (titre, uai)
            for (titre, uai), amount in net.items()
            if titre == reference and amount == expected[uai]
        }
    return made_up


def by_mandats(schedule: Schedule, year: int, known: Known) -> set[str]:
    """Return the references of the debtors of whom, less corrections and mandats, all is asked rightly.

    Their titres of the year together, a supplementary one being worth what the first lacked. `known` are
    all the counts that changed. A school taken off its agreement since makes nothing; one that was added
    is for a supplementary campaign, and counts for nothing here.
    """
    left = _left_by_mandats(schedule, year)
    if not left:
        return set()
    billed = billed_today(schedule, year)
    runs = references_of(schedule, year)
    named: dict[str, set[str]] = {siret: set() for siret in left}
    for references in runs.values():
        for siret in left.keys() & references.keys():
            named[siret].add(references[siret])
    schools = {uai for uai, _ in known} or {""}
    keys = {(reference, uai) for found in named.values() for reference in found for uai in schools}
    expected: dict[str, Decimal] = {}
    for result, _ in _assessed(schedule, year, known, keys):  # the last run has the last word
        siret = result.member.siret
        kept = (
            line.amount
            for line in result.lines
            if not line.uai or line.uai in billed.get((siret, line.agreement), ())
        )
        expected[siret] = sum(kept, ZERO)
    offset = (siret for siret, amount in left.items() if expected.get(siret) == amount)
    return {reference for siret in offset for reference in named[siret]}


def _assessed(
    schedule: Schedule, year: int, known: Known, named: Collection[tuple[str, str]]
) -> Iterator[tuple[engine.Result, str]]:
    """Assess again the runs of the titres named, with today's counts of the schools named.

    Give each result with the reference of the titre of its debtor.
    """
    titres, schools = ({key[rank] for key in named} for rank in (0, 1))
    if not titres:
        return
    for run_id, references in references_of(schedule, year).items():
        if titres.isdisjoint(references.values()):
            continue
        basis = from_json(Run.objects.values_list("basis", flat=True).get(pk=run_id))
        for result in _counted_again(basis, known, schools).assess():
            if references.get(result.member.siret) in titres:
                yield result, references[result.member.siret]


def _of_year(schedule: Schedule, year: int) -> Titres:
    """Return the titres and corrections of the yearly campaigns."""
    campaigns = Campaign.objects.of_year(schedule, year)
    return Titre.objects.filter(campaign__in=campaigns.order_by("pk").values("pk"))


def _left_by_mandats(schedule: Schedule, year: int) -> dict[str, Decimal]:
    """Return, by SIRET, what is left asked of the debtors of whom mandats give something back."""
    titres = _of_year(schedule, year)
    requests = MandatRequest.objects.filter(titre__in=titres.values("pk"))
    left: dict[str, Decimal] = {}
    for siret, amount in requests.order_by("pk").values_list("titre__siret", "amount"):
        left[siret] = left.get(siret, ZERO) - amount
    rows = titres.filter(Q(siret__in=left) | Q(original__siret__in=left))
    for siret, of, kind, total in rows.order_by("pk").values_list(
        "siret", "original__siret", "kind", "total"
    ):
        left[of or siret] += total if kind == Titre.Kind.TITRE else -total
    return left


def _reduced(
    schedule: Schedule, year: int, named: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Decimal]:
    """Return, by (reference, UAI), what a titre asks for a school that réductions name, once made."""
    reductions = _of_year(schedule, year).filter(kind=Titre.Kind.REDUCTION)
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


def _counted_again(basis: Basis, known: Known, schools: Collection[str]) -> Basis:
    """Return a basis with the counts of today of these schools."""
    members = tuple(_member(member, known, schools) for member in basis.members)
    return replace(basis, members=members)


def _member(member: engine.Member, known: Known, schools: Collection[str]) -> engine.Member:
    agreements = tuple(
        replace(agreement, schools=tuple(_school(s, known, schools) for s in agreement.schools))
        for agreement in member.agreements
    )
    return replace(member, agreements=agreements)


def _school(school: engine.School, known: Known, schools: Collection[str]) -> engine.School:
    if school.uai not in schools:
        return school
    return replace(
        school,
        pupils=known.get((school.uai, engine.PUPILS), school.pupils),
        active_pupils=known.get((school.uai, engine.ACTIVE_PUPILS), school.active_pupils),
    )

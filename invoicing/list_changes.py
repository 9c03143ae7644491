"""Which schools joined or left an agreement after a titre was issued on its list: derived facts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from conventions.assessment import enrolled_in, opened_in
from invoicing.drift import SHOWN, named
from invoicing.models import Exclusion, Run, Titre, TitreLine
from members.models import School
from tariffs.models import Schedule

ZERO = Decimal("0.00")


@dataclass(frozen=True)
class ListChange:
    """A school added to an agreement, or taken off it, after the titre that read its list."""

    uai: str
    agreement: str
    added: bool
    titre_reference: str


def list_changes(schedule: Schedule, year: int) -> list[ListChange]:
    """Return, by UAI, the schools billed for a school year that came or went since a titre was issued.

    The list compared is that of the debtor's last titre in force. A school taken off and of which
    réductions already gave everything back is no longer told.
    """
    references, frozen = _frozen(schedule, year)
    current = _current(schedule, year)
    given_back = _given_back(references.values())
    changes = []
    for siret, agreement in frozen.keys() | current.keys():
        if siret not in references:
            continue
        reference = references[siret]
        before, now = frozen.get((siret, agreement), set()), current.get((siret, agreement), set())
        changes += [ListChange(uai, agreement, True, reference) for uai in now - before]
        changes += [
            ListChange(uai, agreement, False, reference)
            for uai in before - now
            if (reference, uai) not in given_back
        ]
    return sorted(changes, key=lambda change: (change.uai, change.agreement, change.added))


@dataclass(frozen=True)
class ShownListChange:
    """A change with the school and the titre that a page links to."""

    change: ListChange
    school: School
    titre: Titre


def shown_list_changes(schedule: Schedule, year: int) -> tuple[list[ShownListChange], int]:
    """Return the first changes as a page shows them, and how many more there are."""
    found = list_changes(schedule, year)
    first = found[:SHOWN]
    schools, titres = named(schedule, first)
    shown = [ShownListChange(c, schools[c.uai], titres[c.titre_reference]) for c in first]
    return shown, len(found) - len(first)


def _frozen(schedule: Schedule, year: int) -> tuple[dict[str, str], dict[tuple[str, str], set[str]]]:
    """Return {SIRET: reference} of each debtor's last titre, {(SIRET, agreement): UAIs} it read."""
    annulled = Titre.objects.filter(kind=Titre.Kind.ANNULATION).values("original")
    titres = (
        Titre.objects.filter(campaign__schedule=schedule, campaign__school_year=year, call__isnull=False)
        .exclude(pk__in=annulled)
        .order_by("campaign__rank", "call__run", "pk")
        .values_list("siret", "call__run", "reference")
    )
    last = {siret: (run, reference) for siret, run, reference in titres}
    frozen: dict[tuple[str, str], set[str]] = {}
    for read in {run for run, _ in last.values()}:
        basis = Run.objects.values_list("basis", flat=True).get(pk=read)
        for member in basis["members"]:
            if last.get(member["siret"], (None, ""))[0] == read:
                for agreement in member["agreements"]:
                    billed = {s["uai"] for s in agreement["schools"] if not s["excluded"]}
                    frozen[member["siret"], agreement["reference"]] = billed
    return {siret: reference for siret, (_, reference) in last.items()}, frozen


def _current(schedule: Schedule, year: int) -> dict[tuple[str, str], set[str]]:
    """Return the UAIs that a calculation would bill today, by SIRET and agreement."""
    left_out = Exclusion.objects.filter(schedule=schedule, school_year=year)
    rows = enrolled_in(schedule, year).filter(opened_in(year))
    rows = rows.exclude(school__in=left_out.values("school")).order_by("pk")
    current: dict[tuple[str, str], set[str]] = defaultdict(set)
    named = ("convention__debtor__siret", "convention__reference", "school__uai")
    for siret, agreement, uai in rows.values_list(*named):
        current[siret, agreement].add(uai)
    return current


def _given_back(references: Iterable[str]) -> set[tuple[str, str]]:
    """Return the (reference, UAI) of which réductions took off all that the titre asked."""
    named = set(references)
    reductions = TitreLine.objects.filter(titre__kind=Titre.Kind.REDUCTION).exclude(uai="")
    net: dict[tuple[str, str], Decimal] = {}
    for reference, uai, amount in reductions.order_by("pk").values_list(
        "titre__original__reference", "uai", "amount"
    ):
        if reference in named:
            net[reference, uai] = net.get((reference, uai), ZERO) - amount
    asked = TitreLine.objects.filter(titre__reference__in={reference for reference, _ in net})
    for reference, uai, amount in asked.order_by("pk").values_list("titre__reference", "uai", "amount"):
        if (reference, uai) in net:
            net[reference, uai] += amount
    return {key for key, amount in net.items() if not amount}

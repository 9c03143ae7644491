"""Which schools joined or left an agreement after a titre was issued on its list: derived facts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlencode

from invoicing.drift import SHOWN, changed_counts, closed_references, named
from invoicing.made_up import billed_today, by_mandats
from invoicing.models import Campaign, Run, Titre, TitreLine
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
    closed: bool = False  # the exercice of the titre: only a mandat gives anything back

    @property
    def in_address(self) -> str:
        """Return what the address of a réduction says of it (see `correction_forms.to_take_off`)."""
        return urlencode({"ecole": self.uai})


def list_changes(schedule: Schedule, year: int) -> list[ListChange]:
    """Return, by UAI, the schools billed for a school year that came or went since a titre was issued.

    The list compared is that of the debtor's last titre in force. A school taken off and of which
    réductions already gave everything back is no longer told, nor those taken off a titre for which the
    mandats asked make up (see `made_up`).
    """
    references, frozen = _frozen(schedule, year)
    current = billed_today(schedule, year)
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
    if any(not change.added for change in changes):
        changes = _not_offset(schedule, year, changes)
    return sorted(changes, key=lambda change: (change.uai, change.agreement, change.added))


def _not_offset(schedule: Schedule, year: int, changes: list[ListChange]) -> list[ListChange]:
    """Leave out what mandats made up for, and say of which titres nothing else takes off anything."""
    known = {(drift.uai, drift.metric): drift.current for drift in changed_counts(schedule, year)}
    offset = by_mandats(schedule, year, known)
    left = [change for change in changes if change.added or change.titre_reference not in offset]
    closed = closed_references(schedule, (change.titre_reference for change in left))
    return [replace(change, closed=change.titre_reference in closed) for change in left]


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
    titres = (
        Titre.objects.in_force()
        .filter(campaign__in=Campaign.objects.of_year(schedule, year).values("pk"), call__isnull=False)
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

"""What a letter says: every fact copied, so that it can be drawn again byte for byte.

The head is what all the letters of a forecast have in common; each member has the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone

from conventions.assessment import enrolled_in
from conventions.forecasts.reading import Provision, Provisions
from conventions.what_if_hypotheses import charge_words
from entsvc import school_year
from entsvc.french import euros, long_date, plural, short_date
from entsvc.templatetags.differences import percent, signed
from members.models import Headcount, Issuer, Member, Signatory, Usage
from tariffs import engine
from tariffs.printed import printed_line, sums_by_charge

TITLE = "Montant prévisionnel"
# The dates of counts: (UAI, source) → the day on which the count that holds was recorded.
Days = Mapping[tuple[str, str], date]


@dataclass(frozen=True)
class Wording:
    """What staff give for the letters: budget, day, who signs, whom to ask, a sentence of their own."""

    exercice: int
    written_on: date
    signatory: Signatory
    contact: str
    sentence: str = ""


@dataclass(frozen=True)
class Recorded:
    """When the counts that hold were recorded: of pupils, and of active pupils."""

    pupils: Days
    active: Days


def head_of(found: Provisions, wording: Wording) -> dict[str, Any]:
    """Return what all the letters say alike, as JSON."""
    simulation, schedule = found.simulation, found.schedule
    return {
        "document": {
            "title": TITLE,
            "written_on": wording.written_on.isoformat(),
            "specimen": wording.signatory.is_fictitious,
            "exercice": wording.exercice,
            "year": school_year.label(found.year),
            "read": school_year.label(found.read_year),
        },
        "issuer": _issuer(schedule.issuer),
        "signatory": {
            name: getattr(wording.signatory, name)
            for name in ("first_name", "last_name", "quality", "delegation")
        },
        "subject": schedule.subject,
        "tariff": tariff_words(found),
        "act": str(found.adoption.act) if found.adoption else "",
        "voted": found.is_adopted,
        "today": f"le tarif de {simulation.reading.adoption.school_year_label}",
        "prices": [{"label": c.label, "words": charge_words(c)} for c in simulation.charges],
        "changes": [
            {"label": step.label, "before": step.before, "after": step.after}
            for step in simulation.steps
            if step.changed
        ],
        "counts": simulation.counts,
        "approximate": simulation.changes.approximate,
        "decisions": decisions_words(found),
        "contact": wording.contact,
        "sentence": wording.sentence,
    }


def member_payload(
    row: Provision,
    *,
    found: Provisions,
    debtor: Member,
    recorded: Recorded,
    replaced: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return what the letter of one member says besides, as JSON.

    `replaced` is the day and total of the letter that this one replaces, None for a first one.
    """
    member = row.result.member
    units = {c.code: (c.unit_label, c.unit_plural) for c in found.simulation.charges}
    return {
        "debtor": {
            "name": str(debtor),
            "siret": debtor.siret,
            "address": _address(debtor),
            "party": ", ".join(sorted({a.party for a in member.agreements} - {""})),
        },
        "charges": sums_by_charge(row.result.lines, units),
        # The workbook adds quantities up, which a letter prints.
        "lines": [{**printed_line(line), "count": line.quantity} for line in row.result.lines],
        "total": str(row.result.total),
        "compared": _compared(row),
        "decided": _is_decided(row, found),
        "sources": _sources(member, found, recorded),
        "renewals": [
            title
            for reference, title in found.renewed.items()
            if reference in {a.reference for a in member.agreements}
        ],
        "replaces": dict(replaced) if replaced else None,
    }


def recorded_for(found: Provisions) -> Recorded:
    """Return when the counts of the year that is read were recorded, in two queries."""
    schools = enrolled_in(found.schedule, found.read_year).order_by().values("school_id")
    metrics = {charge.metric for charge in found.simulation.charges}
    active = engine.ACTIVE_PUPILS in metrics
    return Recorded(
        _days(Headcount, found.read_year, schools),
        _days(Usage, found.read_year, schools) if active else {},
    )


def tariff_words(found: Provisions) -> str:
    """Return on which tariff the amounts rest, as the letter says it."""
    year = school_year.label(found.year)
    if found.is_adopted:
        return f"le tarif adopté pour {year}"
    if found.adoption is not None:
        return f"le tarif de {found.adoption.school_year_label}, celui de {year} n'étant pas encore voté"
    return f"un projet de tarif pour {year}, qui n'est pas encore voté"


def decisions_words(found: Provisions) -> str:
    """Return what was made of the decisions of the year that is read."""
    read = school_year.label(found.read_year)
    if found.year == found.read_year:
        return f"Les décisions de {read} (déductions, ajustements, enveloppes) sont comptées."
    words = f"Les déductions et ajustements décidés pour {read} seulement ne sont pas reconduits"
    pools = [c for c in found.simulation.charges if c.model == engine.ALLOCATION]
    if pools:
        return f"{words} ; les enveloppes à répartir sont celles de {read}, sauf hypothèse contraire."
    return f"{words}."


def _compared(row: Provision) -> dict[str, str] | None:
    """Return what the tariff of today gives on the same facts, when it is another amount."""
    if not row.difference:
        return None
    change = signed(row.difference)
    if row.rate is not None:
        change += f" ({percent(row.rate)})"
    return {"today": str(row.today), "difference": str(row.difference), "change": change}


def _is_decided(row: Provision, found: Provisions) -> bool:
    """Tell whether what was made of the decisions of the year read matters to a member."""
    decisions = found.simulation.reading.decisions
    shared = {c.code for c in found.simulation.charges if c.model == engine.ALLOCATION}
    return (
        row.result.member.siret in {*decisions.deductions, *decisions.adjustments}
        or bool(shared & {line.charge for line in row.result.lines})
    )  # fmt: skip


def _sources(member: engine.Member, found: Provisions, recorded: Recorded) -> list[str]:
    """Name the agreements and the counts that an amount rests on, with where and when they come from."""
    year = school_year.label(found.read_year)
    schools = {s.uai: s for a in member.agreements for s in a.billed}.values()
    references = ", ".join(a.reference for a in member.agreements)
    words = [f"{plural(len(schools), 'école inscrite', 'écoles inscrites')} en {year} : {references}"]
    charges = found.simulation.charges
    if any(engine.reads(charge, engine.PUPILS) for charge in charges):
        read = [(s.uai, s.pupils_source, s.pupils_billable) for s in schools if s.pupils is not None]
        words += _counted("Effectifs", read, recorded.pupils, found)
    if any(engine.reads(charge, engine.ACTIVE_PUPILS) for charge in charges):
        read = [
            (s.uai, s.active_source, s.active_billable) for s in schools if s.active_pupils is not None
        ]
        words += _counted("Élèves actifs", read, recorded.active, found)
    return words


def _counted(
    what: str, read: Iterable[tuple[str, str, bool]], days: Days, found: Provisions
) -> list[str]:
    """Return the counts by source: what it is called, and from which day to which they were recorded."""
    labels = found.simulation.reading.basis.facts["sources"]
    by_source: dict[tuple[str, bool], list[date | None]] = {}
    for uai, source, billable in read:
        by_source.setdefault((source, billable), []).append(days.get((uai, source)))
    words = []
    for (source, billable), told in sorted(by_source.items(), key=lambda item: item[0]):
        known = sorted(day for day in told if day)
        when = ""
        if known:
            first, last = short_date(known[0]), short_date(known[-1])
            when = f", connus au {last}" if first == last else f", connus du {first} au {last}"
        name = what if billable else f"{what} approchés"
        year = school_year.label(found.read_year)
        words.append(f"{name} {year} : {labels.get(source, source)}{when}")
    return words


def _days(model: Any, year: int, schools: Any) -> Days:
    rows = model.current.filter(school_year=year, school__in=schools).order_by("pk")
    rows = rows.values_list("school__uai", "source_id", "recorded_at")
    return {(uai, source): timezone.localdate(at) for uai, source, at in rows}


def replaced_words(written_on: date, total: Any) -> dict[str, str]:
    """Return what a letter says of the one that it replaces, as JSON."""
    return {"words": f"celle du {long_date(written_on)}, de {euros(total)}"}


def _issuer(issuer: Issuer) -> dict[str, Any]:
    return {
        "name": issuer.name,
        "ministry": issuer.ministry,
        "siret": issuer.siret,
        "address": [*issuer.address.splitlines(), f"{issuer.postal_code} {issuer.city}"],
        "service": issuer.service,
        "contact": {"name": issuer.contact, "phone": issuer.phone, "email": issuer.email},
    }


def _address(member: Member) -> list[str]:
    place = f"{member.postal_code} {member.city}".strip()
    return [line for line in (*member.address.splitlines(), place) if line]

"""The parts of a paper that our own templates draw: parties, tables and signatures."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from conventions.models.papers import SIGNED_KINDS, PaperKind
from conventions.papers import costs, lists, values
from conventions.papers.placeholders import PLACEHOLDERS
from conventions.papers.sources import Source
from entsvc.french import amount_in_words, integer, lower_first, plural
from members.counts import retained
from members.models import Headcount, Member, School
from tariffs import engine

BLANK_ROWS, CHANGED_ROWS, LONG_ROWS = 15, 4, 24
TO_FILL = "." * 40
WITH_IEN = "Liste établie avec l'inspecteur ou l'inspectrice de l'Éducation nationale (IEN)"


def draw(names: Iterable[str], source: Source) -> dict[str, SafeString]:
    """Return the HTML of the blocks that a text names, by name."""
    return {name: BLOCKS[name](source) for name in set(names) if PLACEHOLDERS[name].block}


def _parties(source: Source) -> SafeString:
    issuer, signatory = source.issuer, source.signatory
    parties = [
        {
            "name": issuer.name,
            "siret": issuer.siret,
            "address": values.address_of(issuer),
            "represented_by": values.signatory_name(signatory) or TO_FILL,
            "quality": signatory.quality if signatory else TO_FILL,
            "acting": signatory.delegation if signatory else "",
            "called": "",
        },
        _member_party(source),
    ]
    convention = source.convention
    if convention and convention.debtor_id != convention.party_id:
        parties.append(_payer(convention.debtor))
    return _rendered("parties", parties=parties)


def _member_party(source: Source) -> dict[str, str]:
    if source.convention is None:
        return {
            "name": TO_FILL,
            "siret": TO_FILL,
            "address": TO_FILL,
            "represented_by": TO_FILL,
            "quality": TO_FILL,
            "acting": "",
            "called": "",
        }
    party, act = source.convention.party, source.convention.act
    acting = f"Autorisé(e) par la {values.name_of(act)}" if act else ""
    if party.kind == Member.Kind.RPI:
        acting = " ; ".join(part for part in (_rpi_in_words(source), acting) if part)
    return {
        "name": party.name,
        "siret": party.siret or ("" if party.kind == Member.Kind.RPI else TO_FILL),
        "address": values.address_of(party) or TO_FILL,
        "represented_by": TO_FILL,
        "quality": values.quality_of(party) or TO_FILL,
        "acting": acting,
        "called": "",
    }


def _rpi_in_words(source: Source) -> str:
    party = source.convention.party
    words = [f"Forme juridique : {party.legal_form}"] if party.legal_form else []
    if source.communes:
        words.append(f"communes : {values.and_list(str(commune) for commune in source.communes)}")
    if party.representative:
        words.append(f"représenté par : {party.representative}")
    return " ; ".join(words)


def _payer(debtor: Member) -> dict[str, str]:
    return {
        "name": debtor.name,
        "siret": debtor.siret or "",
        "address": values.address_of(debtor),
        "represented_by": "",
        "quality": "",
        "acting": "qui paie la participation",
        "called": "",
    }


def _schools(source: Source) -> SafeString:
    """Draw the list of the year; that of an agreement is another paper when it is too long for it."""
    if source.blank:
        return _blank_schools(source)
    long = lists.is_too_long(source.policy, len(source.schools))
    if long and source.kind == PaperKind.AGREEMENT:
        return format_html(
            '<p class="note">{}</p>',
            f"{plural(len(source.schools), 'école')}, soit plus de {source.policy.annex_rows} : leur "
            "liste, établie avec l'inspecteur ou l'inspectrice de l'Éducation nationale (IEN), fait "
            "l'objet d'un document distinct, joint à celui-ci.",
        )
    with_ien = long and source.kind in SIGNED_KINDS
    return _school_table(source.schools, caption=WITH_IEN if with_ien else "")


def _blank_schools(source: Source) -> SafeString:
    """Draw empty rows; where an agreement has its list, a list apart is that of many schools."""
    limit = source.policy.annex_rows if source.policy else None
    if limit and source.kind == PaperKind.ANNEX:
        return _school_table((), caption=f"{WITH_IEN}, au-delà de {limit} écoles", blank_rows=LONG_ROWS)
    note = f"Au-delà de {limit} écoles, la liste est établie à part, avec l'IEN." if limit else ""
    return _school_table((), blank_rows=limit or BLANK_ROWS, note=note)


def _added(source: Source) -> SafeString:
    return _changed(source, source.added, "Écoles ajoutées")


def _removed(source: Source) -> SafeString:
    return _changed(source, source.removed, "Écoles retirées")


def _changed(source: Source, schools: tuple[School, ...], caption: str) -> SafeString:
    """Draw the schools that an amendment adds or removes; nothing when there is none."""
    if not schools and not source.blank:
        return SafeString()
    blank_rows = CHANGED_ROWS if source.blank else 0
    return _school_table(schools, caption=caption, blank_rows=blank_rows, legend=False)


def _school_table(
    schools: Iterable[School],
    *,
    caption: str = "",
    blank_rows: int = 0,
    note: str = "",
    legend: bool = True,
) -> SafeString:
    rows = [
        {"uai": row.uai, "level": row.level, "name": row.name, "commune": row.commune_name}
        for row in schools
    ]
    blank = list(range(1, blank_rows + 1))
    return _rendered(
        "ecoles",
        caption=caption,
        schools=rows,
        blank_rows=blank,
        note=note,
        with_level=blank_rows > 0 or any(row["level"] for row in rows),
        with_commune=blank_rows > 0 or any(row["commune"] for row in rows),
        legend=legend and bool(rows or blank),
    )


def _beneficiaries(source: Source) -> SafeString:
    """Draw the schools of a project with their classes, which nobody keeps, and their pupils."""
    keys = [school.pk for school in source.schools]
    counts = retained(Headcount, source.year, keys) if keys and source.year is not None else {}
    pupils = {uai: known.number for uai, known in counts.items() if known.billable}
    rows = [
        {
            "uai": school.uai,
            "name": school.name,
            "commune": school.commune_name,
            "pupils": pupils.get(school.uai),
        }
        for school in source.schools
    ]
    blank_rows = list(range(1, BLANK_ROWS + 1)) if source.blank else []
    return _rendered("beneficiaires", schools=rows, blank_rows=blank_rows)


def _tariff(source: Source) -> SafeString:
    adoption = source.cost.adoption
    parts = []
    if adoption:
        parts = [f"Tarif adopté par : {values.name_of(adoption.act)}", adoption.schedule.vat]
    return _rendered(
        "tarif",
        charges=[_charge(charge) for charge in source.cost.charges],
        source=". ".join(part for part in parts if part) + "." if parts else "",
    )


def _charge(charge: engine.Charge) -> dict[str, Any]:
    per, amount, words = f"par {charge.unit_label}", charge.unit_price, ""
    if charge.model == engine.ALLOCATION:
        per, amount = f"une fois pour tous, à répartir ({charge.unit_plural})", charge.pool
        if amount is None:
            per, words = f"à répartir entre les membres ({charge.unit_plural})", "dépense de l'année"
    if charge.subscription:
        per += " (option)"
    bands = [
        {"range": f"de {integer(band.lower)} à {integer(band.upper)} élèves", "price": band.price}
        for band in charge.bands
    ]
    return {"label": charge.label, "per": per, "price": amount, "words": words, "bands": bands}


def _cost(source: Source) -> SafeString:
    cost = source.cost
    words = ""
    if cost.total is not None and cost.total >= 0:
        words = amount_in_words(cost.total)
    lines = cost.lines or [_line_to_fill(charge) for charge in cost.charges]
    return _rendered(
        "calcul",
        lines=lines or [costs.CostLine(TO_FILL, TO_FILL, None)],
        total=cost.total,
        total_words=words,
        remark=cost.remark,
    )


def _line_to_fill(charge: engine.Charge) -> costs.CostLine:
    line = costs.open_line(charge)
    return replace(line, label=f"{line.label} (option)") if costs.is_option(charge) else line


def _communes(source: Source) -> SafeString:
    rows = [
        {"name": str(row.commune), "change": lower_first(row.get_change_display())}
        for row in source.moves
    ]
    amendment = source.amendment
    return _rendered(
        "communes",
        rows=rows,
        new_party=str(amendment.new_party) if amendment and amendment.new_party else "",
        new_debtor=str(amendment.new_debtor) if amendment and amendment.new_debtor else "",
    )


def _votes(source: Source) -> SafeString:
    known = values.values_of(source)
    wanted = {
        "deliberation_en_exercice": "En exercice",
        "deliberation_presents": "Présents",
        "deliberation_votants": "Votants",
        "deliberation_pour": "Pour",
        "deliberation_contre": "Contre",
        "deliberation_abstentions": "Abstentions",
    }
    votes = [{"label": label, "value": known.get(name, "")} for name, label in wanted.items()]
    return _rendered("votes", votes=votes)


def _signatures(source: Source) -> SafeString:
    return _rendered("signatures", signatures=[_member_signature(source), _issuer_signature(source)])


def _signature_of_issuer(source: Source) -> SafeString:
    return _rendered("signatures", signatures=[_issuer_signature(source)])


def _signature_of_member(source: Source) -> SafeString:
    return _rendered("signatures", signatures=[_member_signature(source)])


def _issuer_signature(source: Source) -> dict[str, Any]:
    signatory = source.signatory
    return {
        "party": source.issuer.name,
        "name": values.signatory_name(signatory),
        "quality": signatory.quality if signatory else "",
        "delegation": signatory.delegation if signatory else "",
        "place": values.town_of(source.issuer),
        "specimen": source.specimen,
    }


def _member_signature(source: Source) -> dict[str, Any]:
    party = source.convention.party if source.convention else None
    return {
        "party": str(party) if party else TO_FILL,
        "name": "",
        "quality": values.quality_of(party) if party else "",
        "delegation": "",
        "place": values.town_of(party) if party else "",
        "specimen": False,
    }


def _rendered(name: str, **context: Any) -> SafeString:
    return render_to_string(f"pdf/papier/{name}.html", context)


BLOCKS: dict[str, Callable[[Source], SafeString]] = {
    "parties": _parties,
    "tableau_ecoles": _schools,
    "tableau_beneficiaires": _beneficiaries,
    "tableau_ecoles_ajoutees": _added,
    "tableau_ecoles_retirees": _removed,
    "tableau_tarif": _tariff,
    "tableau_calcul": _cost,
    "tableau_communes": _communes,
    "tableau_votes": _votes,
    "signatures": _signatures,
    "signature_emetteur": _signature_of_issuer,
    "signature_membre": _signature_of_member,
}

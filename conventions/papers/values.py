"""What stands for each placeholder of a paper, in plain French words."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from conventions.amendments import Window
from conventions.models import AmendedCommune, Conditions, Convention
from conventions.papers.placeholders import PLACEHOLDERS
from conventions.papers.sources import PaperRefused, Source
from conventions.policies import Policy
from entsvc import school_year
from entsvc.french import (
    MONTHS,
    amount_in_words,
    euros,
    integer,
    long_date,
    lower_first,
    plural,
    price,
    siret_grouped,
)
from members.models import Act, Issuer, Member, School, Signatory
from members.naming import after_de, with_article
from tariffs import engine

Values = dict[str, str]

NONE = "aucune"
SMALL = ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix")
KINDS = {
    Member.Kind.COMMUNE: ("commune", "maire", "conseil municipal"),
    Member.Kind.EPCI: (
        "établissement public de coopération intercommunale",
        "président ou présidente",
        "conseil communautaire",
    ),
    Member.Kind.DEPARTEMENT: (
        "département",
        "président ou présidente du conseil départemental",
        "conseil départemental",
    ),
    Member.Kind.SYNDICAT: ("syndicat", "président ou présidente", "comité syndical"),
    Member.Kind.RPI: ("regroupement pédagogique intercommunal", "", ""),
}
TITLES = {
    Issuer.Regime.STATE: "titre de perception",
    Issuer.Regime.LOCAL: "titre de recettes valant avis des sommes à payer",
}


def values_of(source: Source) -> Values:
    """Return what is known of each placeholder; blocks are not among them."""
    found: Values = {"date_jour": long_date(source.on)}
    for part in (_issuer, _policy, _party, _agreement, _votes, _schools_and_prices, _amendment):
        found |= part(source)
    return {name: value for name, value in found.items() if value}


def require_essentials(values: Values, source: Source) -> None:
    """Raise PaperRefused, in French, when a paper that goes out lacks what makes it one."""
    missing = [one for one in PLACEHOLDERS.values() if one.essential and not values.get(one.name)]
    if missing:
        what = ", ".join(one.meaning for one in missing)
        raise PaperRefused(
            f"Il manque : {what}. Complétez la fiche de la convention "
            f"{source.convention.reference} ou celle du membre, puis recommencez."
        )


def address_of(who: Issuer | Member) -> str:
    """Return an address on one line."""
    street = ", ".join(line.strip() for line in who.address.splitlines() if line.strip())
    return ", ".join(part for part in (street, f"{who.postal_code} {who.city}".strip()) if part)


def town_of(who: Issuer | Member) -> str:
    """Return a town as one signs from it: « Montpellier », without its cedex."""
    return re.sub(r"\s+cedex\b.*", "", who.city, flags=re.IGNORECASE)


def name_of(act: Act | None) -> str:
    """Return « délibération n° 12 du 24 juin 2014 »."""
    if act is None:
        return ""
    words = [lower_first(act.get_kind_display())]
    words += [f"n° {act.number}"] if act.number else []
    words += [f"du {long_date(act.date)}"] if act.date else []
    return " ".join(words)


def quality_of(member: Member) -> str:
    """Return the quality of who signs for a member; a RPI is signed for by its representative."""
    signing = member.representative if member.kind == Member.Kind.RPI else member
    return KINDS.get(signing.kind, ("", "", ""))[1] if signing else ""


def and_list(words: Iterable[str]) -> str:
    """Return « a, b et c », « aucune » for none."""
    *first, last = [*words] or [NONE]
    return f"{', '.join(first)} et {last}" if first else last


def signatory_name(signatory: Signatory | None) -> str:
    """Return the first name and name of who signs."""
    return f"{signatory.first_name} {signatory.last_name}".strip() if signatory else ""


def _issuer(source: Source) -> Values:
    issuer, signatory = source.issuer, source.signatory
    return {
        **_named("emetteur", issuer.name),
        "emetteur_siret": siret_grouped(issuer.siret),
        "emetteur_adresse": address_of(issuer),
        "emetteur_ville": town_of(issuer),
        "emetteur_contact": issuer.contact,
        "emetteur_telephone": issuer.phone,
        "emetteur_courriel": issuer.email,
        "signataire": signatory_name(signatory),
        "signataire_qualite": signatory.quality if signatory else "",
        "signataire_delegation": signatory.delegation if signatory else "",
        "tribunal": issuer.tribunal,
        "titre": TITLES[issuer.regime],
    }


def _policy(source: Source) -> Values:
    policy = source.policy
    year = school_year.label(source.year) if source.year is not None else ""
    if policy is None:
        return {"annee_scolaire": year}
    return {
        "annee_scolaire": year,
        "convention_type": policy.name,
        "duree": _duration(policy),
        "date_fin": long_date(policy.last_day) if policy.last_day else "",
        "preavis": _count(policy.notice_months, "mois") if policy.notice_months else "",
        "delai_avenant": _window(policy.window) if policy.window else "",
        **_conditions("conditions_en_vigueur", source.latest_conditions),
    }


def _party(source: Source) -> Values:
    if source.convention is None:
        return {}
    party, debtor = source.convention.party, source.convention.debtor
    kind, _, assembly = KINDS.get(party.kind, ("", "", ""))
    if party.kind == Member.Kind.RPI and party.representative:
        assembly = KINDS.get(party.representative.kind, ("", "", ""))[2]
    return {
        **_named("membre", party.name),
        "membre_type": kind,
        "membre_siret": siret_grouped(party.siret or ""),
        "membre_adresse": address_of(party),
        "membre_ville": town_of(party),
        "membre_courriel": party.email,
        "membre_qualite": quality_of(party),
        "membre_assemblee": assembly,
        "representant": party.representative.name if party.representative else "",
        "forme_juridique": party.legal_form,
        "communes_rpi": and_list(commune.name for commune in source.communes) if source.communes else "",
        **_named("payeur", debtor.name),
        "payeur_siret": siret_grouped(debtor.siret or ""),
        "payeur_adresse": address_of(debtor),
    }


def _agreement(source: Source) -> Values:
    convention = source.convention
    if convention is None:
        return {}
    start, end = convention.start, convention.end
    found = {
        "reference": convention.reference,
        "annees": _years(convention),
        "date_effet": _day(start.day) if start else "",
        "date_effet_motif": start.reason if start and start.day else "",
        "date_effet_demandee": _day(convention.fixed_start),
        "date_fin_motif": end.reason if end else "",
        "date_signature": _day(convention.signed_on),
        "date_transmission": _day(convention.transmitted_on),
        **_conditions("conditions", convention.conditions),
    }
    last = convention.last_day
    return found | ({"date_fin": long_date(last)} if last else {})


def _votes(source: Source) -> Values:
    if source.convention is None:
        return {}
    act, committee = source.convention.act, source.convention.committee_act
    found = {"deliberation": name_of(act), "deliberation_comite": name_of(committee)}
    if act is None:
        return found
    voters = None if act.present is None else act.present + (act.proxies or 0)
    return found | {
        "deliberation_numero": act.number,
        "deliberation_date": _day(act.date),
        "deliberation_convocation": _day(act.convened_on),
        "deliberation_en_exercice": _number(act.in_office),
        "deliberation_presents": _number(act.present),
        "deliberation_votants": _number(voters),
        "deliberation_pour": _number(act.votes_for),
        "deliberation_contre": _number(act.votes_against),
        "deliberation_abstentions": _number(act.abstentions),
        "deliberation_transmission": _day(act.transmitted_on),
        "deliberation_actes": act.actes_id,
    }


def _schools_and_prices(source: Source) -> Values:
    cost = source.cost
    found = {
        "tarif_acte": name_of(cost.adoption.act) if cost.adoption else "",
        "tarif_tva": cost.adoption.schedule.vat if cost.adoption else "",
        **_unit_price(cost.charges),
    }
    if source.convention is not None:
        found["ecoles_nombre"] = plural(len(source.schools), "école")
        found["ecoles_liste"] = _school_list(source.schools)
    if cost.total is not None:
        terms = [(line.formula, line.amount) for line in cost.lines]
        found |= {
            "total": euros(cost.total),
            "total_en_lettres": amount_in_words(cost.total) if cost.total >= 0 else "",
            "calcul": _sum(terms, cost.total),
        }
    return found


def _amendment(source: Source) -> Values:
    amendment = source.amendment
    if amendment is None:
        return {}
    window = source.policy.window if source.policy else None
    return {
        "avenant_numero": str(amendment.number),
        "avenant_annee": school_year.label(amendment.school_year),
        "avenant_motif": amendment.reason,
        "avenant_delai": long_date(window.closes(amendment.school_year)) if window else "",
        "avenant_date": _day(amendment.dated),
        "avenant_decision": amendment.ruling,
        "avenant_deliberation": name_of(amendment.act),
        "ecoles_ajoutees": _school_list(source.added),
        "ecoles_ajoutees_nombre": _changed(source.added),
        "ecoles_retirees": _school_list(source.removed),
        "ecoles_retirees_nombre": _changed(source.removed),
        "communes_ajoutees": _communes(source, AmendedCommune.Change.JOINS),
        "communes_retirees": _communes(source, AmendedCommune.Change.LEAVES),
        "nouveau_signataire": amendment.new_party.name if amendment.new_party else "",
        "nouveau_payeur": amendment.new_debtor.name if amendment.new_debtor else "",
    }


def _named(who: str, name: str) -> Values:
    """Give a name as it stands alone, and as a sentence takes it."""
    return {who: name, f"{who}_le": with_article(name), f"{who}_de": after_de(name)}


def _changed(schools: tuple[School, ...]) -> str:
    return plural(len(schools), "école") if schools else f"{NONE} école"


def _unit_price(charges: tuple[engine.Charge, ...]) -> Values:
    """Give the price of a tariff that has one and only one: options are not part of it."""
    base = [charge for charge in charges if not charge.subscription]
    if len(base) != 1 or base[0].unit_price is None:
        return {}
    amount = base[0].unit_price
    try:
        words = amount_in_words(amount)
    except ValueError:  # a price of more than two decimals has no words
        words = ""
    return {"prix_unitaire": price(amount), "prix_unitaire_en_lettres": words}


def _sum(terms: list[tuple[str, Decimal]], total: Decimal) -> str:
    if len(terms) == 1:
        return f"{terms[0][0]} = {euros(total)}"
    parts = " + ".join(f"{formula} = {euros(amount)}" for formula, amount in terms)
    return f"{parts}, soit {euros(total)}"


def _school_list(schools: tuple[School, ...]) -> str:
    return and_list(
        f"{school.name} ({school.uai}, {school.commune_name})"
        if school.name and school.commune_name
        else f"{school.name} ({school.uai})".strip()
        for school in schools
    )


def _communes(source: Source, change: str) -> str:
    return and_list(str(row.commune) for row in source.moves if row.change == change)


def _conditions(name: str, conditions: Conditions | None) -> Values:
    if conditions is None:
        return {}
    return {name: conditions.label, f"{name}_acte": name_of(conditions.act)}


def _years(convention: Convention) -> str:
    first = school_year.label(convention.first_year)
    if convention.last_year is None:
        return f"à partir de {first}"
    last = school_year.label(convention.last_year)
    return first if first == last else f"{first} à {last}"


def _duration(policy: Policy) -> str:
    if policy.years:
        return _count(policy.years, "an", "ans")
    return f"jusqu'au {long_date(policy.last_day)}" if policy.last_day else "sans terme"


def _count(number: int, singular: str, many: str = "") -> str:
    words = SMALL[number] if number < len(SMALL) else integer(number)
    return f"{words} {singular if number < 2 else many or singular}"


def _window(window: Window) -> str:
    return f"du {_day_of_year(*window.first)} au {_day_of_year(*window.last)}"


def _day_of_year(month: int, day: int) -> str:
    return f"{'1er' if day == 1 else day} {MONTHS[month - 1]}"


def _day(day: date | None) -> str:
    return long_date(day) if day else ""


def _number(number: int | None) -> str:
    return "" if number is None else integer(number)

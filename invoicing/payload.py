"""What a titre's document says: a copy of every fact, frozen when the titre is issued."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Q

from conventions.assessment import DELIVERED
from entsvc import texts as dated_texts
from entsvc.french import amount_in_words, euros, integer, short_date
from invoicing.apart import ENGAGEMENT
from invoicing.claims import in_force
from invoicing.mentions import TEXT_CODES, missing_for_issuer
from invoicing.models import Call, CallLine, LineFacts, Titre
from invoicing.numbering import IssueRefused, payment_reference
from members.models import Accountant, Issuer, Signatory
from tariffs.models import Schedule
from tariffs.printed import sums_by_charge

TITLES = {
    Issuer.Regime.STATE: "Titre de perception",
    Issuer.Regime.LOCAL: "Titre de recettes – avis des sommes à payer",
}

PROVISIONAL_TITLE = "Projet / état liquidatif"


@dataclass(frozen=True)
class Letterhead:
    """All that the titres of one issue have in common, complete and checked.

    `correction_remedies` is how what corrects a titre is contested: as the titre is, unless a text of
    its own says otherwise.
    """

    regime: str
    specimen: bool
    facts: dict[str, Any]
    texts: dict[str, str]
    correction_remedies: str


def letterhead(
    *, schedule: Schedule, signatory: Signatory, on: date, foundations: list[str]
) -> Letterhead:
    """Gather the issuer, accountant, signatory, imputation and legal texts in force on a day.

    Raises IssueRefused naming every field still to fill.
    """
    issuer = schedule.issuer
    accountant = _accountant(issuer, on)
    _check_signatory(signatory, issuer, on)
    texts = dated_texts.in_force([issuer.regime, issuer.code], on)
    facts = {
        "issuer": _issuer(issuer),
        "accountant": _accountant_facts(accountant),
        "signatory": {
            name: getattr(signatory, name)
            for name in ("first_name", "last_name", "quality", "delegation")
        },
        "foundations": foundations,
        "vat": schedule.vat,
        "imputation": _imputation(schedule, issuer.regime),
    }
    specimen = signatory.is_fictitious or accountant.is_fictitious
    absent = missing_for_issuer(
        _flat(facts, schedule, accountant), issuer.regime, texts, specimen=specimen
    )
    if absent:
        raise IssueRefused(f"Mentions obligatoires à compléter : {' ; '.join(absent)}.")
    values = {"tribunal": issuer.tribunal, "emetteur": issuer.name, "comptable": accountant.name}
    return Letterhead(
        regime=issuer.regime,
        specimen=specimen,
        facts=facts,
        texts={
            code: dated_texts.fill(texts[code], values) if code in texts else "" for code in TEXT_CODES
        },
        correction_remedies=dated_texts.fill(
            texts.get("recours-correction") or texts["recours"], values
        ),
    )


def draft(
    *, head: Letterhead, call: Call, basis: dict, member: dict, lines: list[CallLine]
) -> dict[str, Any]:
    """Return the payload of a call's titre, but for its numbers (see `numbered`).

    `basis` is the frozen basis of the run, `member` the debtor's part of it.
    """
    agreements = member["agreements"]
    known = claim(head=head, call=call, basis=basis, lines=lines)
    party = ", ".join(sorted({a["party"] for a in agreements} - {""}))
    return {
        **known,
        "debtor": {**known["debtor"], "party": party},
        "foundations": [
            *(_sentence(a["title"]) for a in agreements),
            *head.facts["foundations"],
            *_references(basis, member, lines),
        ],
        "annexes": _annexes(basis, lines),
        "sources": _sources(agreements, basis, call.debtor.siret),
        "total_words": amount_in_words(call.total),
        "texts": {TEXT_CODES[code]: body for code, body in head.texts.items() if code != "delai"},
    }


def claim(*, head: Letterhead, call: Call, basis: dict, lines: Iterable[LineFacts]) -> dict[str, Any]:
    """Return who claims what from whom: the part of a draft that channels look at."""
    debtor = call.debtor
    return {
        **head.facts,
        "debtor": {
            "name": debtor.name,
            "siret": debtor.siret,
            "address": [
                *debtor.address.splitlines(),
                f"{debtor.postal_code} {debtor.city}",
            ],
            "service_code": debtor.service_code,
            "engagement_number": basis["facts"].get(ENGAGEMENT) or debtor.engagement_number,
        },
        "subject": basis["facts"]["subject"],
        "charges": _charges(basis, lines),
        "total": str(call.total),
    }


def numbered(
    payload: dict[str, Any],
    *,
    head: Letterhead,
    number: int,
    bordereau: int,
    reference: str,
    exercice: int,
    on: date,
    external: bool = False,
) -> dict[str, Any]:
    """Return the payload with the identity that issuing gives to the document.

    `external`: the accountant's chain gives the number, ours is a provisional reference.
    """
    identity = {
        "kind": Titre.Kind.TITRE.value,
        "regime": head.regime,
        "title": PROVISIONAL_TITLE if external else TITLES[head.regime],
        "external": external,
        "number": number,
        "reference": reference,
        "issued_on": on.isoformat(),
        "exercice": exercice,
        "bordereau": bordereau,
        "payment_reference": payment_reference(reference),
        "due_text": head.texts["delai"],
        "specimen": head.specimen,
    }
    return {**payload, "document": identity}


def _accountant(issuer: Issuer, on: date) -> Accountant:
    accountant = (
        Accountant.objects.filter(issuer=issuer, valid_from__lte=on)
        .filter(Q(valid_to__isnull=True) | Q(valid_to__gte=on))
        .order_by("-valid_from", "-pk")
        .first()
    )
    if accountant is None:
        raise IssueRefused(
            f"Aucun comptable assignataire de {issuer.code} n'est en fonction à cette date : "
            "enregistrez-le."
        )
    return accountant


def _check_signatory(signatory: Signatory, issuer: Issuer, on: date) -> None:
    if signatory.issuer_id != issuer.pk:
        raise IssueRefused(f"Ce signataire n'est pas celui de {issuer.name}.")
    if on < signatory.valid_from or (signatory.valid_to and on > signatory.valid_to):
        raise IssueRefused(f"{signatory} n'a pas qualité pour signer à cette date.")


def _issuer(issuer: Issuer) -> dict[str, Any]:
    return {
        "code": issuer.code,
        "name": issuer.name,
        "ministry": issuer.ministry,
        "siret": issuer.siret,
        "address": [*issuer.address.splitlines(), f"{issuer.postal_code} {issuer.city}"],
        "service": issuer.service,
        "cost_centre": issuer.cost_centre,
        "budget": issuer.budget_label,
        "contact": {"name": issuer.contact, "phone": issuer.phone, "email": issuer.email},
    }


def _accountant_facts(accountant: Accountant) -> dict[str, Any]:
    names = ("name", "codique", "phone", "email", "hours", "iban", "bic", "payment_url")
    place = f"{accountant.postal_code} {accountant.city}"
    return {
        **{name: getattr(accountant, name) for name in names},
        "address": [*accountant.address.splitlines(), place],
    }


def _imputation(schedule: Schedule, regime: str) -> list[dict[str, str]]:
    """Return the budget lines that are filled in, under the words of the regime."""
    state = regime == Issuer.Regime.STATE
    items = (
        ("Programme", schedule.programme),
        ("Compte" if state else "Nature", schedule.account),
        ("Fonction", schedule.function_code),
        ("Code produit local", schedule.local_product),
    )
    return [{"label": label, "value": value} for label, value in items if value]


def _flat(facts: dict[str, Any], schedule: Schedule, accountant: Accountant) -> dict[str, Any]:
    """Name each fact as `mentions` does; an address by its columns, which the facts join."""
    flat = {f"{group}.{name}": v for group in ("issuer", "accountant", "signatory")
            for name, v in facts[group].items()}  # fmt: skip
    places = {
        f"{group}.{name}": getattr(row, name)
        for group, row in (("issuer", schedule.issuer), ("accountant", accountant))
        for name in ("address", "postal_code", "city")
    }
    return {
        **flat,
        **places,
        "issuer.contact.name": facts["issuer"]["contact"]["name"],
        "foundations": facts["foundations"],
        "vat": facts["vat"],
        "issuer.tribunal": schedule.issuer.tribunal,
        "subject": schedule.subject,
        "accountant.contact": accountant.phone or accountant.email,
        "imputation.programme": schedule.programme,
        "imputation.account": schedule.account,
        "imputation.function": schedule.function_code,
        "imputation.product": schedule.local_product,
    }


def _charges(basis: dict, lines: Iterable[LineFacts]) -> list[dict[str, str]]:
    """Sum the lines by charge, in the order they are printed; the formula when one price holds."""
    return sums_by_charge(
        lines, {c["code"]: (c["unit_label"], c["unit_plural"]) for c in basis["charges"]}
    )


def _references(basis: dict, member: dict, lines: list[CallLine]) -> list[str]:
    """Return what proves the pools shared out and the deductions printed on these lines."""
    printed = {line.charge for line in lines}
    pools = [c for c in basis["charges"] if c["pool_reference"] and c["code"] in printed]
    return [
        *(
            f"{c['label']}, {euros(Decimal(c['pool']))} à répartir : {c['pool_reference']}"
            for c in pools
        ),
        *(f"{d['label']} : {d['reference']}" for d in member["deductions"] if d["reference"]),
        *(
            f"Complète {', '.join(in_force(debtor))}"
            for debtor in basis["facts"].get("issued", ())
            if debtor["siret"] == member["siret"] and in_force(debtor)
        ),
    ]


def _annexes(basis: dict, lines: list[CallLine]) -> list[dict[str, Any]]:
    """Return the statements of expenses that prove the pools of these lines."""
    printed = {line.charge for line in lines}
    return [item for code, item in basis["facts"].get("annexes", {}).items() if code in printed]


def _sources(agreements: list[dict], basis: dict, siret: str) -> list[str]:
    """Name where the counts come from, when a charge of this tariff reads counts.

    An approximation says so, with the reason for which it was accepted.
    """
    with_schools = [a["reference"] for a in agreements if a["schools"]]
    named = [f"Écoles inscrites : {', '.join(with_schools)}"] if with_schools else []
    named += _services(agreements, basis)
    if not any(c["metric"] != "schools" or c["model"] == "banded" for c in basis["charges"]):
        return named
    billable = {}
    for school in (s for a in agreements for s in a["schools"] if not s["excluded"]):
        billable[school["pupils_source"]] = school["pupils_billable"]
        billable[school["active_source"]] = school["active_billable"]
    billable.pop("", None)
    labels = basis["facts"]["sources"]
    reasons = [
        acceptance["reason"]
        for acceptance in basis["acceptances"]
        if acceptance["code"] == "count_not_billable" and acceptance["siret"] in ("", siret)
    ]
    for code in sorted(billable):
        if billable[code]:
            named.append(f"Effectifs : {labels[code]}")
        else:
            why = "; ".join(dict.fromkeys(reasons))
            named.append(f"Effectifs approchés : {labels[code]} ; acceptés, motif : {why}")
    return named


def _services(agreements: list[dict], basis: dict) -> list[str]:
    """Say when each service billed by the unit was done, and what proves it."""
    labels = {c["code"]: c["label"] for c in basis["charges"]}
    here = {a["reference"] for a in agreements}
    done: dict[str, list[str]] = {}
    for item in basis["facts"].get(DELIVERED, ()):
        if item["agreement"] in here and item["code"] in labels:
            day = short_date(date.fromisoformat(item["on"]))
            label = labels[item["code"]]
            what = [text for text in (item["subject"], item["proof"]) if text != label]
            words = f"{integer(item['quantity'])} le {day} ({', '.join(what)})"
            done.setdefault(label, []).append(words)
    return [f"Service fait – {label} : {' ; '.join(items)}" for label, items in done.items()]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

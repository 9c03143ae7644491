"""Invoices of the worked examples of the regimes, from the lines that the engine writes."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

from lxml import etree

from invoicing.facturx.amounts import Line, amounts_of
from invoicing.facturx.facts import facts_of
from invoicing.facturx.invoice_xml import xml_of
from invoicing.facturx.profiles import Profile
from tariffs.engine import Deduction
from tests.entsvc.titre_payload import local_titre, state_titre
from tests.tariffs.bases import (
    NPDC,
    SOMME_COLLEGES,
    agreement,
    college,
    member,
    occitanie,
    only,
    school,
    with_schools,
)

NAMESPACES = {
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}
COPIED = (
    "charge", "agreement", "uai", "school", "commune", "quantity", "unit_price", "amount", "explanation",
)  # fmt: skip


def example_a():
    """The Département and its only collège, with a subsidy of 1 000 €: 6 476.90 €."""
    subsidy = Deduction("Subvention", Decimal("1000.00"))
    return only(SOMME_COLLEGES, member(1, agreement(college(1)), deductions=[subsidy]), 2020)


def example_c():
    """An EPCI with the flat support, three half-days and 500 € of subsidies: 7 649.20 €."""
    options = {"subscriptions": ("ACCOMPAGNEMENT",), "units": (("DEMIJOURNEE", 3),)}
    epci = member(1, agreement(school(1, 4000), school(2, 812), **options))
    return only(NPDC, replace(epci, deductions=(Deduction("Subventions", Decimal("500.00")),)), 2023)


def example_d():
    """Three schools at 50 €."""
    return only(occitanie("50.00"), with_schools(1, *(school(n) for n in (1, 2, 3))), 2020)


def example_e():
    """Four schools at 50 €: the avenant that removes one came too late."""
    return only(occitanie("50.00"), with_schools(1, *(school(n) for n in (1, 2, 3, 4))), 2020)


EXAMPLES = {
    "A": (example_a, local_titre, 2020),
    "C": (example_c, local_titre, 2023),
    "D": (example_d, state_titre, 2020),
    "E": (example_e, state_titre, 2020),
}


def lines_of(result):
    """The lines of a call as an invoice reads them."""
    return [
        Line(label=line.charge_label, **{name: getattr(line, name) for name in COPIED})
        for line in result.lines
    ]


def titre_of(name):
    """The frozen payload, the lines and the school year of an example."""
    compute, payload, year = EXAMPLES[name]
    lines = lines_of(compute())
    return {**payload(), "total": str(amounts_of(lines).due)}, lines, year


def facts(name, profile=Profile.REFORM):
    """The terms of the invoice (380) of an example."""
    payload, lines, year = titre_of(name)
    return facts_of(payload, lines, year=year, profile=profile)


def credit_facts(name, profile=Profile.REFORM):
    """The terms of the credit note (381) that annuls the titre of an example."""
    payload, lines, year = titre_of(name)
    document = payload["document"]
    annulled = {
        **payload,
        "document": {
            **document,
            "kind": "annulation",
            "reference": document["reference"].replace("-0", "-A", 1),
            "payment_reference": "",
            "due_text": "",
        },
        "original": {"reference": document["reference"], "issued_on": document["issued_on"]},
        "error": {"code": "liquidation", "label": "Erreur de liquidation", "text": "École fermée."},
        "texts": {"enforceability": "", "payment": "", "late": "", "remedies": "Recours."},
    }
    return facts_of(annulled, lines, year=year, profile=profile)


def xml_without_schema(terms):
    """The XML of terms that the schema may well refuse."""
    from facturx import generate_xml

    given = deepcopy(terms)
    return generate_xml(
        given, flavor="factur-x", level="en16931", check_xsd=False, check_schematron=None
    )


def values(xml, path):
    """The texts found at a path of an XML."""
    found = etree.fromstring(xml).xpath(path, namespaces=NAMESPACES)
    return [str(getattr(item, "text", item)) for item in found]


def invoice(name):
    """The XML of an example."""
    return xml_of(facts(name))

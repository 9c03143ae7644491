"""The official rules, run on this machine: they pass our invoices and refuse what is spoiled in them."""

import copy
import sys

import pytest

from invoicing.facturx import validation
from invoicing.facturx.invoice_xml import xml_of
from invoicing.facturx.profiles import Profile
from invoicing.facturx.schematrons import ABSENT, BR_FR, EN16931, main
from tests.invoicing.facturx.examples import (
    EXAMPLES,
    credit_facts,
    facts,
    invoice,
    xml_without_schema,
)


def without_notes(terms):
    terms["BG-1"] = []


def former_frame(terms):
    terms["BT-23"] = "A1"


def with_a_rate(terms):
    terms["BG-25"][0]["BT-152"] = "20.00"


def without_reason(terms):
    del terms["BG-23"][0]["BT-120"], terms["BG-23"][0]["BT-121"]


def wrong_total(terms):
    terms["BT-115"] = "1.00"


def wrong_sum_of_lines(terms):
    terms["BT-106"] = "1.00"


def without_original(terms):
    del terms["BG-3"]


def siret_for_siren(terms):
    terms["BG-7"]["legal_identifier"] = "21310533100010"


def without_electronic_address(terms):
    del terms["BG-7"]["einvoicing_addr"]


def seller_with_a_vat_number(terms):
    terms["BG-4"]["vat_identifier"] = "FR40303265045"


def negative_price(terms):
    terms["BG-25"][0]["BT-146"] = "-50.00"


def two_discount_notes(terms):
    terms["BG-1"].append({"BT-21": "AAB", "BT-22": "Escompte"})


def allowance_without_reason(terms):
    terms["BG-20"] = [{"amount": "0.00", "vat_category_code": "O"}]


def siret_of_another(terms):
    terms["BG-7"]["identifiers"] = {"0009": "20000000800017"}


# What is spoiled in example D, or in its annulation, and a rule that says so.
SPOILED = [
    (facts, former_frame, "BR-FR-08"),
    (facts, without_notes, "BR-FR-05"),
    (facts, with_a_rate, "BR-O-05"),
    (facts, without_reason, "BR-O-10"),
    (facts, wrong_total, "BR-CO-16"),
    (facts, wrong_sum_of_lines, "BR-CO-10"),
    (credit_facts, without_original, "BR-FR-CO-05"),
    (facts, siret_for_siren, "BR-FR-32"),
    (facts, without_electronic_address, "BR-FR-12"),
    (facts, seller_with_a_vat_number, "BR-O-02"),
    (facts, negative_price, "BR-27"),
    (facts, two_discount_notes, "BR-FR-06"),
    (facts, allowance_without_reason, "BR-33"),
    (facts, siret_of_another, "BR-FR-09"),
]


@pytest.fixture(scope="module")
def verdicts():
    """The verdict on every XML of this file, by name: one process for all."""
    xmls = {f"380 {name}": invoice(name) for name in EXAMPLES}
    xmls |= {f"381 {name}": xml_of(credit_facts(name)) for name in EXAMPLES}
    for make, spoil, _ in SPOILED:
        terms = copy.deepcopy(make("D"))
        spoil(terms)
        xmls[spoil.__name__] = xml_without_schema(terms)
    found = validation.check(list(xmls.values()), Profile.REFORM)
    return dict(zip(xmls, found, strict=True))


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("kind", ["380", "381"])
def test_the_invoice_and_the_credit_note_of_an_example_pass_all_the_rules(verdicts, kind, name):
    verdict = verdicts[f"{kind} {name}"]
    assert verdict.refused == []
    assert verdict.is_checked
    assert [ruling.rules for ruling in verdict.rulings] == [EN16931, BR_FR]
    assert all(ruling.fired > 40 for ruling in verdict.rulings), "des règles ont bien tourné"
    assert verdict.words[0] == "Schéma XSD : valide."
    assert "aucun écart" in verdict.words[1]


@pytest.mark.parametrize(("make", "spoil", "rule"), SPOILED, ids=[s.__name__ for _, s, _ in SPOILED])
def test_what_is_spoiled_is_refused_by_its_rule(verdicts, make, spoil, rule):
    assert [told for told in verdicts[spoil.__name__].refused if rule in told]


def test_the_former_frame_is_checked_by_the_european_rules_alone():
    [verdict] = validation.check([xml_of(facts("A", Profile.CHORUS))], Profile.CHORUS)
    assert [ruling.rules for ruling in verdict.rulings] == [EN16931]
    assert verdict.refused == []
    assert verdict.is_checked


def test_a_schema_that_refuses_is_told_beside_the_rules():
    terms = facts("D")
    del terms["BT-72"]
    [verdict] = validation.check([xml_without_schema(terms)], Profile.REFORM)
    assert "ApplicableHeaderTradeDelivery" in verdict.refused[0]
    assert verdict.words[0].startswith("Schéma XSD : refusé")


def test_without_the_processor_nothing_is_said_to_be_valid(monkeypatch):
    monkeypatch.setattr(validation.importlib.util, "find_spec", lambda name: None)
    [verdict] = validation.check([invoice("D")], Profile.REFORM)
    assert not verdict.is_checked
    assert verdict.refused == []
    assert [ruling.fired for ruling in verdict.rulings] == [0, 0]
    for words in verdict.words[1:]:
        assert "non vérifié" in words
        assert "valide" not in words


def test_a_processor_that_dies_leaves_the_invoice_unchecked(monkeypatch):
    monkeypatch.setattr(validation.sys, "executable", "/bin/false")
    [verdict] = validation.check([invoice("D")], Profile.REFORM)
    assert not verdict.is_checked
    assert "s'est arrêté" in verdict.words[1]


def test_a_file_that_is_no_invoice_is_refused_not_passed():
    [verdict] = validation.check([b"<facture/>"], Profile.REFORM)
    assert verdict.refused
    assert not verdict.is_checked


def test_the_command_says_by_its_exit_code_when_the_processor_lacks(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "saxonche", None)
    file = tmp_path / "f.xml"
    file.write_bytes(invoice("D"))
    assert main([str(file)]) == ABSENT
    assert "non exécutées" in capsys.readouterr().err

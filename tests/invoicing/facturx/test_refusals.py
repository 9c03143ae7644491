"""What a titre lacks for its electronic invoice is said in French, before anything is written."""

from decimal import Decimal

import pytest

from invoicing.facturx.amounts import amounts_of
from invoicing.facturx.refusals import refusals
from tests.invoicing.facturx.examples import titre_of


def refused(group, **changes):
    payload, lines, _ = titre_of("D")
    payload = {**payload, group: {**payload[group], **changes}} if group else {**payload, **changes}
    return refusals(payload, lines, amounts_of(lines).due)


def test_a_whole_titre_lacks_nothing():
    assert refused("debtor") == []


@pytest.mark.parametrize(
    ("group", "changes", "told"),
    [
        ("debtor", {"siret": ""}, "Débiteur : SIRET absent"),
        ("debtor", {"siret": "21310533100011"}, "Débiteur : SIRET faux (21310533100011)"),
        ("issuer", {"siret": "213105331"}, "Émetteur : SIRET faux (213105331)"),
        ("debtor", {"name": " "}, "Débiteur : nom absent."),
        ("debtor", {"address": []}, "Débiteur : code postal ou ville absent"),
        ("issuer", {"address": ["1 rue", " Toulouse"]}, "Émetteur : code postal ou ville absent"),
        ("accountant", {"iban": ""}, "Comptable assignataire : IBAN absent."),
        ("accountant", {"iban": "FR7630001"}, "Comptable assignataire : IBAN faux (FR7630001)."),
        ("document", {"due_text": ""}, "le délai de paiement est vide"),
        ("document", {"reference": "OCC 2025/000000000012"}, "un numéro de facture a au plus vingt"),
        ("document", {"external": True}, "la chaîne de l'État donne le numéro"),
        ("", {"vat": "TVA 20 %"}, "Mention de TVA « TVA 20 % »"),
        ("", {"vat": ""}, "Mention de TVA absente"),
    ],
)
def test_what_is_missing_or_wrong_is_named(group, changes, told):
    [message] = refused(group, **changes)
    assert told in message


def test_a_correction_needs_no_account_to_be_paid_on():
    payload, lines, _ = titre_of("D")
    payload["document"] |= {"kind": "reduction", "due_text": ""}
    payload["accountant"]["iban"] = ""
    assert refusals(payload, lines, amounts_of(lines).due) == []


def test_lines_that_do_not_make_the_total_are_refused():
    payload, lines, _ = titre_of("D")
    [message] = refusals(payload, lines, Decimal("151.00"))
    assert "Ses lignes font 150,00\u00a0€ au lieu de 151,00\u00a0€" in message

"""Each rule of the PES refuses what breaks it, with a message that names the field and what to do."""

from dataclasses import replace
from decimal import Decimal

import pytest

from invoicing.pes import facts, rules
from invoicing.pes.facts import Debtor, Line, Origin, Place
from invoicing.pes.rules import check
from invoicing.pes.writing import FlowRefused, write
from tests.invoicing.pes.flows import DAY, TOWN, correction, flow, line, piece

LONG = "x" * 39
LONG_STREET = "rue " * 40


def test_a_flow_that_keeps_every_rule_has_no_finding():
    assert check(flow()) == []
    assert check(flow(correction())) == []


def whole(**changes):
    return lambda: flow(**changes)


def part(of, /, **changes):
    return lambda: replace(flow(), **{of: replace(getattr(flow(), of), **changes)})


def of_piece(**changes):
    """Change the first piece; the totals follow its lines."""

    def made():
        return flow(piece(1, **changes), piece(2))

    return made


def of_debtor(**changes):
    debtor = replace(piece(1).debtor, **changes)
    return of_piece(debtor=debtor)


def of_line(**changes):
    return of_piece(lines=(replace(line(), **changes),))


def of_attachment(**changes):
    def made():
        first, *others = flow().attachments
        return flow(attachments=(replace(first, **changes), *others))

    return made


def of_correction(**changes):
    return lambda: flow(correction(**changes))


# The rule that refuses, what its message says, what breaks it.
MUTATIONS = [
    ("nom-fichier", "NomFic", whole(file_name="")),
    ("codique", "codique", part("post", code="000000")),
    ("codique", "codique", part("post", code="31 000")),
    ("libelle-poste", "Comptables", part("post", name="")),
    ("siret-emetteur", "SIRET de l'émetteur", part("body", siret="21900001500013")),
    ("siret-emetteur", "SIRET de l'émetteur", part("body", siret="0" * 14)),
    ("code-collectivite", "code de la collectivité", part("body", code="12")),
    ("code-budget", "code du budget", part("body", budget="0A")),
    ("libelle-collectivite", "LibelleColBud", part("body", name=" ")),
    ("exercice", "Exer", part("bordereau", exercice=25)),
    ("numero-bordereau", "IdBord", part("bordereau", number=10_000_000)),
    ("numero-bordereau", "IdBord", part("bordereau", number=0)),
    ("date-bordereau", "DteBordEm", part("bordereau", issued_on=DAY.replace(year=1899))),
    ("type-bordereau", "TypBord", part("bordereau", kind="06")),
    ("nombre-pieces", "NbrPce", part("bordereau", count=3)),
    ("cumul", "MtCumulAnnuel", part("bordereau", cumulated=Decimal("1.00"))),
    ("total-bordereau", "MtBordHt", part("bordereau", total=Decimal("145.11"))),
    ("numeros-distincts", "même numéro", lambda: flow(piece(1), piece(1))),
    ("signataire", "Signataire", part("signatory", last_name="")),
    ("role-signataire", "qualité", part("signatory", quality="")),
    ("reference-bancaire", "ICS", part("body", bank_reference="")),
    ("payfip", "PayFiP", part("body", payment_code="12345")),
    ("payfip", "adresse de paiement", part("body", payment_url="")),
    ("adresse-emetteur", "adresse de l'émetteur", part("body", place=Place((), "80000", "Amiens"))),
    ("adresse-comptable", "adresse du comptable", part("post", place=replace(TOWN, city=""))),
    ("modalites-reglement", "asap-reglement", whole(settlement="a" * 251)),
    ("modalites-contestation", "asap-contestation", whole(remedies="a" * 421)),
    ("modalites-contestation", "asap-contestation", whole(remedies="")),
    ("numero-piece", "IdPce", of_piece(number=123_456_789)),
    ("type-piece", "NatPce", of_piece(nature="02")),
    ("edition", "Edition", of_piece(edition="01")),
    ("objet", "objet des titres", of_piece(subject="nc")),
    ("objet", "objet des titres", of_piece(subject="000")),
    ("numero-facture", "NumeroFacture", of_piece(invoice_number="LOC-2025-000001-ABCDE")),
    ("numero-facture", "NumeroFacture", of_piece(invoice_number="LOC n° 1")),
    ("engagement", "NumeroEngagement", of_piece(engagement="0000")),
    ("engagement-etat", "service de l'État", of_piece(
        engagement="", debtor=Debtor(facts.STATE_SIRET, "etat", "Service", TOWN))),
    ("code-service", "CodeService", of_piece(service="S" * 101)),
    ("piece-facture", "006", of_piece(attachments=("PJT1",))),
    ("piece-jointe", "PDF manquants", of_piece(attachments=("PJF1", "PJABSENTE"))),
    ("lignes", "au moins une ligne", of_piece(lines=())),
    ("total-piece", "n'est pas son total", of_piece(total=Decimal("44.99"))),
    ("rattachement", "qu'elle corrige", of_correction(origin=None)),
    ("rattachement-de-trop", "n'en corrige aucun", of_piece(origin=Origin(2025, 3))),
    ("exercice-origine", "mandat", of_correction(origin=Origin(2024, 3))),
    ("numero-origine", "titre d'origine", of_correction(origin=Origin(2025, 0))),
    ("siret-debiteur", "SIRET du débiteur", of_debtor(siret="12345678901234")),
    ("siret-debiteur", "SIRET du débiteur", of_debtor(siret="0" * 14)),
    ("siret-debiteur", "SIRET du débiteur", of_debtor(siret="210010013")),
    ("categorie-tiers", "type", of_debtor(kind="rpi")),
    ("nom-debiteur", "nom du débiteur", of_debtor(name="Syndicat intercommunal " * 5)),
    ("nom-debiteur", "nom du débiteur", of_debtor(name="nc")),
    ("adresse-debiteur", "rue du débiteur", of_debtor(place=replace(TOWN, lines=(LONG_STREET,)))),
    ("adresse-debiteur", "rue du débiteur", of_debtor(place=replace(TOWN, lines=()))),
    ("code-postal", "code postal", of_debtor(place=replace(TOWN, postal_code="8010"))),
    ("ville", "ville", of_debtor(place=replace(TOWN, city=LONG))),
    ("code-produit", "Barèmes », code produit local", of_line(product="")),
    ("code-produit", "Barèmes », code produit local", of_line(product="ENT-1")),
    ("code-produit", "Barèmes », code produit local", of_line(product="ECOLE")),
    ("nature", "Nature", of_line(nature="7475A")),
    ("nature", "Nature", of_line(nature="7" * 13)),
    ("fonction", "Fonction", of_line(function="02A")),
    ("montant-ligne", "doit rester positif", of_line(amount=Decimal("-1.00"))),
    ("montant-ligne", "doit rester positif", of_line(amount=Decimal("0.00"))),
    ("montant-ligne", "centimes", of_line(amount=Decimal("1.001"))),
    ("montant-ligne", "quatorze chiffres", of_line(amount=Decimal("1000000000000.00"))),
    ("montant-ligne", "imputation", of_piece(
        lines=(line("60.00"), line("10.00", nature="758"), line("-10.00", nature="758")))),
    ("identifiant-pj", "sans tiret", of_attachment(id="PJF-1")),
    ("identifiant-pj", "50", of_attachment(id="P" * 51)),
    ("identifiant-unique", "qu'une fois", of_attachment(id="PJT1")),
    ("identifiant-unique", "nouvel envoi", whole(sent_before=frozenset({"PJT2"}))),
    ("nom-pj", "extension", of_attachment(name="titre")),
    ("nom-pj", "100", of_attachment(name="t" * 97 + ".pdf")),
    ("type-pj", "TypePJ", of_attachment(kind="999")),
    ("contenu-pj", "vide", of_attachment(content=b"")),
    ("type-facture", "09", of_attachment(content=b"<PES_Facture/>")),
    ("description-pj", "Description", of_attachment(description="")),
    ("pj-citee", "aucune pièce", of_attachment(id="PJX")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "told", "broken"), MUTATIONS, ids=[f"{m[0]}-{i}" for i, m in enumerate(MUTATIONS)]
)
def test_what_breaks_a_rule_is_refused_and_named(code, told, broken):
    made = broken()
    found = [finding for finding in check(made) if finding.rule == code]
    assert found
    assert told in f"{found[0].element} {found[0].message}"
    with pytest.raises(FlowRefused):
        write(made)


def test_every_rule_has_its_example():
    assert {rule.code for rule in rules.RULES} == {code for code, _, _ in MUTATIONS}
    assert len({rule.code for rule in rules.RULES}) == len(rules.RULES)
    assert len(MUTATIONS) >= 25


def test_every_message_says_where_it_is_and_on_what_field():
    finding = next(f for f in check(of_line(product="")()) if f.rule == "code-produit")
    assert str(finding).startswith("LOC-2025-000001, Commune n° 1, imputation 74751 – ")
    assert "InfoLignePiece/CodProdLoc" in str(finding)
    assert (finding.page, finding.key) == ("schedule", "1")


def test_a_specimen_may_have_an_issuer_of_zeros_but_no_debtor_so():
    made = replace(flow(), specimen=True, body=replace(flow().body, siret="0" * 14))
    assert check(made) == []
    assert "siret-debiteur" in {
        f.rule for f in check(replace(of_debtor(siret="0" * 14)(), specimen=True))
    }


def test_what_chorus_pro_asks_is_not_asked_of_corrections():
    made = flow(correction(invoice_number="LOC n° 1"))
    bare = replace(made, settlement="", remedies="", body=replace(made.body, bank_reference=""))
    assert check(bare) == []


def test_deductions_are_taken_off_their_own_imputation_only():
    one = piece(1, lines=(line("60.00"), line("-15.00"), line("7.00", product="ENT2")))
    assert facts.netted(one) == [
        Line(one.subject, "ENT1", "74751", "020", Decimal("45.00")),
        Line(one.subject, "ENT2", "74751", "020", Decimal("7.00")),
    ]

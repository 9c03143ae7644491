"""The bytes of a PES file: in order, in ISO-8859-1, the same twice over, in the limits of its fields."""

import base64
import gzip
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from invoicing.pes.asap import notice, shown_lines
from invoicing.pes.facts import Place, netted
from invoicing.pes.latin import ENCODING, fitted, latin, wrapped
from invoicing.pes.places import WIDTH, street_of
from invoicing.pes.rules import check
from invoicing.pes.writing import write
from tests.invoicing.pes.flows import correction, flow, line, piece

CENTS = st.integers(1, 10**9).map(lambda cents: Decimal(cents) / 100)
LINES = st.lists(
    st.builds(
        lambda amount, product, nature: line(str(amount), product=product, nature=nature),
        CENTS,
        st.sampled_from(["ENT1", "ENT2", "E3"]),
        st.sampled_from(["74751", "758"]),
    ),
    min_size=1,
    max_size=8,
)


def values(content, path):
    return [found.get("V") for found in etree.fromstring(content).findall(f".//{path}")]


def names(parent):
    return [etree.QName(found).localname for found in parent]


def test_a_titre_becomes_an_ordinary_piece_with_its_imputation_and_its_debtor():
    content = write(flow())
    assert values(content, "BlocBordereau/*")[1:5] == ["7", "2025-03-03", "01", "2"]
    assert values(content, "MtBordHt") == ["145.10"]
    assert values(content, "TypPce") == values(content, "NatPce") == ["01", "01"]
    assert values(content, "Edition") == ["02", "02"]
    assert values(content, "NumeroFacture") == ["LOC-2025-000001", "LOC-2025-000002"]
    assert values(content, "InfoLignePiece/MtHT") == ["45.00", "100.10"]
    assert values(content, "Tiers/InfoTiers/CatTiers") == ["23", "23"]
    assert values(content, "ObjPce")[0] == "Contribution au service ENT - année « 2024-2025 »"
    assert values(content, "RattachPiece/IdPceOrig") == []


def test_a_correction_names_the_titre_it_corrects():
    content = write(flow(correction()))
    assert values(content, "TypBord") == ["02"]
    assert (values(content, "TypPce"), values(content, "NatPce")) == (["02"], ["06"])
    assert values(content, "RattachPiece/*") == ["01", "2025", "12", "1"]
    assert values(content, "NumeroFacture") == []


def test_documents_are_packed_as_they_are_and_named_by_their_piece():
    content = write(flow())
    root = etree.fromstring(content)
    first = root.find(".//PES_PJ/PJ")
    unpacked = gzip.decompress(base64.b64decode(first.findtext("Contenu/Fichier")))
    assert unpacked == flow().attachments[0].content
    assert values(content, "Piece/BlocPiece/PJRef/IdUnique") == values(content, "PJ/IdUnique")
    assert values(content, "PJ/TypePJ") == ["006", "008", "006", "008"]


def test_the_notice_says_what_is_to_pay_to_whom_and_how_to_contest_it():
    content = flow().attachments[0].content
    assert values(content, "PES_Facture/TypeFact") == ["09"]
    assert values(content, "PES_Facture/Tiers/InfoTiers/TypTiers") == ["25", "26"]
    assert values(content, "RefTitre/*") == ["2025", "7", "1", "1"]
    assert values(content, "TotalAPayer/MtTotalTTC") == ["45.00"]
    assert values(content, "ModalitesContestation") == [flow().remedies]
    assert values(content, "Signataire/Role") == ["Président"]


def test_the_notice_keeps_the_order_of_its_schema():
    [invoices] = etree.fromstring(flow().attachments[0].content).iterfind("PES_Facture")
    assert names(invoices) == [
        "IdVer", "Annee", "TypeFact", "Date", "Emetteur", "Tiers", "Tiers", "FactureIndiv",
        "Nomenclatures",
    ]  # fmt: skip
    assert names(invoices.find("Emetteur")) == ["InfoTiers", "Adresse", "InfoSuppl", "Signataire"]
    assert names(invoices.find("Emetteur/Signataire")) == ["Personne", "Role"]
    assert names(invoices.find("FactureIndiv")) == [
        "DateEmission", "NumeroFacture", "Debiteur", "Objet", "LigneFacture", "TotalAPayer", "RefTitre",
        "ModalitesReglement", "ModalitesContestation", "ModeRecouvrement", "ConditionsGen",
    ]  # fmt: skip
    assert names(invoices.find("FactureIndiv/LigneFacture")) == [
        "Date", "Libelle", "Quantite", "MtUnitaire", "MtHT", "TauxTVA", "MtTVA", "MtTTC", "Ordre",
    ]  # fmt: skip


def test_the_centre_that_cashes_has_a_town_and_no_street_and_the_issuer_is_one():
    content = flow().attachments[0].content
    [invoices] = etree.fromstring(content).iterfind("PES_Facture")
    centre, post = invoices.iterfind("Tiers")
    assert names(centre.find("Adresse")) == ["TypAdr", "CP", "Ville", "CodRes"]
    assert "Adr2" in names(post.find("Adresse"))
    assert values(content, "Emetteur/InfoTiers/TypTiers") == ["20"]


def test_the_quality_of_the_signatory_holds_in_its_fifty_characters():
    long = replace(
        flow().signatory, quality="Vice-présidente déléguée aux services numériques éducatifs"
    )
    content = notice(flow(signatory=long), piece(1))
    [role] = values(content, "Signataire/Role")
    assert role.endswith("...")
    assert len(role) <= 50


def test_the_notice_shows_each_line_unless_some_are_deducted():
    whole = piece(1, lines=(line("60.00"), line("15.00")))
    assert shown_lines(whole) == list(whole.lines)
    assert [shown.amount for shown in shown_lines(piece(1))] == [Decimal("45.00")]


@given(LINES)
def test_the_sums_of_lines_pieces_and_bordereau_agree(lines):
    made = flow(piece(1, lines=tuple(lines)))
    assert check(made) == []
    content = write(made)
    amounts = [Decimal(value) for value in values(content, "InfoLignePiece/MtHT")]
    assert sum(amounts) == made.bordereau.total == Decimal(values(content, "MtBordHt")[0])
    assert len(amounts) == len({(x.product, x.nature, x.function) for x in lines})


@given(LINES, LINES)
def test_netting_keeps_the_total_and_is_done_once(added, deducted):
    minus = [replace(item, amount=-item.amount) for item in deducted]
    one = piece(1, lines=(*added, *minus))
    net = netted(one)
    assert sum(item.amount for item in net) == one.total
    assert netted(replace(one, lines=tuple(net))) == net
    refused = any(item.amount <= 0 for item in net)
    assert ("montant-ligne" in {f.rule for f in check(flow(one))}) == refused


def test_the_same_facts_give_the_same_bytes():
    assert write(flow()) == write(flow())


@given(st.text(max_size=60))
def test_any_text_is_written_and_read_back(text):
    written = latin(text)
    assert written.encode(ENCODING).decode(ENCODING) == written
    assert latin(written) == written
    subject = f"Objet {text}"
    content = write(flow(piece(1, subject=subject)))
    assert values(content, "ObjPce") == [fitted(subject, 160)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("6,00 €", "6,00 EUR"),
        ("Œuvres sœurs", "OEuvres soeurs"),
        ("l’école – « Noël »", "l'école - « Noël »"),
        ("1\u202f234,00\u00a0€…", "1 234,00 EUR..."),
        ("L'Haÿ-les-Roses, Ploërmel, ĳ", "L'Haÿ-les-Roses, Ploërmel, ij"),
        ("e\u0301cole\t\n日", "école ?"),
    ],
)
def test_what_iso_8859_1_lacks_has_a_stand_in(text, written):
    assert latin(text) == written


@given(st.text(max_size=300), st.integers(10, 160))
def test_a_text_too_long_is_cut_and_says_so(text, most):
    cut = fitted(text, most)
    assert len(cut) <= most
    assert cut == latin(text) or len(latin(text)) > most


@given(st.text(st.characters(min_codepoint=97, max_codepoint=122, include_characters=" "), max_size=100))
def test_a_long_line_is_shared_out_without_losing_a_letter(text):
    lines = wrapped(text, WIDTH)
    assert all(len(part) <= WIDTH for part in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("lines", "street"),
    [
        (("1 rue Haute",), ("", "1 rue Haute", "")),
        (("Hôtel de ville", "1 rue Haute"), ("Hôtel de ville", "1 rue Haute", "")),
        (("1 rue Haute", "BP 12"), ("", "1 rue Haute", "BP 12")),
        (("Mairie", "1 rue Haute", "CS 3"), ("Mairie", "1 rue Haute", "CS 3")),
    ],
)
def test_the_street_stands_in_the_middle_line(lines, street):
    shared = street_of(Place(lines, "80000", "Amiens"))
    assert (shared.above, shared.itself, shared.below) == street

"""What is read of an answer, how invoices are parted into files, what the states are called."""

import datetime as dt
import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.chorus import lots
from invoicing.chorus.answers import (
    HalfAnswer,
    first_day,
    found_of,
    passages_of,
    receipt_of,
    report_of,
)
from invoicing.chorus.lots import Invoice, packed, parted
from invoicing.chorus.statuses import FlowState, InvoiceStatus, label_of_flow, label_of_invoice


def passage(status, at):
    return {"histoStatutCode": status, "histoStatutDatePassage": at}


@pytest.mark.parametrize(
    ("reader", "answer", "lacks"),
    [
        (receipt_of, {"codeRetour": 0}, "numeroFluxDepot"),
        (report_of, {}, "etatCourantDepotFlux"),
        (report_of, {"etatCourantDepotFlux": "IN_RECU", "listeErreurDP": "non"}, "listeErreurDP"),
        (found_of, {"listeFactures": [{"numeroFacture": "F1"}]}, "identifiantFactureCPP"),
        (found_of, {"listeFactures": ["F1"]}, "listeFactures"),
        (passages_of, {"statutCourantCode": "DEPOSEE"}, "historiquesDesStatuts"),
        (passages_of, {"historiquesDesStatuts": {"histoStatut": [{}]}}, "histoStatutCode"),
    ],
)
def test_half_an_answer_is_none_and_says_what_it_lacks(reader, answer, lacks):
    with pytest.raises(HalfAnswer, match=lacks):
        reader(answer)


def test_nothing_found_may_be_told_by_no_list():
    assert found_of({}) == found_of({"listeFactures": None}) == []


def test_an_invoice_is_made_available_on_the_first_day_that_it_is_in_paris():
    told = passages_of(
        {
            "historiquesDesStatuts": {
                "histoStatut": [
                    passage("MISE_A_DISPOSITION", "2025-04-02T08:00:00.000+02:00"),
                    passage("SUSPENDUE", "2025-03-20T08:00:00.000+01:00"),
                    passage("MISE_A_DISPOSITION", "2025-03-12T23:30:00.000Z"),
                    passage("DEPOSEE", "2025-03-11T10:00:00.000"),
                ]
            }
        }
    )
    assert first_day(told, "MISE_A_DISPOSITION") == dt.date(2025, 3, 13)
    assert first_day(told, "DEPOSEE") == dt.date(2025, 3, 11)
    assert first_day(told, "REJETEE") is None


@pytest.mark.parametrize("moment", [1741820400000, "2025-03-13", "2025-03-12T23:00:00Z"])
def test_a_moment_is_read_as_text_or_in_milliseconds(moment):
    assert receipt_of({"numeroFluxDepot": "1", "dateDepot": moment}).on == dt.date(2025, 3, 13)


@pytest.mark.parametrize("moment", [None, "", "hier", True, {}, 1e30])
def test_a_moment_that_can_not_be_read_is_none(moment):
    assert receipt_of({"numeroFluxDepot": "1", "dateDepot": moment}).on is None


def test_every_reason_of_a_rejection_is_told():
    report = report_of(
        {
            "etatCourantDepotFlux": "IN_REJETE",
            "listeErreurTechnique": [{"codeErreur": "E1", "libelleErreur": "Illisible"}],
            "listeErreurDP": [
                {"numeroDP": "F1", "libelleErreurDP": "Doublon"},
                {"numeroDP": "F1", "libelleErreurDP": "Service inconnu"},
                {"numeroDP": "F2"},
            ],
        }
    )
    assert report.rejected == {"F1": "Doublon ; Service inconnu", "F2": "rejetée sans motif"}
    assert report.words.splitlines()[0] == "E1 Illisible"


@given(st.lists(st.integers(1, 4_000), max_size=60))
def test_lots_hold_every_invoice_once_in_order_and_weigh_less_than_is_taken(sizes):
    largest = 8_000 + lots._FRAME + lots._ENDS
    found = parted(sizes, largest)
    assert [place for lot in found for place in lot] == list(range(len(sizes)))
    for lot in found:
        names = [Invoice(f"{place}.pdf", bytes(sizes[place])) for place in lot]
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for row in names:
                member = tarfile.TarInfo(row.name)
                member.size = len(row.content)
                tar.addfile(member, io.BytesIO(row.content))
        assert len(archive.getvalue()) <= largest


def test_a_lot_holds_500_invoices_at_most():
    assert [len(lot) for lot in parted([10] * 1_001)] == [500, 500, 1]


def test_one_invoice_goes_alone_and_several_in_an_archive_always_the_same():
    one, two = Invoice("a.pdf", b"%PDF a"), Invoice("b.pdf", b"%PDF b")
    assert packed([one]) == b"%PDF a"
    assert packed([one, two]) == packed([one, two])
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed([one, two])))) as tar:
        assert tar.getnames() == ["a.pdf", "b.pdf"]


def test_every_state_has_its_french_words_and_an_unknown_one_its_code():
    assert all(label_of_flow(state) != state for state in FlowState)
    assert all(label_of_invoice(status) != status for status in InvoiceStatus)
    assert label_of_invoice("A_VALIDER_2") == "À valider (2)"
    assert (label_of_flow("IN_AUTRE"), label_of_invoice("AUTRE")) == ("IN_AUTRE", "AUTRE")

"""Which titre the accountant names: in the words of its line, never by a guess."""

import pytest

from invoicing.matching import Known, Names
from invoicing.numbering import payment_reference


def known(reference, number, exercice=2025, *, external="", ours=True):
    return Known(reference, 1, reference, number, exercice, external, ours)


TWELVE = known("OCC-2025-000012", 12)
THIRTEEN = known("OCC-2025-000013", 13)
OLDER = known("OCC-2024-000012", 12, 2024)
READ_BACK = known("OCC-2025-000014", 14, external="R 4512")
AWAITED = known("OCC-2025-000015", 15, ours=False)
NAMES = Names([TWELVE, THIRTEEN, OLDER, READ_BACK, AWAITED])
RF = payment_reference("OCC-2025-000012")
SPACED = " ".join(RF[start : start + 4] for start in range(0, len(RF), 4))


def named(titre="", *texts):
    match = NAMES.find(titre, *texts)
    return match.titre and match.titre.reference


@pytest.mark.parametrize("text", [RF, SPACED, RF.lower(), f"VIR {SPACED} ENT", f"MDT4512{RF}"])
def test_an_iso_11649_reference_is_found_anywhere(text):
    assert named(text) == named("", text) == named("", "VIR-1", text) == "OCC-2025-000012"


def test_a_reference_whose_key_is_wrong_names_nothing():
    wrong = f"RF{(int(RF[2:4]) + 1) % 100:02d}{RF[4:]}"
    for text in (wrong, f"RF{wrong[2:4]} OCC-2025-000012", f"RF {wrong[2:4]} OCC-2025-000012"):
        match = NAMES.find("", text)
        assert match.titre is None
        assert "clé" in match.problem


@pytest.mark.parametrize(
    "text", ["OCC-2025-000012", "occ 2025 000012", "réf. OCC-2025-000012.", "OCC/2025/000012"]
)
def test_our_own_reference_is_found_anywhere(text):
    assert named(text) == named("", text) == "OCC-2025-000012"


def test_a_longer_word_is_not_our_reference():
    assert named("", "OCC-2025-0000123") is None
    assert named("", "XOCC-2025-000012") is None


@pytest.mark.parametrize("cell", ["12/2025", "2025-12", "n° 12 de 2025", "Titre 12 exercice 2025"])
def test_a_number_goes_with_its_exercice(cell):
    assert named(cell) == "OCC-2025-000012"


def test_a_number_is_read_in_a_wording_that_says_titre():
    assert named("", "ENT TITRE N° 12/2024 MAIRIE") == "OCC-2024-000012"
    assert named("", "MAIRIE 12/2024") is None


def test_a_number_alone_names_nothing():
    assert named("12") is None


@pytest.mark.parametrize("cell", ["R 4512", "r4512", "R4512/2025"])
def test_the_number_of_the_accountant_is_read_in_its_column_only(cell):
    assert named(cell) == "OCC-2025-000014"
    assert named("", cell) is None


def test_our_number_is_not_used_where_the_accountant_has_its_own():
    assert named("14/2025") is None  # read back: the accountant speaks of R 4512
    assert named("15/2025") is None  # still to be read back


def test_a_line_that_names_two_titres_names_none():
    match = NAMES.find("", "OCC-2025-000012 et OCC-2025-000013")
    assert match.titre is None
    assert "OCC-2025-000012, OCC-2025-000013" in match.problem


@pytest.mark.parametrize("text", [RF, "OCC-2025-000012", "TITRE 12/2025"])
def test_the_column_and_the_wording_must_name_the_same_titre(text):
    match = NAMES.find("13/2025", "VIR-1", text)
    assert match.titre is None
    assert match.is_ambiguous
    assert match.problem.startswith("Plusieurs titres sont nommés : OCC-2025-000012, OCC-2025-000013")
    assert named("12/2025", text) == "OCC-2025-000012"


def test_a_number_that_two_titres_answer_to_is_made_sure_by_another_name():
    theirs = known("OCC-2025-000020", 20, external="12")
    names = Names([TWELVE, theirs])
    for match in (
        names.find("12/2025"), names.find("Titre n° 12/2025"), names.find("", "ENT TITRE 12/2025")
    ):  # fmt: skip
        assert match.is_ambiguous
        assert "OCC-2025-000012, OCC-2025-000020" in match.problem
    assert names.find("12/2025", RF).titre == TWELVE
    assert names.find("12/2025", theirs.reference).titre == theirs

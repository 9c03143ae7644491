"""The RPI of a school, as the annuaire says it: in one, in another, in none, or not a word."""

import pytest

from members.importers.repairs import rpi_code
from members.models import School
from tests.members.editions import row
from tests.members.test_import_annuaire_quirks import load, stored, without

pytestmark = pytest.mark.django_db
RPI = ("rpi_concentre", "rpi_disperse")


@pytest.mark.parametrize(
    ("concentrated", "dispersed", "rpi", "code"),
    [
        ("0", "", "", ""),
        ("", "", "", ""),
        ("1", "", "concentre", ""),
        ("1", "031005", "concentre", "031005"),
        ("0", "031037", "disperse", "031037"),
        ("0", "031002", "disperse", "031002"),
        ("0", "31037", "disperse", "031037"),
        ("0", "059029", "disperse", "059029"),
    ],
)
def test_a_rpi_is_concentrated_or_dispersed_with_the_code_of_its_group(
    tmp_path, concentrated, dispersed, rpi, code
):
    load(tmp_path, row(rpi_concentre=concentrated, rpi_disperse=dispersed))
    school = School.objects.get()
    assert (school.rpi, school.rpi_code) == (rpi, code)


@pytest.mark.parametrize("left", [("0", ""), ("", ""), ("non", "")])
@pytest.mark.parametrize("former", [("1", ""), ("1", "031005"), ("0", "031037")])
def test_a_school_that_leaves_its_rpi_is_in_none(tmp_path, former, left):
    load(tmp_path, row(**dict(zip(RPI, former, strict=True))))
    outcome = load(tmp_path, row(**dict(zip(RPI, left, strict=True))))
    assert outcome.counts[:4] == (1, 0, 1, 0)
    school = School.objects.get()
    assert (school.rpi, school.rpi_code) == ("", "")
    assert load(tmp_path, row(**dict(zip(RPI, left, strict=True)))).report["unchanged"] == 1


def test_a_rpi_that_becomes_concentrated_leaves_its_code(tmp_path):
    load(tmp_path, row(rpi_concentre="0", rpi_disperse="031037"))
    school = stored(tmp_path, rpi_concentre="1", rpi_disperse="")
    assert (school.rpi, school.rpi_code) == ("concentre", "")


@pytest.mark.parametrize("missing", [("rpi_concentre",), ("rpi_disperse",), RPI])
def test_a_file_without_the_columns_of_rpi_changes_none(tmp_path, missing):
    load(tmp_path, row(rpi_concentre="0", rpi_disperse="031037"))
    blank = {"rpi_concentre": "0", "rpi_disperse": ""}
    assert load(tmp_path, without(*missing, **blank)).report["unchanged"] == 1
    assert School.objects.get().rpi_code == "031037"


@pytest.mark.parametrize("unread", [("0", "RPI 29"), ("?", "")])
def test_an_answer_that_cannot_be_read_takes_no_school_out_of_its_rpi(tmp_path, unread):
    load(tmp_path, row(rpi_concentre="0", rpi_disperse="031037"))
    load(tmp_path, row(**dict(zip(RPI, unread, strict=True))))
    school = School.objects.get()
    assert (school.rpi, school.rpi_code) == ("disperse", "031037")


def test_the_code_of_a_rpi_gets_back_the_zero_of_its_departement(tmp_path):
    cells = {"Code_commune": "70285", "Code_departement": "70"}
    assert stored(tmp_path, rpi_disperse="70073", **cells).rpi_code == "070073"


@pytest.mark.parametrize("written", ["32016", "3,1037E+04", "RPI 29", "1037", "020001X"])
def test_a_code_of_rpi_that_cannot_be_restored_for_sure_is_flagged_and_left_out(tmp_path, written):
    outcome = load(tmp_path, row(rpi_disperse=written))
    assert outcome.flagged == [(2, "rpi_disperse", written)]
    assert School.objects.get().rpi_code == ""


def test_a_rpi_code_of_overseas_or_corsica_is_right():
    assert rpi_code("974012", departement="974") == "974012"
    assert rpi_code("02A012", departement="2A") == "02A012"
    assert rpi_code("2a012", departement="2A") == "02A012"
    assert rpi_code("1012", departement="01") == "001012"

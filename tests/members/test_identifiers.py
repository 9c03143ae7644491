"""UAI, SIRET, INSEE commune codes, IBAN and BIC: what is right, and every slip that must be caught."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from members import identifiers
from members.identifiers import (
    ACTES_NATURES,
    UAI_LETTERS,
    ActesId,
    check_actes_id,
    check_bic,
    check_commune_code,
    check_departement_code,
    check_iban,
    check_siren,
    check_siret,
    check_uai,
    departement_of,
    proposed_siret,
    uai_letter,
)

seven_digits = st.integers(0, 9_999_999).map("{:07d}".format)
uais = seven_digits.map(lambda digits: digits + uai_letter(digits))
sirens = (
    st.integers(0, 99_999_999)
    .map("{:08d}".format)
    .map(lambda digits: digits + luhn.calc_check_digit(digits))
)


@st.composite
def sirets(draw):
    digits = draw(sirens) + f"{draw(st.integers(0, 9999)):04d}"
    return digits + luhn.calc_check_digit(digits)


# UAI.


@pytest.mark.parametrize(
    "uai",
    ["0341301E", "0310891A", "0312522Y", "6200088B", "0311631E", "0342266D", "0460054J"],
)
def test_official_codes_are_right(uai):
    assert check_uai(uai) == uai


def test_a_uai_comes_back_in_upper_case_without_spaces():
    assert check_uai(" 0310891a ") == "0310891A"


@pytest.mark.parametrize(
    "text", ["", "0310891", "310891A", "0310891AA", "031089IA", "0310891 A", "٠٣١٠٨٩١A", "A0310891"]
)
def test_what_has_not_the_form_of_a_uai_is_refused(text):
    with pytest.raises(ValueError, match="sept chiffres et une lettre"):
        check_uai(text)


@pytest.mark.parametrize("uai", ["0310891B", "0351122O", "0310891I", "0310891Q"])
def test_a_wrong_key_is_refused_with_the_code(uai):
    with pytest.raises(ValueError, match=uai):
        check_uai(uai)


def test_the_keys_of_a_uai_leave_out_the_letters_that_look_like_digits():
    assert len(set(UAI_LETTERS)) == 23
    assert not set("IOQ") & set(UAI_LETTERS)


@given(uais, st.integers(0, 6), st.integers(1, 9))
def test_every_error_on_one_digit_is_caught(uai, position, shift):
    digit = str((int(uai[position]) + shift) % 10)
    with pytest.raises(ValueError):
        check_uai(uai[:position] + digit + uai[position + 1 :])


@given(uais, st.integers(0, 5))
def test_every_swap_of_neighbouring_digits_is_caught(uai, position):
    left, right = uai[position], uai[position + 1]
    swapped = uai[:position] + right + left + uai[position + 2 :]
    if left == right:
        assert check_uai(swapped) == uai
    else:
        with pytest.raises(ValueError):
            check_uai(swapped)


@given(uais, st.sampled_from(UAI_LETTERS))
def test_exactly_one_letter_is_right(uai, letter):
    try:
        check_uai(uai[:7] + letter)
    except ValueError:
        assert letter != uai[7]
    else:
        assert letter == uai[7]


# SIRET.


@pytest.mark.parametrize(
    "siret",
    [
        "21310533100010",
        "22800001400016",
        "21750001600019",
        "35600000000048",
        "35600000049837",  # an establishment of La Poste: the sum of its digits is a multiple of 5
    ],
)
def test_official_sirets_are_right(siret):
    assert check_siret(siret) == siret


def test_a_siret_may_be_written_with_spaces():
    assert check_siret(" 213 105 331 00010 ") == "21310533100010"


@given(sirets())
def test_a_siret_with_both_keys_is_right(siret):
    assert check_siret(siret) == siret


@given(sirets().filter(lambda s: not s.startswith("356000000")), st.integers(0, 13), st.integers(1, 9))
def test_every_error_on_one_digit_of_a_siret_is_caught(siret, position, shift):
    digit = str((int(siret[position]) + shift) % 10)
    wrong = siret[:position] + digit + siret[position + 1 :]
    if not wrong.startswith("356000000"):
        with pytest.raises(ValueError):
            check_siret(wrong)


@pytest.mark.parametrize(
    "text",
    ["", "213105331", "2131053310001", "213105331000100", "21310533100011", "2131053310001A"],
)
def test_what_is_no_siret_is_refused(text):
    with pytest.raises(ValueError, match="quatorze chiffres"):
        check_siret(text)


@pytest.mark.parametrize("text", ["2,17003E+13", "2.1310533E+13", "2,17003e+13", "2E+13", "2,1E13"])
def test_a_siret_rounded_by_a_spreadsheet_is_named_for_what_it_is(text):
    with pytest.raises(ValueError, match="tableur"):
        check_siret(text)


# The others.


@pytest.mark.parametrize("code", ["31533", "2A004", "2B033", "97411", "01004"])
def test_insee_codes_are_right(code):
    assert check_commune_code(code) == code


def test_an_insee_code_comes_back_in_upper_case():
    assert check_commune_code(" 2a004 ") == "2A004"


@pytest.mark.parametrize("text", ["", "3153", "315333", "2C004", "A2004", "31 533", "３１５３３"])
def test_what_is_no_insee_code_is_refused(text):
    with pytest.raises(ValueError, match="cinq caractères"):
        check_commune_code(text)


def test_an_iban_comes_back_without_spaces():
    assert check_iban("FR76 3000 6000 0112 3456 7890 189") == "FR7630006000011234567890189"


@pytest.mark.parametrize("text", ["", "FR7630006000011234567890188", "FR76", "XX00"])
def test_a_wrong_iban_is_refused(text):
    with pytest.raises(ValueError, match="IBAN"):
        check_iban(text)


@pytest.mark.parametrize("code", ["BDFEFRPPCCT", "BDFEFRPP"])
def test_a_bic_is_right(code):
    assert check_bic(code) == code


@pytest.mark.parametrize("text", ["", "BDFEFRP", "1DFEFRPP", "BDFEFRPPCCTT"])
def test_a_wrong_bic_is_refused(text):
    with pytest.raises(ValueError, match="BIC"):
        check_bic(text)


@pytest.mark.parametrize(
    ("validate", "right", "wrong"),
    [
        (identifiers.validate_uai, "0310891A", "0310891B"),
        (identifiers.validate_siret, "21310533100010", "21310533100011"),
        (identifiers.validate_iban, "FR7630006000011234567890189", "FR00"),
        (identifiers.validate_bic, "BDFEFRPP", "BDF"),
    ],
)
def test_forms_say_it_too(validate, right, wrong):
    validate(right)
    with pytest.raises(ValidationError):
        validate(wrong)


# SIREN, and the SIRET proposed from it.


@given(sirens.filter(lambda s: s != "356000000"), st.integers(0, 8), st.integers(1, 9))
def test_every_error_on_one_digit_of_a_siren_is_caught(siren, position, shift):
    assert check_siren(siren) == siren
    digit = str((int(siren[position]) + shift) % 10)
    with pytest.raises(ValueError):
        check_siren(siren[:position] + digit + siren[position + 1 :])


@given(sirens)
def test_a_proposed_siret_is_always_a_right_one_of_its_siren(siren):
    siret = proposed_siret(siren)
    assert check_siret(siret).startswith(f"{siren}0001")


@pytest.mark.parametrize(
    ("siren", "siret"), [("213105331", "21310533100010"), ("228000014", "22800001400016")]
)
def test_proposed_sirets_are_those_published(siren, siret):
    assert proposed_siret(siren) == siret


@pytest.mark.parametrize("text", ["", "21310533", "2131053310", "213105332", "21310533A"])
def test_what_is_no_siren_is_refused(text):
    with pytest.raises(ValueError, match="neuf chiffres"):
        check_siren(text)


@pytest.mark.parametrize("check", [check_siret, check_siren])
def test_a_number_rounded_by_a_spreadsheet_is_lost(check):
    with pytest.raises(ValueError, match="arrondi"):
        check("2,13105E+08")


@pytest.mark.parametrize("text", ["1310533100010", " 131 053 310 0010"])
def test_a_siret_of_thirteen_digits_has_lost_one_and_says_so(text):
    with pytest.raises(ValueError, match="treize : un tableur"):
        check_siret(text)


# Codes of communes and départements.


@pytest.mark.parametrize("text", ["00001", "96001", "99100", "2C001"])
def test_a_code_of_no_french_commune_is_refused(text):
    with pytest.raises(ValueError, match="INSEE"):
        check_commune_code(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("80", "80"),
        ("080", "80"),
        ("02a", "2A"),
        ("2B", "2B"),
        ("974", "974"),
        ("01", "01"),
        ("988", "988"),
    ],
)
def test_a_departement_comes_back_as_insee_writes_it(text, code):
    assert check_departement_code(text) == code


@pytest.mark.parametrize("text", ["", "1", "20", "96", "00", "0A", "1000", "099"])
def test_what_is_no_departement_is_refused(text):
    with pytest.raises(ValueError, match="département"):
        check_departement_code(text)


@pytest.mark.parametrize(
    ("commune", "code"),
    [("31533", "31"), ("2A004", "2A"), ("97411", "974"), ("98818", "988"), ("01004", "01")],
)
def test_a_commune_tells_its_departement(commune, code):
    assert departement_of(commune) == code


# ACTES.

ACTES = "031-213105331-20240620-202436-DE"


def test_an_actes_id_gives_its_parts():
    found = check_actes_id(ACTES.lower())
    assert found == ActesId("31", "213105331", dt.date(2024, 6, 20), "202436", "DE")


@given(
    st.sampled_from(["01", "31", "2A", "2B", "971", "988"]),
    sirens,
    st.dates(dt.date(2004, 1, 1)),
    st.from_regex(r"[A-Z0-9_]{1,15}", fullmatch=True),
    st.sampled_from(sorted(ACTES_NATURES)),
)
def test_an_actes_id_written_is_read_again(departement, siren, day, number, nature):
    actes_id = ActesId(departement, siren, day, number, nature)
    assert check_actes_id(str(actes_id)) == actes_id


@pytest.mark.parametrize("code", ["031", "02A", "974"])
def test_an_actes_id_keeps_its_departement_on_three_characters(code):
    text = ACTES.replace("031", code)
    assert str(check_actes_id(text)) == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "comme"),
        ("31-213105331-20240620-202436-DE", "comme"),
        ("031-213105331-20240620--DE", "comme"),
        ("031-213105331-20240620-20-24-36-DE", "comme"),
        ("031-213105331-20240620-1234567890123456-DE", "comme"),
        ("031-213105331-20240230-202436-DE", "Date"),
        ("031-213105332-20240620-202436-DE", "SIREN"),
        ("031-213105331-20240620-202436-XX", "Nature"),
        ("099-213105331-20240620-202436-DE", "département"),
    ],
)
def test_what_is_no_actes_id_is_refused(text, word):
    with pytest.raises(ValueError, match=word):
        check_actes_id(text)

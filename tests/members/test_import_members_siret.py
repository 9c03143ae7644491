"""The list of members: Chorus Pro columns, and SIRET that replace those that were only proposed."""

import pytest

from entsvc.importing import Report
from members.models import Member
from members.pending import pending_members
from tests.factories import MemberFactory
from tests.members.files import run, write_csv

pytestmark = pytest.mark.django_db

PROPOSED, REAL, SIREN = "21340172200011", "21340172201787", "213401722"
ANOTHER = "21340172200128"


def members(tmp_path, header, *rows):
    return write_csv(tmp_path / "membres.csv", f"siret;nom;type;{header}", *rows)


def row(siret=REAL, *cells, kind="commune"):
    return ";".join([siret, "Montpellier", kind, *cells])


@pytest.fixture
def proposed():
    return MemberFactory(siret=PROPOSED, siret_to_verify=True, name="Montpellier", insee_code="34172")


def test_it_works(tmp_path):
    header = "siren;code_service;code_service_exige;numero_engagement;engagement_exige;a_verifier"
    run(
        "import_members", members(tmp_path, header, row(REAL, SIREN, "FACT", "oui", "E-1", "non", "oui"))
    )
    member = Member.objects.get()
    assert (member.siren, member.service_code, member.service_code_required) == (SIREN, "FACT", True)
    assert (member.engagement_number, member.engagement_required) == ("E-1", False)
    assert member.siret_to_verify


def test_a_blank_requirement_says_nothing_and_a_no_says_no(tmp_path):
    MemberFactory(siret=REAL, name="Montpellier", service_code_required=True, engagement_required=True)
    run("import_members", members(tmp_path, "code_service_exige;engagement_exige", row(REAL, "", "non")))
    member = Member.objects.get()
    assert (member.service_code_required, member.engagement_required) == (True, False)


def test_a_given_siret_replaces_the_proposed_one_of_the_same_member(tmp_path, proposed):
    outcome = run("import_members", members(tmp_path, "ville", row(REAL, "Montpellier")))
    proposed.refresh_from_db()
    assert (proposed.siret, proposed.siret_to_verify) == (REAL, False)
    assert outcome.counts[:4] == (1, 0, 1, 0)
    assert (2, "siret", REAL) in outcome.flagged
    assert Member.objects.count() == 1


def test_a_given_siret_that_was_proposed_is_verified(tmp_path, proposed):
    path = members(tmp_path, "ville", row(PROPOSED))
    run("import_members", path)
    proposed.refresh_from_db()
    assert not proposed.siret_to_verify
    assert run("import_members", path).counts[:4] == (1, 0, 0, 1)


def test_a_verified_siret_is_never_replaced_another_establishment_is_another_member(tmp_path):
    MemberFactory(siret=ANOTHER)
    run("import_members", members(tmp_path, "ville", row()))
    assert list(Member.objects.order_by("siret").values_list("siret", flat=True)) == [ANOTHER, REAL]


def test_another_kind_of_the_same_siren_is_another_member(tmp_path, proposed):
    run("import_members", members(tmp_path, "ville", row(kind="autre")))
    assert Member.objects.count() == 2


def test_two_establishments_for_one_proposed_siret_are_refused(tmp_path, proposed):
    outcome = run("import_members", members(tmp_path, "ville", row(REAL), row(ANOTHER)))
    assert outcome.refused == [(2, "siret", REAL), (3, "siret", ANOTHER)]
    proposed.refresh_from_db()
    assert proposed.siret == PROPOSED


@pytest.mark.parametrize("sirets", [(PROPOSED, REAL), (REAL, PROPOSED)])
def test_two_establishments_are_refused_in_either_order_be_one_the_proposed(tmp_path, proposed, sirets):
    before = Member.objects.values().get()
    outcome = run("import_members", members(tmp_path, "ville", *(row(s, "Ici") for s in sirets)))
    assert outcome.refused == [(2, "siret", sirets[0]), (3, "siret", sirets[1])]
    assert Member.objects.values().get() == before


def test_members_to_verify_that_are_each_named_by_their_own_siret_are_not_doubtful(tmp_path):
    path = members(tmp_path, "a_verifier;ville", row(REAL, "oui", "Ici"), row(ANOTHER, "oui", "Là"))
    assert run("import_members", path).counts[:4] == (2, 2, 0, 0)
    outcome = run("import_members", path)
    assert (outcome.counts[:4], outcome.refused) == ((2, 0, 0, 2), [])


def test_a_row_with_a_siren_alone_beside_that_of_the_siret_is_refused(tmp_path):
    MemberFactory(siret=REAL, name="Montpellier")
    rows = (row(REAL, "", "Ici"), row("", SIREN, "Ailleurs"))
    outcome = run("import_members", members(tmp_path, "siren;ville", *rows))
    assert outcome.refused == [(3, "siret", SIREN)]
    assert Member.objects.get().city == "Ici"


def test_a_member_known_by_its_siren_takes_the_siret(tmp_path):
    known = MemberFactory(kind="epci", siret=None, siren=SIREN)
    run("import_members", members(tmp_path, "ville", row(kind="epci")))
    known.refresh_from_db()
    assert known.siret == REAL


def test_a_siren_without_siret_makes_a_member_who_can_not_pay(tmp_path):
    path = members(tmp_path, "siren", row("", SIREN, kind="epci"))
    outcome = run("import_members", path)
    assert (2, "siret", "") in outcome.flagged
    assert (Member.objects.get().siren, Member.objects.get().siret) == (SIREN, None)
    assert run("import_members", path).counts[:4] == (1, 0, 0, 1)


def test_a_siren_without_siret_finds_the_member_and_leaves_its_siret(tmp_path, proposed):
    run("import_members", members(tmp_path, "siren;ville", row("", SIREN, "Ailleurs")))
    proposed.refresh_from_db()
    assert (proposed.siret, proposed.siret_to_verify, proposed.city) == (PROPOSED, True, "Ailleurs")


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("siren", "213105331", "SIRET"),
        ("siren", "213401723", "neuf"),
        ("a_verifier", "peut-être", "oui ou non"),
        ("code_service", "x" * 101, "100"),
        ("numero_engagement", "x" * 51, "50"),
        ("engagement_exige", "2", "oui ou non"),
    ],
)
def test_a_bad_cell_is_refused(tmp_path, column, value, word):
    outcome = run("import_members", members(tmp_path, column, row(REAL, value)))
    [finding] = outcome.report["refused"]
    assert finding["field"] == column
    assert word in finding["message"]


@pytest.mark.parametrize("siret", ["1340172201787", "2,13402E+13"])
def test_a_siret_damaged_by_a_spreadsheet_is_refused_with_a_clear_word(tmp_path, siret):
    [finding] = run("import_members", members(tmp_path, "ville", row(siret))).report["refused"]
    assert "tableur" in finding["message"]


def test_a_rpi_is_sent_to_its_own_list(tmp_path):
    [finding] = run("import_members", members(tmp_path, "ville", row(kind="rpi"))).report["refused"]
    assert "RPI et syndicats" in finding["message"]


def test_a_departement_has_the_code_of_one(tmp_path):
    run(
        "import_members",
        members(tmp_path, "code_insee", row("22800001400016", "080", kind="departement")),
    )
    assert Member.objects.get().insee_code == "80"


# A SIRET that an agreement names.


def named(*sirets):
    report = Report("essai")
    return pending_members(dict.fromkeys(sirets, 2), report), report


def test_an_agreement_gives_its_siret_to_a_member_whose_own_was_proposed(proposed):
    found, report = named(REAL)
    proposed.refresh_from_db()
    assert found == {REAL: proposed}
    assert (proposed.siret, proposed.siret_to_verify) == (REAL, False)
    assert [finding.value for finding in report.flagged] == [REAL]
    assert report.moved == 1


def test_an_agreement_makes_sure_the_proposed_siret_that_it_names(proposed):
    found, report = named(PROPOSED)
    proposed.refresh_from_db()
    assert found == {PROPOSED: proposed}
    assert not found[PROPOSED].siret_to_verify
    assert (proposed.siret, proposed.siret_to_verify) == (PROPOSED, False)
    assert (report.flagged, report.moved) == ([], 1)
    assert named(PROPOSED)[1].moved == 0


def test_an_agreement_that_names_the_proposed_siret_and_another_names_two_members(proposed):
    found, _ = named(PROPOSED, REAL)
    proposed.refresh_from_db()
    assert proposed.siret == PROPOSED
    assert found[PROPOSED] == proposed
    assert found[REAL] != proposed


def test_a_list_of_members_never_replaces_the_siret_of_an_agreement(tmp_path, proposed):
    named(REAL)
    run("import_members", members(tmp_path, "ville", row(PROPOSED, "Ailleurs")))
    proposed.refresh_from_db()
    assert proposed.siret == REAL
    assert proposed.city != "Ailleurs"
    assert Member.objects.get(siret=PROPOSED).city == "Ailleurs"


def test_an_agreement_gives_its_siret_to_a_member_known_by_its_siren():
    epci = MemberFactory(kind="epci", siret=None, siren=SIREN)
    assert named(REAL)[0] == {REAL: epci}


def test_two_sirets_of_a_siren_are_two_members(proposed):
    found, _ = named(REAL, ANOTHER)
    proposed.refresh_from_db()
    assert proposed.siret == PROPOSED
    assert Member.objects.count() == 3
    assert len(found) == 2


def test_a_verified_siret_makes_another_member():
    MemberFactory(siret=ANOTHER)
    named(REAL)
    assert Member.objects.count() == 2

"""The table of communes, agreements and the list of members, in any order: one debtor, one SIRET.

Row of Saubens: INSEE (COG), DGCL/BANATIC, Licence Ouverte 2.0.
"""

from itertools import permutations

import pytest
from django.db import transaction

from conventions.models import Convention
from members.models import Member
from tests.conventions.take_over import SAUBENS, changed, conventions, schedules_of_the_files, snapshot
from tests.members.files import run, write_csv
from tests.members.territory import FLAT_HEADER

pytestmark = pytest.mark.django_db

PROPOSED, NAMED = "21310533100010", "21310533100028"
COMMUNE = "31533;Saubens;31;76;213105331;;31600;2263;;;"
NEVER_IN_THE_TABLE = "21310533100036"


def files(tmp_path, of_the_agreement, of_the_list):
    schedules_of_the_files()
    return {
        "import_communes": write_csv(tmp_path / "communes.csv", FLAT_HEADER, COMMUNE),
        "import_conventions": conventions(tmp_path, changed(SAUBENS, "siret_membre", of_the_agreement)),
        "import_members": write_csv(
            tmp_path / "membres.csv", "siret;nom;type", f"{of_the_list};Commune de Saubens;commune"
        ),
    }


def in_every_order(paths, read):
    """Return {order: what is read of the database after the imports in that order}."""
    found = {}
    for order in permutations(paths):
        with transaction.atomic():
            for command in order:
                run(command, paths[command])
            found[order] = read()
            transaction.set_rollback(True)
    return found


def who_owes_what():
    agreements = Convention.objects.order_by("pk").values_list("party__siret", "debtor__siret")
    members = Member.objects.order_by("siret").values_list("siret", "siret_to_verify")
    return list(agreements), list(members)


@pytest.mark.parametrize(
    ("of_the_agreement", "of_the_list"), [(NAMED, NAMED), (PROPOSED, PROPOSED)], ids=["autre", "proposé"]
)
def test_a_siret_on_which_both_agree_gives_the_same_database(tmp_path, of_the_agreement, of_the_list):
    found = in_every_order(files(tmp_path, of_the_agreement, of_the_list), snapshot)
    [first, *others] = found.values()
    assert len(others) == 5
    for other in others:
        assert other == first
    assert len(first["members"]) == 1


@pytest.mark.parametrize(
    ("of_the_agreement", "of_the_list"),
    [(NAMED, PROPOSED), (PROPOSED, NAMED), (NAMED, NEVER_IN_THE_TABLE)],
)
def test_two_establishments_are_two_members_and_the_debtor_is_that_of_the_agreement(
    tmp_path, of_the_agreement, of_the_list
):
    sure = sorted((siret, False) for siret in (of_the_agreement, of_the_list))
    for order, found in in_every_order(
        files(tmp_path, of_the_agreement, of_the_list), who_owes_what
    ).items():
        assert found == ([(of_the_agreement, of_the_agreement)], sure), order


def test_without_a_list_the_table_and_the_agreement_give_the_same_database(tmp_path):
    paths = files(tmp_path, NAMED, NAMED)
    del paths["import_members"]
    first, second = in_every_order(paths, snapshot).values()
    assert first == second
    assert Member.objects.count() == 0


def test_once_all_are_in_each_import_finds_nothing_to_do(tmp_path):
    paths = files(tmp_path, NAMED, PROPOSED)
    for command, path in paths.items():
        run(command, path)
    before = snapshot()
    for command, path in paths.items():
        report = run(command, path).report
        assert (report["created"], report["updated"], report["moved"]) == (0, 0, 0), command
    assert snapshot() == before

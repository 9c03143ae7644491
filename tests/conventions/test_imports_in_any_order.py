"""The four imports together, in any order."""

from itertools import permutations

import pytest
from django.db import transaction

from tests.conventions.take_over import EPCI, SAUBENS, conventions, schedules_of_the_files, snapshot
from tests.factories import (
    HeadcountSourceFactory,
    valid_siret,
)
from tests.members.files import run, write_csv

pytestmark = pytest.mark.django_db


@pytest.fixture
def four_files(tmp_path):
    schedules_of_the_files()
    HeadcountSourceFactory(code="DEPP")
    return {
        "import_annuaire": write_csv(
            tmp_path / "annuaire.csv",
            "uai;nom_etablissement;type_etablissement;statut_public_prive;code_commune;nom_commune",
            "0310891A;Le Petit Prince;Ecole;Public;31533;Saubens",
            "0341301E;Collège d'essai;Collège;Public;34172;Montpellier",
        ),
        "import_members": write_csv(
            tmp_path / "membres.csv",
            "siret;nom;type",
            "21310533100010;Commune de Saubens;commune",
            f"{valid_siret(1)};CA d'Évry;epci",
        ),
        "import_headcounts": write_csv(
            tmp_path / "effectifs.csv",
            "uai;annee_scolaire;eleves;eleves_actifs;source",
            "0310891A;2024-2025;143;;DEPP",
            "0312522Y;2024-2025;89;12;DEPP",
        ),
        "import_conventions": conventions(tmp_path, SAUBENS, EPCI),
    }


def test_the_four_imports_give_the_same_database_in_any_order(four_files):
    databases = {}
    for order in permutations(four_files):
        with transaction.atomic():
            for command in order:
                run(command, four_files[command])
            databases[order] = snapshot()
            transaction.set_rollback(True)

    assert len(databases) == 24
    [*others, last] = databases.values()
    for other in others:
        assert other == last
    assert len(last["schools"]) == 3
    assert len(last["conventions"]) == 2


def test_once_all_are_in_each_import_finds_nothing_to_do(four_files):
    for command, path in four_files.items():
        run(command, path)
    before = snapshot()
    for command, path in four_files.items():
        outcome = run(command, path)
        assert (outcome.report["created"], outcome.report["updated"]) == (0, 0), command
    assert snapshot() == before


def test_an_agreement_is_found_by_the_name_its_member_was_given_later(four_files, admin_client):
    run("import_conventions", four_files["import_conventions"])
    run("import_members", four_files["import_members"])
    page = admin_client.get("/admin/conventions/convention/", {"q": "evry"})
    assert "ENT-2" in page.content.decode()
    assert "ENT-1" not in page.content.decode()

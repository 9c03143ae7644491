"""A file of agreements may say which text each one follows."""

import pytest

from conventions.models import Convention
from tests.conventions.take_over import (
    HEADER,
    SAUBENS,
    changed,
    conventions,
    schedules_of_the_files,
)
from tests.factories import MemberFactory, SchoolFactory
from tests.members.files import run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def known():
    schedules_of_the_files()
    SchoolFactory(uai="0310891A")
    MemberFactory(siret="21310533100010")


def test_a_file_may_name_the_text_of_an_agreement_and_never_erases_it(tmp_path):
    named = conventions(tmp_path, f"{SAUBENS};partenariat-occitanie-2024", header=f"{HEADER};texte")
    assert run("import_conventions", named).counts[1] == 1
    assert Convention.objects.get().policy == "partenariat-occitanie-2024"
    assert run("import_conventions", named).counts[3] == 1
    assert run("import_conventions", conventions(tmp_path, SAUBENS)).counts[3] == 1
    assert Convention.objects.get().policy == "partenariat-occitanie-2024"


def test_an_unknown_text_is_refused_with_those_that_exist(tmp_path):
    path = conventions(tmp_path, f"{SAUBENS};charte", header=f"{HEADER};texte")
    (finding,) = run("import_conventions", path).refused
    assert finding[:2] == (2, "texte")
    assert not Convention.objects.exists()


def test_years_that_the_text_does_not_cover_are_refused(tmp_path):
    """Whether the file names the text or an earlier one did."""
    header, named = f"{HEADER};texte", f"{SAUBENS};partenariat-occitanie-2024"
    wrong = [("derniere_annee", "2025-2026"), ("derniere_annee", ""), ("premiere_annee", "2023-2024")]
    for column, value in wrong:
        path = conventions(tmp_path, changed(named, column, value), header=header)
        (finding,) = run("import_conventions", path).report["refused"]
        assert finding["field"] == "derniere_annee"
        assert "ne couvre que 2024-2025" in finding["message"]
    assert not Convention.objects.exists()
    run("import_conventions", conventions(tmp_path, named, header=header))
    longer = conventions(tmp_path, changed(SAUBENS, "derniere_annee", "2025-2026"))
    assert len(run("import_conventions", longer).refused) == 1
    assert Convention.objects.get().last_year == 2024

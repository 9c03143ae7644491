"""A file of agreements may say which text each one follows."""

import pytest

from conventions.models import Convention
from tests.conventions.take_over import HEADER, SAUBENS, conventions, schedules_of_the_files
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

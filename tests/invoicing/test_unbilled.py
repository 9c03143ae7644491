"""What is still to call at 31 December, with its basis, and lists that changed after a titre."""

import datetime as dt
from decimal import Decimal

import openpyxl
import pytest
from django.core.management import call_command
from django.urls import reverse

from conventions.models import Convention, Enrolment
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.list_changes import list_changes
from invoicing.models import Exclusion, Titre
from invoicing.roles import create_groups
from invoicing.unbilled import unbilled
from tests.factories import EnrolmentFactory, IssuerFactory
from tests.invoicing.test_admin import account
from tests.invoicing.world import ISSUED_ON, YEAR

pytestmark = pytest.mark.django_db
D = Decimal


def left(world, exercice):
    return [(row.siret, row.left) for row in unbilled(world.issuer, exercice)]


def test_what_no_titre_asks_yet_is_listed_with_its_basis(world):
    rows = unbilled(world.issuer, 2025)
    assert [(row.siret, row.left) for row in rows] == [
        (member.siret, D(amount))
        for member, amount in zip(world.members, ("45.00", "90.00", "135.00"), strict=True)
    ]
    assert rows[0].is_done
    assert "tarif v1" in rows[0].basis
    world.issue()
    assert left(world, 2025) == []


def test_a_school_year_under_way_is_told_apart_and_one_to_come_is_not_listed(world):
    assert {row.is_done for row in unbilled(world.issuer, 2024)} == {False}
    assert unbilled(world.issuer, 2023) == []


def test_a_titre_of_a_later_exercice_leaves_its_amount_to_attach(world):
    world.issue(on=dt.date(2026, 2, 2))
    assert len(left(world, 2025)) == 3
    assert left(world, 2026) == []


def test_a_forgotten_school_is_the_rest(world):
    world.issue()
    EnrolmentFactory(convention=Convention.objects.get(debtor=world.members[0]))
    assert left(world, 2025) == [(world.members[0].siret, D("45.00"))]


def test_a_debtor_whose_amount_is_not_whole_says_why(world):
    lost = world.join(0)
    world.issue()
    [row] = unbilled(world.issuer, 2025)
    assert (row.siret, row.left) == (lost.siret, 0)
    assert "Aucune école inscrite" in row.to_mend


def test_the_command_writes_the_workbook(world, tmp_path, capsys):
    file = tmp_path / "a.xlsx"
    asked = ["--issuer", world.issuer.code, "--exercice", "2025", str(file), "--json"]
    call_command("export_unbilled", *asked)
    assert '"left": "270.00"' in capsys.readouterr().out
    rows = list(openpyxl.load_workbook(file).active.iter_rows(values_only=True))
    assert rows[0][:2] == ("Barème", "Année scolaire")
    assert rows[1][8] == 45


def test_the_page_gives_the_workbook_of_the_account_s_issuers_only(client, world):
    create_groups()
    other = IssuerFactory(code="AUTRE")
    client.force_login(account("lecture", issuers=[world.issuer]))
    url = reverse("admin:invoicing_campaign_export_unbilled")
    assert client.get(url).status_code == 200
    answer = client.post(url, {"issuer": world.issuer.pk, "exercice": "2025"})
    assert answer["Content-Disposition"].endswith('"produits-a-rattacher-TST-2025.xlsx"')
    refused = client.post(url, {"issuer": other.pk, "exercice": "2025"})
    assert refused.context["form"].errors["issuer"]


# Lists that changed.


def changes(world):
    return [(c.uai, c.added, c.titre_reference) for c in list_changes(world.schedule, YEAR)]


def test_schools_that_came_or_went_after_the_titre_are_told_with_it(world):
    world.issue()
    assert changes(world) == []
    third = world.members[2]
    titre = Titre.objects.get(debtor=third)
    gone = Enrolment.objects.filter(convention__debtor=third).latest("pk")
    gone.delete()
    new = EnrolmentFactory(convention=Convention.objects.get(debtor=third))
    expected = [(gone.school.uai, False, titre.reference), (new.school.uai, True, titre.reference)]
    assert changes(world) == sorted(expected)

    correct(
        titre=titre,
        kind=Titre.Kind.REDUCTION,
        reason_code="liquidation",
        reason="École retirée",
        parts=[PartOff(D("45.00"), line=titre.lines.get(uai=gone.school.uai))],
        on=ISSUED_ON,
        signatory=world.signatory,
        actor="essai",
    )
    assert changes(world) == [(new.school.uai, True, titre.reference)]


def test_a_school_left_out_after_the_titre_is_told(world):
    world.issue()
    school = Enrolment.objects.earliest("pk").school
    scope = {"schedule": world.schedule, "school_year": YEAR}
    Exclusion.objects.create(**scope, school=school, reason="Fermée en cours d'année")
    assert [(uai, added) for uai, added, _ in changes(world)] == [(school.uai, False)]


def test_who_has_no_titre_has_no_list_to_compare(world):
    world.issue()
    world.join(2)
    assert changes(world) == []

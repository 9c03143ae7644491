"""What an account reads when a page is not there, or not for it."""

import pytest
from django.template.loader import render_to_string

from tests.conventions.world import account
from tests.factories import SchoolFactory


@pytest.mark.parametrize(
    ("code", "words"),
    [("403", "Accès refusé"), ("404", "Page introuvable"), ("500", "Rien n'a été enregistré")],
)
def test_each_error_is_told_in_french_with_a_way_back(code, words):
    page = render_to_string(f"{code}.html")
    assert words in page
    assert 'lang="fr"' in page
    assert 'href="/"' in page


@pytest.mark.django_db
def test_a_page_that_is_not_there_says_so(admin_client):
    response = admin_client.get("/nulle-part/")
    assert response.status_code == 404
    assert "Page introuvable" in response.content.decode()


@pytest.mark.django_db
def test_a_right_that_is_missing_is_told(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("lecteur", is_staff=True))
    school = SchoolFactory()
    response = client.get(f"/admin/members/school/{school.pk}/change/")
    assert response.status_code == 403
    assert "Accès refusé" in response.content.decode()


@pytest.mark.django_db
def test_a_reader_refused_a_page_keeps_the_menu(client):
    account(client, "lecture")
    page = client.get("/admin/invoicing/campaign/add/")
    assert page.status_code == 403
    assert "Accès refusé" in page.text
    assert "Reste à recouvrer" in page.text

"""An address that names no row is told so, whatever it holds, on every page of the staff."""

import pytest
from django.contrib import admin
from django.urls import reverse

from members.models import User

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_key_that_is_none_is_no_row(model, client):
    client.force_login(User.objects.create(username="cheffe", is_staff=True, is_superuser=True))
    for page in ("change", "history"):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
        assert client.get(reverse(name, args=["rien-de-tel"])).status_code in (302, 404)

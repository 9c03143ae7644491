"""Every row that people edit keeps the history of its fields, with its author."""

import pytest
from django.contrib import admin
from django.test import RequestFactory

from entsvc.history import is_kept
from entsvc.history_page import HistoryPage
from invoicing.models import Titre
from members.models import User

# Its follow-up columns only may change, each by an event that says who and when.
DATED_BY_EVENTS = {Titre}


@pytest.fixture
def administrator():
    request = RequestFactory().get("/")
    request.user = User(username="chef", is_staff=True, is_superuser=True)
    return request


def editable(request):
    """Return the models that an administrator may change or delete, in a form or an inline."""
    found = set()
    for model, page in admin.site._registry.items():
        if page.has_change_permission(request) or page.has_delete_permission(request):
            found.add(model)
        for inline in (kind(model, admin.site) for kind in page.inlines):
            if inline.has_change_permission(request):
                found.add(inline.model)
    return found


def test_what_people_may_edit_keeps_its_history(administrator):
    models = editable(administrator)
    assert len(models) > 40
    assert {model for model in models if not is_kept(model)} == DATED_BY_EVENTS


def test_every_page_of_such_a_row_shows_it(administrator):
    shown = [page for model, page in admin.site._registry.items() if is_kept(model)]
    assert shown
    assert not [page for page in shown if not isinstance(page, HistoryPage)]

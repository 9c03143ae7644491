"""Every staff page, opened on the demonstration: it answers, and asks the database little."""

from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conventions.models import Forecast
from members.models import User
from tariffs.models import Version

MOST_QUERIES = 20
ROWS = 2  # of each list whose page is opened
PAGES = (
    "admin:index", "collection:balance", "collection:search", "conventions:readiness",
    "conventions:openings", "conventions:debtors", "conventions:productions", "collection:works",
    "conventions:blank-papers", "conventions:forecasts", "conventions:forecast-new",
    "conventions:etats", "conventions:what-if",
)  # fmt: skip


def addresses():
    """Yield the address of every list, of the form of a new row, of a few rows and of their history."""
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist"), MOST_QUERIES
        yield reverse(f"{name}_add"), MOST_QUERIES
        for key in model._default_manager.order_by("-pk").values_list("pk", flat=True)[:ROWS]:
            yield reverse(f"{name}_change", args=[key]), MOST_QUERIES
            yield reverse(f"{name}_history", args=[key]), MOST_QUERIES
    yield from ((reverse(page), MOST_QUERIES) for page in PAGES)
    for key in Forecast.objects.order_by("pk").values_list("pk", flat=True)[:ROWS]:
        yield reverse("conventions:forecast", args=[key]), MOST_QUERIES
    for key in Version.objects.order_by("pk").values_list("pk", flat=True):
        yield f"{reverse('conventions:what-if')}?version={key}", MOST_QUERIES


def check_every_page(username):
    """Open all that an account may open; return how many pages answered."""
    client = Client()
    client.force_login(User.objects.get(username=username))
    client.get(reverse("admin:index"))
    opened, heavy = 0, {}
    for address, most in addresses():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        assert answer.status_code in (200, 302, 403), (address, answer.status_code)
        opened += answer.status_code == 200
        if len(queries) > most:
            heavy[address] = len(queries)
    assert not heavy, heavy
    return opened

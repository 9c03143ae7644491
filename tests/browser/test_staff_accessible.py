"""The main pages and forms of the staff on a desk, by axe: the standard, the rest is the theme's."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from conventions.models import Convention, Forecast
from invoicing.models import Run
from invoicing.rendering import render_missing
from tests.browser.conftest import DESKTOP, PHONE, WCAG
from tests.browser.people import as_staff
from tests.conventions.forecasts.foretelling import sent
from tests.factories import HeadcountFactory
from tests.invoicing.world import YEAR, a_world


@pytest.fixture
def world(db, monkeypatch):
    """A year issued, with a second run to review and one to compare with."""
    monkeypatch.setattr("invoicing.rendering.render_pdf", lambda *_: b"%PDF essai")
    monkeypatch.setattr("invoicing.bordereau_pdf.render_pdf", lambda *_, **__: b"%PDF essai")
    world = a_world()
    HeadcountFactory(school_year=YEAR)
    issued = world.issue()
    list(render_missing(issued.bordereau.titres.all()))
    world.compute()
    monkeypatch.setattr("conventions.forecasts.letters.render_pdf", lambda *_: b"%PDF essai")
    sent(world.schedule, year=YEAR)
    return world


def addresses(world):
    """The pages where the staff spend their days."""
    run = Run.objects.get(number=2, campaign__schedule=world.schedule)
    call = run.calls.order_by("siret").first()
    line = call.lines.order_by("position").first()
    titre = run.campaign.titres.order_by("number").first()
    yield reverse("admin:index")
    yield f"{reverse('collection:search')}?q=commune"
    for page in (
        "conventions:readiness", "conventions:what-if", "conventions:productions",
        "conventions:forecasts",
    ):  # fmt: skip
        yield reverse(page)
    yield reverse("conventions:forecast", args=[Forecast.objects.get().pk])
    yield reverse("collection:balance")
    yield reverse("collection:review", args=[run.pk])
    yield reverse("collection:review-member", args=[run.pk, call.pk])
    yield reverse("collection:explanation", args=[run.pk, call.pk, line.position])
    for name, key in (
        ("members_member", call.debtor_id),
        ("invoicing_campaign", run.campaign_id),
        ("invoicing_run", run.pk),
        ("invoicing_titre", titre.pk),
        ("invoicing_bordereau", titre.bordereau_id),
    ):
        yield reverse(f"admin:{name}_changelist")
        yield reverse(f"admin:{name}_change", args=[key])
    yield reverse("admin:invoicing_run_issue_titres", args=[run.pk])
    yield reverse("admin:invoicing_titre_facturx", args=[titre.pk])
    yield reverse("admin:invoicing_bordereau_facturx", args=[titre.bordereau_id])
    yield reverse("admin:members_member_history", args=[call.debtor_id])


def test_the_main_pages_of_the_staff_are_accessible(visitor, world):
    staff = as_staff(visitor(), "finances", world.issuer)
    staff.page.set_viewport_size(DESKTOP)
    for address in addresses(world):
        staff.go(address)
        staff.check_here(WCAG)


def test_the_forms_that_hold_rows_and_search_boxes_are_accessible(visitor, world):
    staff = as_staff(visitor(), "gestionnaire", world.issuer)
    staff.page.set_viewport_size(DESKTOP)
    convention = Convention.objects.order_by("pk").first()
    school = convention.enrolments.order_by("pk").first().school
    for name, key in (("conventions_convention", convention.pk), ("members_school", school.pk)):
        staff.go(reverse(f"admin:{name}_change", args=[key]))
        staff.check_here(WCAG)
    staff.go(reverse("admin:conventions_convention_add"))
    staff.check_here(WCAG)


def test_the_controls_of_the_channel_come_on_the_review_once_in_sight(visitor, world):
    run = Run.objects.get(number=2, campaign__schedule=world.schedule)
    staff = as_staff(visitor(), "finances", world.issuer)
    staff.page.set_viewport_size(PHONE)
    page = staff.go(reverse("collection:review", args=[run.pk]))
    # It may be replaced by what it asks for before it is in sight.
    page.get_by_role("heading", name="Avant d'émettre").evaluate("found => found.scrollIntoView()")
    part = page.get_by_role("region", name="Avant d'émettre")
    expect(part).to_contain_text("Rien à émettre de ce calcul.")
    staff.check_here(WCAG)

"""A tariff that exists nowhere, entered in the admin's forms, adopted and computed: no code knew it."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from conventions.models import Subscription
from invoicing.calculation import compute_run
from members.models import User
from tariffs.models import Adoption, Band, Charge, Schedule, Version
from tariffs.versions import copy_version
from tests.factories import (
    ActFactory,
    AdoptionFactory,
    ChargeFactory,
    ConventionFactory,
    EnrolmentFactory,
    HeadcountFactory,
    IssuerFactory,
    VersionFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create(username="admin", is_staff=True, is_superuser=True))
    return client


def inline(prefix, rows=(), initial=0):
    """Return the form data of an inline with these new rows."""
    data = {f"{prefix}-TOTAL_FORMS": initial + len(rows), f"{prefix}-INITIAL_FORMS": initial}
    for index, row in enumerate(rows, start=initial):
        data |= {f"{prefix}-{index}-{name}": value for name, value in row.items()}
    return data


def errors_of(response):
    """Return {field: messages} of the page's form and of its inlines."""
    assert response.status_code == 200, "la page aurait dû refuser"
    found = dict(response.context["adminform"].form.errors)
    for formset in response.context["inline_admin_formsets"]:
        for form in formset.formset.forms:
            found |= {f"{formset.formset.prefix}.{name}": e for name, e in form.errors.items()}
    return found


def add(staff, name, data):
    return staff.post(reverse(f"admin:{name}_add"), data)


CHARGE = {
    "position": 1,
    "code": "ACCES",
    "label": "Accès au service",
    "unit_label": "école",
    "unit_plural": "écoles",
    "metric": "schools",
    "model": "unit",
    "unit_price": "10",
    "pool": "",
    "degree": "premier",
    "sector": "public",
    "subscription": "",
    "notice": "",
    "note": "",
}


def enter_the_tariff(staff):
    """Enter a tariff with two bands, a subscription and a pool, page after page."""
    issuer = IssuerFactory()
    schedule = {
        "issuer": issuer.pk, "code": "LUNE", "name": "Tarif lunaire", "subject": "Participation lunaire",
        "vat": "Hors du champ de la TVA", "programme": "P", "account": "7000", "function_code": "",
        "local_product": "", "note": "",
    }  # fmt: skip
    assert (
        add(
            staff, "tariffs_schedule", schedule | inline("version_set") | inline("adoption_set")
        ).status_code
        == 302
    )
    schedule = Schedule.objects.get(code="LUNE")
    version = {"schedule": schedule.pk, "label": "v1", "note": ""}
    assert add(staff, "tariffs_version", version | inline("charges")).status_code == 302
    version = Version.objects.get(schedule=schedule)
    bands = [
        {"lower": 1, "upper": 99, "price": "20.00", "note": ""},
        {"lower": 100, "upper": 999, "price": "35.50", "note": ""},
    ]
    charges = [
        (CHARGE | {"model": "banded", "unit_price": ""}, bands),
        (CHARGE | {"code": "PLUS", "label": "Option", "unit_label": "élève", "position": 2,
                   "unit_plural": "élèves", "metric": "pupils", "unit_price": "0.3333",
                   "subscription": "PLUS"}, []),
        (CHARGE | {"code": "FONDS", "label": "Fonds commun", "position": 3, "metric": "schools",
                   "model": "allocation", "unit_price": "", "pool": "100.00"}, []),
    ]  # fmt: skip
    for charge, rows in charges:
        response = add(staff, "tariffs_charge", charge | {"version": version.pk} | inline("bands", rows))
        assert response.status_code == 302, errors_of(response)
    adoption = {
        "schedule": schedule.pk, "school_year": "2024-2025", "version": version.pk,
        "act": ActFactory(issuer=issuer).pk,
    }  # fmt: skip
    assert add(staff, "tariffs_adoption", adoption).status_code == 302
    return schedule


def test_a_regime_that_exists_nowhere_is_entered_adopted_and_computed(staff):
    schedule = enter_the_tariff(staff)
    for pupils, option in ((99, ""), (100, "PLUS"), (300, "")):
        convention = ConventionFactory(schedule=schedule)
        enrolment = EnrolmentFactory(convention=convention)
        HeadcountFactory(school=enrolment.school, pupils=pupils)
        if option:
            Subscription.objects.create(convention=convention, code=option, first_year=2024)
    run = compute_run(schedule=schedule, year=2024, actor="test")
    assert not run.anomalies.exists()
    lines = {
        call.siret: {line.charge: line.amount for line in call.lines.order_by("position")}
        for call in run.calls.order_by("siret")
    }
    assert list(lines.values()) == [
        {"ACCES": Decimal("20.00"), "FONDS": Decimal("33.34")},
        {"ACCES": Decimal("35.50"), "PLUS": Decimal("33.33"), "FONDS": Decimal("33.33")},
        {"ACCES": Decimal("35.50"), "FONDS": Decimal("33.33")},
    ]


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        ([(1, 200), (200, 399)], "La tranche 200 à 399 recouvre la tranche 1 à 200."),
        ([(1, 200), (210, 399)], "Aucune tranche pour 201 à 209 : faites commencer celle-ci à 201."),
    ],
)
def test_bands_that_overlap_or_leave_a_gap_are_refused_on_the_bound(staff, bands, message):
    version = VersionFactory()
    rows = [{"lower": a, "upper": b, "price": "1.00", "note": ""} for a, b in bands]
    data = CHARGE | {"version": version.pk, "model": "banded", "unit_price": ""}
    response = add(staff, "tariffs_charge", data | inline("bands", rows))
    assert message in errors_of(response)["bands.lower"]
    assert not Charge.objects.exists()


def test_a_band_that_ends_before_it_begins_is_refused_on_the_bound(staff):
    rows = [{"lower": 10, "upper": 5, "price": "1.00", "note": ""}]
    data = CHARGE | {"version": VersionFactory().pk, "model": "banded", "unit_price": ""}
    response = add(staff, "tariffs_charge", data | inline("bands", rows))
    assert "La fin de la tranche précède son début." in errors_of(response)["bands.upper"]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"unit_price": "-1"}, "unit_price", "Un prix ne peut pas être négatif."),
        ({"unit_price": ""}, "unit_price", "Ce modèle demande un prix unitaire."),
        (
            {"model": "banded"},
            "unit_price",
            "Le prix unitaire va avec le modèle « prix unitaire ».",
        ),
        ({"pool": "5.00"}, "pool", "L'enveloppe va avec le modèle « répartition »."),
        (
            {"model": "allocation", "unit_price": "", "pool": "-5"},
            "pool",
            "Un prix ne peut pas être négatif.",
        ),
        ({"code": ""}, "code", "Ce champ est obligatoire."),
    ],
)
def test_a_charge_that_could_not_be_priced_is_refused_on_its_field(staff, change, field, message):
    data = CHARGE | {"version": VersionFactory().pk} | change
    response = add(staff, "tariffs_charge", data | inline("bands"))
    assert message in errors_of(response)[field]


def test_a_negative_band_price_is_refused_on_its_field(staff):
    rows = [{"lower": 1, "upper": 2, "price": "-1.00", "note": ""}]
    data = CHARGE | {"version": VersionFactory().pk, "model": "banded", "unit_price": ""}
    response = add(staff, "tariffs_charge", data | inline("bands", rows))
    assert "Un prix ne peut pas être négatif." in errors_of(response)["bands.price"]


def test_an_adoption_without_act_is_refused_on_its_field(staff):
    version = ChargeFactory().version
    data = {"schedule": version.schedule_id, "school_year": "2024-2025", "version": version.pk}
    response = add(staff, "tariffs_adoption", data | {"act": ""})
    assert "Ce champ est obligatoire." in errors_of(response)["act"]


def test_an_adoption_of_another_schedule_s_version_is_refused(staff):
    version, other = ChargeFactory().version, VersionFactory()
    data = {"schedule": other.schedule_id, "school_year": "2024-2025", "version": version.pk}
    response = add(staff, "tariffs_adoption", data | {"act": ActFactory().pk})
    assert "Cette version est celle d'un autre barème." in errors_of(response)["version"]


def test_an_incomplete_version_is_not_adopted(staff):
    version = VersionFactory()
    ChargeFactory(version=version, model="banded", unit_price=None)
    data = {"schedule": version.schedule_id, "school_year": "2024-2025", "version": version.pk}
    response = add(staff, "tariffs_adoption", data | {"act": ActFactory().pk})
    assert "La ligne ECOLE n'a aucune tranche." in errors_of(response)["version"]


def test_an_adopted_version_is_shown_and_never_written(staff):
    charge = ChargeFactory()
    AdoptionFactory(version=charge.version)
    url = reverse("admin:tariffs_charge_change", args=[charge.pk])
    assert staff.get(url).status_code == 200
    assert staff.post(url, CHARGE | {"version": charge.version_id}).status_code == 403
    version = reverse("admin:tariffs_version_change", args=[charge.version_id])
    assert staff.post(version, {"label": "autre"} | inline("charges")).status_code == 403


@pytest.mark.parametrize(
    "write",
    [
        "UPDATE tariffs_charge SET unit_price = 1",
        "DELETE FROM tariffs_charge",
        "UPDATE tariffs_band SET price = 1",
        "DELETE FROM tariffs_band",
        "UPDATE tariffs_version SET label = 'autre'",
        "UPDATE tariffs_adoption SET school_year = 2030",
    ],
)
def test_an_adopted_version_is_frozen_in_the_database_itself(write):
    charge = ChargeFactory(model="banded", unit_price=None)
    Band.objects.create(charge=charge, lower=1, upper=9, price=Decimal("1.00"))
    AdoptionFactory(version=charge.version)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(write)


def test_nothing_is_added_to_an_adopted_version():
    charge = ChargeFactory(model="banded", unit_price=None)
    AdoptionFactory(version=charge.version)
    with pytest.raises(IntegrityError), transaction.atomic():
        ChargeFactory(version=charge.version, code="AUTRE")
    with pytest.raises(IntegrityError), transaction.atomic():
        Band.objects.create(charge=charge, lower=1, upper=9, price=Decimal("1.00"))


def test_the_next_version_starts_as_a_copy_free_to_change(staff):
    charge = ChargeFactory(model="banded", unit_price=None)
    Band.objects.create(charge=charge, lower=1, upper=9, price=Decimal("1.00"), note="bord")
    AdoptionFactory(version=charge.version)
    url = reverse("admin:tariffs_version_copy", args=[charge.version_id])
    assert staff.get(url).status_code == 200
    assert Version.objects.count() == 1
    response = staff.post(url, {"label": "v2"})
    copy = Version.objects.get(label="v2")
    assert response.url == reverse("admin:tariffs_version_change", args=[copy.pk])
    [clone] = copy.charges.all()
    assert (clone.code, clone.metric, clone.model) == (charge.code, charge.metric, "banded")
    assert list(clone.bands.values_list("lower", "upper", "price", "note")) == [
        (1, 9, Decimal("1.00"), "bord")
    ]
    clone.label = "Nouveau libellé"
    clone.save()


def test_a_copy_needs_a_name_of_its_own(staff):
    version = ChargeFactory().version
    url = reverse("admin:tariffs_version_copy", args=[version.pk])
    page = staff.post(url, {"label": version.label})
    assert "Ce barème a déjà une version de ce nom." in page.content.decode()


def test_an_adoption_is_withdrawn_only_while_no_calculation_rests_on_it():
    charge = ChargeFactory()
    unused = AdoptionFactory(version=charge.version, school_year=2023)
    used = AdoptionFactory(version=charge.version, school_year=2024)
    compute_run(schedule=charge.version.schedule, year=2024, actor="test")
    unused.delete()
    assert list(Adoption.objects.all()) == [used]
    with pytest.raises(IntegrityError):
        used.delete()


def test_copying_an_unadopted_version_leaves_it_as_it_was():
    charge = ChargeFactory()
    copy_version(charge.version, "v2")
    assert charge.version.charges.count() == 1

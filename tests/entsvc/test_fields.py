"""Columns that two databases read alike: money in cents, school years as integers, search keys."""

from decimal import Decimal

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Sum
from hypothesis import given
from hypothesis import strategies as st

from entsvc.fields import MoneyField, SchoolYearField, SchoolYearFormField, search_key
from tariffs.models import Adoption, Band, Charge
from tests.factories import AdoptionFactory, BandFactory, ChargeFactory, MemberFactory

money = MoneyField("montant")
amounts = st.integers(-(10**14), 10**14).map(lambda cents: Decimal(cents).scaleb(-2))


# Money.


@given(amounts)
def test_an_amount_comes_back_from_its_cents(amount):
    assert money.from_db_value(money.get_prep_value(amount), None, None) == amount


@pytest.mark.parametrize(("value", "euros"), [("45", "45.00"), (45, "45.00"), ("1.5", "1.50")])
def test_what_a_form_or_a_fixture_gives_becomes_euros(value, euros):
    assert str(money.to_python(value)) == euros


@pytest.mark.parametrize("value", ["0.001", Decimal("1.005"), "1,50", "douze", "NaN", "Infinity", ""])
def test_a_fraction_of_a_cent_or_no_number_is_refused(value):
    with pytest.raises(ValidationError):
        money.to_python(value)


def test_no_amount_stays_no_amount():
    assert money.to_python(None) is None
    assert money.get_prep_value(None) is None
    assert money.from_db_value(None, None, None) is None


@pytest.mark.django_db
def test_the_database_holds_whole_cents():
    band = BandFactory(price=Decimal("187.62"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT price FROM tariffs_band WHERE id = %s", [band.pk])
        assert cursor.fetchone() == (18762,)
    assert str(Band.objects.get().price) == "187.62"


@pytest.mark.django_db
def test_sums_and_comparisons_are_exact_in_the_database():
    charge = ChargeFactory()
    for lower, price in [(1, "0.10"), (2, "0.20")]:
        BandFactory(charge=charge, lower=lower, upper=lower, price=Decimal(price))
    total = Band.objects.aggregate(total=Sum("price"))["total"]
    assert str(total) == "0.30"
    assert Band.objects.filter(price__lte=Decimal("0.10")).count() == 1
    assert Band.objects.filter(price=Decimal("0.20")).count() == 1


@pytest.mark.django_db
def test_an_amount_can_be_changed_by_the_database_itself():
    BandFactory(price=Decimal("10.00"))
    Band.objects.update(price=F("price") + 50)  # an expression works in cents
    assert str(Band.objects.get().price) == "10.50"


@pytest.mark.django_db
def test_a_negative_price_is_refused_by_the_database():
    with pytest.raises(IntegrityError), transaction.atomic():
        BandFactory(price=Decimal("-0.01"))


@pytest.mark.django_db
def test_an_amount_is_serialised_in_euros_and_read_back():
    band = BandFactory(price=Decimal("187.62"))
    text = serializers.serialize("json", [band])
    assert '"187.62"' in text
    [restored] = serializers.deserialize("json", text)
    assert restored.object.price == Decimal("187.62")


def test_an_amount_is_edited_in_euros():
    field = money.formfield()
    assert field.clean("12.34") == Decimal("12.34")
    with pytest.raises(ValidationError):
        field.clean("12.345")


# School years.


@pytest.mark.parametrize("typed", ["1234,56", "1 234,56", "1234.56", "1\u202f234,56"])
def test_an_amount_is_typed_as_people_write_it(typed):
    field = money.formfield()
    assert field.clean(typed) == Decimal("1234.56")
    assert field.prepare_value(Decimal("1234.56")) == "1234,56"
    assert not field.has_changed(Decimal("1234.56"), typed)


def test_the_labels_of_amounts_and_years_begin_with_a_capital():
    labels = [money.formfield().label, SchoolYearField("année scolaire").formfield().label]
    assert labels == ["Montant", "Année scolaire"]


def test_a_school_year_is_typed_and_shown_as_it_is_written():
    field = SchoolYearField("année scolaire").formfield()
    assert isinstance(field, SchoolYearFormField)
    assert field.clean("2024-2025") == 2024
    assert field.prepare_value(2024) == "2024-2025"
    assert field.prepare_value("2024-20") == "2024-20"


@pytest.mark.parametrize(("typed", "changed"), [("2024-2025", False), ("2025-2026", True)])
def test_a_form_knows_whether_the_year_was_changed(typed, changed):
    field = SchoolYearField("année scolaire").formfield()
    assert field.has_changed(2024, typed) == changed


def test_a_wrong_year_is_refused_in_french():
    with pytest.raises(ValidationError, match="année scolaire"):
        SchoolYearField("année scolaire").formfield().clean("2024")


def test_an_optional_year_may_be_left_empty():
    assert SchoolYearField("dernière", null=True, blank=True).formfield().clean("") is None


@pytest.mark.parametrize("year", [1999, 2100, 24])
def test_a_year_that_can_only_be_a_slip_is_refused(year):
    with pytest.raises(ValidationError):
        SchoolYearField("année scolaire").clean(year, None)


@pytest.mark.django_db
def test_a_row_reads_its_year_in_words():
    adoption = AdoptionFactory(school_year=2024)
    assert adoption.school_year_label == "2024-2025"
    assert Adoption().school_year_label == ""


# Search keys.


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Évry", "evry"),
        ("ÉVRY-COURCOURONNES", "evry courcouronnes"),
        ("  Saint-Étienne   du Bois ", "saint etienne du bois"),
        ("Œuilly", "oeuilly"),
        ("L'Haÿ-les-Roses", "l'hay les roses"),
        ("", ""),
    ],
)
def test_a_search_key_has_neither_case_nor_accents(text, key):
    assert search_key(text) == key


@given(st.text())
def test_a_search_key_is_its_own_key(text):
    key = search_key(text)
    assert search_key(key) == key
    assert key.isascii()


@given(st.text())
def test_case_does_not_matter(text):
    assert search_key(text) == search_key(search_key(text).upper())


@pytest.mark.django_db
def test_a_saved_row_can_be_found_by_its_key():
    member = MemberFactory(name="Commune d'Évry")
    assert "commune d'evry" in member.search
    member.name = "Commune de Thônes"
    member.save()
    member.refresh_from_db()
    assert "thones" in member.search


def test_what_the_database_does_not_see_stays_out_of_migrations():
    field = MemberFactory._meta.model._meta.get_field("search")
    assert "from_fields" not in field.deconstruct()[3]


def test_a_price_of_four_decimals_is_no_amount_of_money():
    assert not isinstance(Charge._meta.get_field("unit_price"), MoneyField)

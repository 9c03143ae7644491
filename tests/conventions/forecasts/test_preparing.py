"""What each member will probably owe: the engine of the calls, on the members of the year read."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import Error, transaction
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from conventions import states, what_if
from conventions.assessment import Decisions
from conventions.forecasts import preparing
from conventions.forecasts.reading import ForecastRefused
from conventions.models import Convention, Forecast, ForecastAmount
from entsvc.models import JournalEntry
from tariffs import engine
from tests.conventions.forecasts.foretelling import NEXT, a_world, prepared, reasons, sent, told
from tests.conventions.what_if_world import a_draft, join
from tests.conventions.world import PER_PUPIL, PER_SCHOOL, YEAR
from tests.factories import (
    ActFactory,
    AdoptionFactory,
    HeadcountFactory,
    HeadcountSourceFactory,
    IssuerFactory,
    SignatoryFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule(press):
    return a_world()


def test_it_works(schedule):
    forecast = prepared(schedule)
    assert told(forecast) == {
        "Petite": ("285.00", "285.00"),
        "Grande": ("1545.00", "1545.00"),
        "Ensemble": ("7245.00", "7245.00"),
    }
    assert not forecast.is_sent
    row = forecast.amounts.get(name="Petite")
    assert row.payload["compared"] is None
    assert sum(Decimal(line["amount"]) for line in row.payload["lines"]) == row.total
    assert row.payload["sources"][0].startswith(
        "1 école inscrite en 2024-2025".replace(" ", "\u00a0", 1)
    )
    assert "Effectifs 2024-2025 : Constat de rentrée, connus au" in row.payload["sources"][1]
    assert forecast.payload["tariff"] == (
        "le tarif de 2024-2025, celui de 2025-2026 n'étant pas encore voté"
    )
    assert JournalEntry.objects.filter(action="preparer-montants").count() == 1


def test_a_hypothesis_is_announced_beside_the_tariff_of_today(schedule):
    forecast = prepared(schedule, given={"prix-ELEVES": "6,10"})
    assert told(forecast)["Petite"] == ("289.00", "285.00")
    row = forecast.amounts.get(name="Petite")
    assert row.payload["compared"]["difference"] == "4.00"
    assert row.payload["compared"]["change"].startswith("+4,00")
    assert forecast.payload["tariff"] == "un projet de tarif pour 2025-2026, qui n'est pas encore voté"
    assert [change["label"] for change in forecast.payload["changes"]]
    assert "prix-ELEVES=6%2C10" in forecast.query


def test_a_tariff_voted_for_the_year_announced_is_told_as_voted(schedule):
    version = a_draft(schedule, PER_PUPIL | {"unit_price": Decimal("5.00")}, PER_SCHOOL)
    assert "projet de tarif" in prepared(schedule, version=version).payload["tariff"]
    act = ActFactory(issuer=schedule.issuer)
    AdoptionFactory(schedule=schedule, version=version, school_year=NEXT, act=act)
    forecast = prepared(schedule, version=version)
    assert forecast.payload["tariff"] == "le tarif adopté pour 2025-2026"
    assert forecast.payload["voted"]
    assert forecast.payload["act"] == str(act)


def test_a_member_whose_amount_is_not_sure_has_no_letter_unless_approximations_are_admitted(schedule):
    rough = HeadcountSourceFactory(code="APPROX", label="Estimation", rank=9, billable=False)
    about = join(schedule, None, name="Environ")
    join(schedule, None, name="Inconnue")
    school = Convention.objects.get(party=about).enrolments.get().school
    HeadcountFactory(school=school, school_year=YEAR, pupils=10, source=rough)
    Convention.objects.filter(schedule=schedule).update(last_year=None)
    forecast = prepared(schedule)
    assert set(told(forecast)) == {"Petite", "Grande", "Ensemble"}
    assert set(reasons(forecast)) == {"Environ", "Inconnue"}
    assert "approximation" in reasons(forecast)["Environ"]
    admitted = prepared(schedule, given={"approches": "on"})
    assert set(reasons(admitted)) == {"Inconnue"}
    row = admitted.amounts.get(name="Environ")
    assert any(words.startswith("Effectifs approchés 2024-2025 : Estimation") for words in
               row.payload["sources"])  # fmt: skip


def test_a_member_without_siret_has_no_letter_and_amounts_of_nothing_are_not_announced(schedule):
    join(schedule, 10, name="Sans numéro", siret=None)
    forecast = prepared(schedule, given={"prix-ELEVES": "0", "prix-ECOLE": "1"})
    assert "SIRET" in reasons(forecast)["Sans numéro"]
    nothing = {"prix-ELEVES": "0", "prix-ECOLE": "0"}
    with pytest.raises(ForecastRefused, match="Aucun montant sûr"):
        prepared(schedule, given=nothing)


def test_agreements_over_by_then_are_left_out_and_those_to_renew_are_told(schedule):
    Convention.objects.filter(party__name="Petite").update(status=states.TERMINATED, last_year=YEAR)
    Convention.objects.filter(party__name="Grande").update(last_year=YEAR)
    later = join(schedule, 30, name="Nouvelle")
    Convention.objects.filter(party=later).update(first_year=NEXT, last_year=None)
    forecast = prepared(schedule)
    assert set(told(forecast)) == {"Grande", "Ensemble"}
    assert "résiliée" in reasons(forecast)["Petite"]
    assert "ne commence qu'en 2025-2026" in reasons(forecast)["Nouvelle"]
    [title] = forecast.amounts.get(name="Grande").payload["renewals"]
    assert Convention.objects.get(party__name="Grande").reference in title
    assert forecast.amounts.get(name="Ensemble").payload["renewals"] == []
    same_year = prepared(schedule, year=YEAR)
    assert "Petite" in told(same_year), "it owes the year in which it ends"


def test_what_was_decided_for_the_year_read_alone_is_not_carried(schedule, monkeypatch):
    siret = Convention.objects.get(party__name="Petite").debtor.siret
    deduction = engine.Deduction("Aide", Decimal("100.00"))
    decided = Decisions(deductions={siret: (deduction,)})
    monkeypatch.setitem(what_if.DECIDED, "calls", lambda schedule, year, pools: decided)
    forecast = prepared(schedule)
    assert told(forecast)["Petite"][0] == "285.00"
    assert forecast.amounts.get(name="Petite").payload["decided"]
    assert not forecast.amounts.get(name="Grande").payload["decided"]
    assert told(prepared(schedule, year=YEAR))["Petite"][0] == "185.00"


def test_a_second_click_prepares_nothing_and_another_hypothesis_takes_the_place_of_the_draft(schedule):
    first = prepared(schedule)
    assert prepared(schedule).pk == first.pk
    again = prepared(schedule, given={"prix-ELEVES": "7"}, actor="autre")
    assert list(Forecast.objects.values_list("pk", flat=True).order_by("pk")) == [again.pk]
    assert ForecastAmount.objects.count() == 3
    other_year = prepared(schedule, year=YEAR)
    assert Forecast.objects.count() == 2
    preparing.drop(pk=other_year.pk, actor="essai")
    assert list(Forecast.objects.order_by("pk")) == [again]


def test_nothing_is_prepared_in_the_name_of_who_does_not_sign_that_day(schedule):
    other = SignatoryFactory(issuer=IssuerFactory(code="AUTRE"))
    with pytest.raises(ForecastRefused, match="n'est pas celui"):
        prepared(schedule, signatory=other)
    with pytest.raises(ForecastRefused, match="qualité"):
        prepared(schedule, written_on=dt.date(2019, 1, 1))
    with pytest.raises(ForecastRefused, match="précéder"):
        prepared(schedule, year=YEAR - 1)
    with pytest.raises(ForecastRefused, match="L'hypothèse"):
        prepared(schedule, given={"prix-ELEVES": "peu"})
    assert not Forecast.objects.exists()


def test_what_is_sent_never_changes_in_the_database_itself(schedule):
    forecast = sent(schedule)
    row = forecast.amounts.order_by("pk").first()
    attempts = [
        lambda: Forecast.objects.filter(pk=forecast.pk).update(exercice=2030),
        lambda: Forecast.objects.filter(pk=forecast.pk).update(sent_at=None, sent_by=""),
        lambda: ForecastAmount.objects.filter(pk=row.pk).update(total=Decimal("1.00")),
        lambda: ForecastAmount.objects.filter(pk=row.pk)._raw_delete("default"),
        lambda: ForecastAmount.objects.bulk_create([_copy(row)]),
    ]
    for attempt in attempts:
        with pytest.raises(Error, match="envoyes"), transaction.atomic():
            attempt()
    with pytest.raises(ForecastRefused, match="envoyés"):
        preparing.drop(pk=forecast.pk, actor="essai")


def _copy(row):
    return ForecastAmount(
        forecast_id=row.forecast_id, member_id=row.member_id, siret=row.siret, name=row.name,
        total=row.total, payload=row.payload,
    )  # fmt: skip


class Sums(TestCase):
    """Whatever the tariff and the pupils, the lines of a letter make its amount, to the cent."""

    @settings(max_examples=8)
    @for_any(
        price=st.decimals("0.01", "20", places=4),
        pupils=st.lists(st.integers(1, 900), min_size=1, max_size=3),
    )
    def test_the_lines_of_a_letter_make_its_amount(self, price, pupils):
        schedule = a_world()
        for number in pupils:
            join(schedule, number)
        Convention.objects.filter(schedule=schedule).update(last_year=None)
        forecast = prepared(schedule, given={"prix-ELEVES": f"{price:f}".replace(".", ",")})
        rows = list(forecast.amounts.order_by("siret"))
        assert len(rows) == 3 + len(pupils)
        for row in rows:
            lines = [Decimal(line["amount"]) for line in row.payload["lines"]]
            charges = [Decimal(charge["amount"]) for charge in row.payload["charges"]]
            assert sum(lines) == sum(charges) == row.total == Decimal(row.payload["total"])

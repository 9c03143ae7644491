"""Sending: frozen, shown and written once; who has no address gets a letter by post."""

import pytest

from conventions.forecasts import sending
from conventions.forecasts.reading import ForecastRefused
from conventions.forecasts.told import announced, told_to
from conventions.models import Convention, Forecast, ForecastNotice
from entsvc.models import JournalEntry, OutgoingMail
from members.models import Contact, Member
from tests.conventions.forecasts.foretelling import NEXT, a_world, drawn, prepared, sent
from tests.conventions.world import YEAR

pytestmark = pytest.mark.django_db


@pytest.fixture
def schedule(press):
    return a_world()


def recipients():
    rows = OutgoingMail.objects.filter(template=sending.TEMPLATE)
    return sorted(rows.values_list("recipient", flat=True))


def test_it_works(schedule):
    forecast = sent(schedule)
    assert forecast.is_sent
    assert recipients() == ["grande@example.org", "petite@example.org"]
    mail = OutgoingMail.objects.get(recipient="petite@example.org")
    text = mail.text.replace("\u00a0", " ")
    assert mail.subject.replace("\u00a0", " ") == "Budget 2026 : 285,00 € à prévoir pour l’ENT"
    assert "rien n’est à payer" in text
    assert "/espace/" in text
    found = sending.waiting(forecast)
    assert (found.told, len(found.ready), [row.name for row in found.by_post]) == (2, 0, ["Ensemble"])
    assert set(JournalEntry.objects.values_list("action", flat=True)) >= {
        "preparer-montants",
        "envoyer-montants",
        "ecrire-montants",
    }


def test_nothing_leaves_before_every_letter_is_drawn(schedule, press):
    press.broken["Grande"] = RuntimeError("panne")
    forecast = drawn(prepared(schedule))
    with pytest.raises(ForecastRefused, match="1\u00a0lettre reste à produire"):
        sending.send(pk=forecast.pk, actor="essai")
    assert not Forecast.objects.get().is_sent
    assert recipients() == []


def test_nobody_is_written_to_twice(schedule, monkeypatch):
    monkeypatch.setattr(sending, "AT_ONCE", 1)
    forecast = sent(schedule)
    assert len(recipients()) == 1
    with pytest.raises(ForecastRefused, match="déjà envoyés"):
        sending.send(pk=forecast.pk, actor="essai")
    [left] = sending.waiting(forecast).ready
    assert sending.write(forecast=forecast, rows=[left], actor="essai") == 1
    with pytest.raises(ForecastRefused, match="autre poste"):
        sending.write(forecast=forecast, rows=[left], actor="essai")
    with pytest.raises(ForecastRefused, match="Aucun membre"):
        sending.write(forecast=forecast, rows=[], actor="essai")
    assert len(recipients()) == ForecastNotice.objects.count() == 2


def test_an_address_given_later_is_written_to_then(schedule):
    forecast = sent(schedule)
    Contact.objects.create(member=Member.objects.get(name="Ensemble"), email="epci@example.org")
    [row] = sending.waiting(forecast).ready
    assert row.addresses == ["epci@example.org"]
    assert sending.waiting(forecast).by_post == []


def test_the_last_amount_sent_is_the_one_announced(schedule):
    member = Convention.objects.get(party__name="Petite").debtor
    assert announced(schedule, NEXT, member.pk) is None
    prepared(schedule)
    assert announced(schedule, NEXT, member.pk) is None, "a draft tells nobody anything"
    first = sent(schedule)
    second = sent(schedule, given={"prix-ELEVES": "7"})
    sent(schedule, year=YEAR)
    assert announced(schedule, NEXT, member.pk).forecast_id == second.pk
    told = told_to([member.pk])
    assert [(row.amount.forecast.school_year, row.is_replaced) for row in told] == [
        (NEXT, False),
        (NEXT, True),
        (YEAR, False),
    ]
    assert told[1].amount.forecast_id == first.pk

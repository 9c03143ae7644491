"""Staff pages of amendments: from the agreement to the decision, each click safe to repeat."""

import datetime as dt
import html

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from conventions import filings, states
from conventions.models import Amendment
from conventions.policies import PARTNERSHIP_2024
from entsvc.models import OutgoingMail
from members.models import Member, Membership
from tests.conventions.amending import (
    IN_TIME,
    a_public_school,
    a_scan,
    a_text,
    an_agreement,
    decided,
    in_state,
)
from tests.conventions.world import a_member, account
from tests.factories import LocalIssuerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def agreement():
    return an_agreement()


@pytest.fixture
def staff(client, agreement):
    account(client, "gestionnaire", agreement.schedule.issuer)
    return client


def text_of(response):
    return html.unescape(response.content.decode()).replace("\u00a0", " ")


def page(amendment):
    return reverse("admin:conventions_amendment_change", args=[amendment.pk])


def step(amendment, name):
    return reverse(f"admin:conventions_amendment_{name}", args=[amendment.pk])


def amend(agreement, year="2020-2021"):
    return f"{reverse('conventions:amend', args=[agreement.pk])}?annee={year}"


def messages_of(response):
    return " ".join(str(message) for message in response.context["messages"]).replace("\u00a0", " ")


def test_it_works_from_the_agreement_to_the_decision(staff, agreement):
    a_text()
    schools = filings.enrolled(agreement, 2020)
    shown = text_of(staff.get(reverse("admin:conventions_convention_change", args=[agreement.pk])))
    assert "Listes par année" in shown
    assert reverse("conventions:amend", args=[agreement.pk]) in shown

    keys = {"schools": [school.pk for school in schools[:3]], "reason": "Fermeture"}
    seen = text_of(staff.post(amend(agreement), {**keys, "quoi": "voir"}))
    assert "3 écoles × 50,00 € = 150,00 €" in seen
    assert "4 écoles × 50,00 € = 200,00 €" in seen
    assert not Amendment.objects.exists()
    staff.post(amend(agreement), {**keys, "quoi": "enregistrer"})
    amendment = Amendment.objects.get()

    staff.post(step(amendment, "produce"))
    told = staff.post(
        step(amendment, "record"),
        {
            "content": SimpleUploadedFile("signe.pdf", a_scan("s")),
            "received_on": "2020-10-19",
            "transmitted_on": "2020-10-15",
            "proof": SimpleUploadedFile("preuve.pdf", a_scan("p")),
        },
        follow=True,
    )
    assert "il reste à le décider" in messages_of(told)
    shown = text_of(staff.get(page(amendment)))
    assert "S'il est décidé aujourd'hui, il compte. Transmis le 15 octobre 2020" in shown
    assert "signe.pdf" in shown
    foreseen = text_of(staff.get(step(amendment, "decide")))
    assert "200,00 € avant, 150,00 € s'il compte" in foreseen
    assert "Reçu le 19 octobre 2020." in foreseen
    assert "Transmission déclarée le 15 octobre 2020 : ce jour compte" in foreseen
    assert "sa preuve « preuve.pdf »" in foreseen
    assert f"Retirée : {schools[3].uai}" in foreseen
    told = staff.post(step(amendment, "decide"), {"comment": ""}, follow=True)
    assert "Accepté : il compte à partir du 15 octobre 2020" in messages_of(told)
    shown = text_of(staff.get(page(amendment)))
    assert "Il compte à partir du 15 octobre 2020" in shown
    assert "200,00 €" in shown
    assert ">retirée<" in shown


def test_the_buttons_are_those_of_the_state(staff, agreement):
    school = filings.enrolled(agreement, 2020)[0]
    offered = {
        states.DRAFT: {"change_wish", "produce", "drop"},
        states.TO_SIGN: {"change_wish", "record", "drop"},
        states.FILED: {"decide", "send_back"},
        states.SENT_BACK: {"change_wish", "produce", "drop"},
        states.ACCEPTED: set(),
        states.WITHOUT_EFFECT: set(),
        states.DROPPED: set(),
    }
    for state, names in offered.items():
        amendment = in_state(agreement, state, [school])
        shown = text_of(staff.get(page(amendment)))
        steps = ("change_wish", "produce", "record", "decide", "send_back", "drop")
        assert {name for name in steps if step(amendment, name) in shown} == names
        Amendment.objects.filter(pk=amendment.pk).update(status=states.DROPPED)


def test_a_second_click_is_told_what_happened(staff, agreement):
    amendment = in_state(agreement, states.FILED, filings.enrolled(agreement, 2020)[:3])
    staff.post(step(amendment, "decide"), {"comment": ""})
    told = staff.post(step(amendment, "decide"), {"comment": ""}, follow=True)
    assert "l'état est « Accepté »" in messages_of(told)
    told = staff.get(reverse("conventions:amendment-list", args=[amendment.pk]), follow=True)
    assert "sa liste ne se modifie plus" in messages_of(told)


def test_sending_back_needs_a_word(staff, agreement):
    amendment = in_state(agreement, states.FILED, filings.enrolled(agreement, 2020)[:3])
    shown = text_of(staff.post(step(amendment, "send_back"), {"comment": ""}))
    assert "Dites au membre ce qu'il doit reprendre" in shown
    staff.post(step(amendment, "send_back"), {"comment": "Signature absente"})
    amendment.refresh_from_db()
    assert amendment.status == states.SENT_BACK


def test_a_refused_file_or_date_is_said_on_the_form(staff, agreement):
    amendment = in_state(agreement, states.TO_SIGN, filings.enrolled(agreement, 2020)[:3])
    for content, day, word in (
        (b"GIF89a", "2020-10-01", "n'est pas un PDF"),
        (a_scan(), "", "Donnez la date de réception"),
        (a_scan(), "2999-01-01", "est à venir"),
    ):
        given = {"content": SimpleUploadedFile("x.pdf", content), "received_on": day}
        assert word in text_of(staff.post(step(amendment, "record"), given))
    amendment.refresh_from_db()
    assert amendment.status == states.TO_SIGN


def test_the_list_changes_on_its_page_until_it_is_filed(staff, agreement):
    schools = filings.enrolled(agreement, 2020)
    amendment = in_state(agreement, states.SENT_BACK, schools[:3], reason="Ancien motif")
    url = reverse("conventions:amendment-list", args=[amendment.pk])
    assert "Ancien motif" in text_of(staff.get(url))
    new = a_public_school(commune_code="31999")
    given = {"schools": [schools[0].pk], "more": new.uai.lower(), "quoi": "enregistrer"}
    staff.post(url, given)
    amendment.refresh_from_db()
    assert amendment.status == states.DRAFT
    assert amendment.filing.schools == {schools[0].uai, new.uai}


def test_what_is_wrong_is_said_on_the_page(staff, agreement):
    schools = [school.pk for school in filings.enrolled(agreement, 2020)]
    same = text_of(staff.post(amend(agreement), {"schools": schools, "quoi": "enregistrer"}))
    assert "Cette liste est déjà celle de 2020-2021" in same
    unknown = {"schools": schools, "more": "0319999Z", "new_party": "99999"}
    shown = text_of(staff.post(amend(agreement), unknown))
    assert "Ces codes ne sont pas connus : 0319999Z" in shown
    assert "Aucun membre n'a le code 99999" in shown
    assert staff.get(amend(agreement, "2031-2032")).status_code == 404
    assert staff.get(amend(agreement, "bizarre")).status_code == 404
    assert not Amendment.objects.exists()


def test_communes_of_a_rpi_are_named_on_the_page(staff, agreement):
    first, third = a_member(insee_code="31001"), a_member(insee_code="31003")
    body = Member.objects.create(kind="rpi", name="RPI", representative=first)
    Membership.objects.create(body=body, commune=first, valid_from=dt.date(2018, 9, 1))
    agreement.party = body
    agreement.save()
    school = a_public_school(commune_code="31003")
    schools = [row.pk for row in filings.enrolled(agreement, 2020)]
    given = {"schools": [*schools, school.pk], "joining": "31003", "quoi": "enregistrer"}
    staff.post(amend(agreement), given)
    amendment = Amendment.objects.get()
    assert amendment.communes.get().commune == third
    assert "rejoint le RPI" in text_of(staff.get(page(amendment)))


def test_an_agreement_without_a_window_says_so(staff, agreement):
    agreement.policy = PARTNERSHIP_2024.code
    agreement.save()
    assert "ne connaît pas d'avenant" in messages_of(staff.get(amend(agreement), follow=True))
    shown = text_of(staff.get(reverse("admin:conventions_convention_change", args=[agreement.pk])))
    assert "Ce texte ne connaît pas d'avenant" in shown
    assert reverse("conventions:amend", args=[agreement.pk]) not in shown


def test_the_page_of_an_agreement_says_what_each_amendment_changed(staff, agreement):
    schools = filings.enrolled(agreement, 2020)
    decided(agreement, schools[:3], IN_TIME)
    shown = text_of(staff.get(reverse("admin:conventions_convention_change", args=[agreement.pk])))
    assert "compte à partir du 15 octobre 2020" in shown
    assert f"Retirées : {schools[3]}" in shown


def test_readers_look_and_never_change(client, agreement):
    account(client, "lecture", agreement.schedule.issuer)
    amendment = in_state(agreement, states.FILED, filings.enrolled(agreement, 2020)[:3])
    assert client.get(page(amendment)).status_code == 200
    for name in ("produce", "record", "decide", "send_back", "drop"):
        assert client.post(step(amendment, name), {"comment": "x"}).status_code == 403
    assert client.get(amend(agreement)).status_code == 403
    assert client.get(reverse("conventions:amendment-list", args=[amendment.pk])).status_code == 403
    amendment.refresh_from_db()
    assert amendment.status == states.FILED


def test_an_account_of_another_issuer_sees_nothing(client, agreement):
    account(client, "gestionnaire", LocalIssuerFactory())
    amendment = in_state(agreement, states.FILED, filings.enrolled(agreement, 2020)[:3])
    assert client.get(page(amendment)).status_code in (302, 404)
    assert client.post(step(amendment, "decide"), {"comment": ""}).status_code == 404
    assert client.get(amend(agreement)).status_code == 404
    assert client.get(reverse("conventions:amendment-list", args=[amendment.pk])).status_code == 404
    listed = text_of(client.get(reverse("admin:conventions_amendment_changelist")))
    assert agreement.reference not in listed


def test_no_page_asks_more_than_twenty_queries(staff, agreement, django_assert_max_num_queries):
    for _ in range(3):
        another = an_agreement(5, schedule=agreement.schedule)
        in_state(another, states.FILED, filings.enrolled(another, 2020)[:3])
    schools = filings.enrolled(agreement, 2020)
    decided(agreement, schools[:3], IN_TIME)
    OutgoingMail.objects.all().delete()  # else the first page would send them
    amendment = in_state(agreement, states.FILED, schools[:2])
    for url in (
        page(amendment),
        reverse("admin:conventions_amendment_changelist"),
        amend(agreement),
        step(amendment, "decide"),
    ):
        with django_assert_max_num_queries(20):
            assert staff.get(url).status_code == 200

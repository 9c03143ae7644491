"""Asking for an amendment from the mayor's pages: tick, see the amount, sign, file, resend, drop."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from conventions import filings, states
from conventions.models import Amendment, Convention
from conventions.policies import CHARTER
from entsvc.models import JournalEntry, OutgoingMail
from tests.conventions.amending import a_scan
from tests.conventions.portal.conftest import OFFICE
from tests.conventions.portal.test_pages import home, page, pdf, plain
from tests.conventions.world import account
from tests.members.portal.people import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(convention):
    return signed_in(OFFICE)


@pytest.fixture
def uais(convention):
    """Every school of the commune, by name."""
    return {school.name: school.uai for school in filings.candidates(convention, 2020)}


def url_of(name, row):
    return reverse(f"espace-conventions:{name}", args=[row.pk])


def ask(office, convention, ticked, **more):
    return office.post(url_of("ask", convention), {"ecoles": ticked, **more})


def asked(office, convention, ticked):
    """Ask for a list, its amount seen; return the amendment."""
    seen = " ".join(sorted(ticked))
    answer = ask(office, convention, ticked, demander="1", vu=seen)
    assert answer.status_code == 302, plain(answer)
    return Amendment.objects.order_by("-pk").first()


def filed(office, amendment, **more):
    given = {"scan": pdf(), "signed_on": "2020-09-20", **more}
    return office.post(url_of("amendment", amendment), given)


def test_the_page_ticks_the_schools_of_today(office, convention, uais):
    text = page(office, "ask", convention.pk)
    assert text.count(" checked>") == 3
    assert f'value="{uais["Le Pré"]}">' in text


def test_the_new_amount_is_shown_at_once_in_words(office, convention, uais):
    text = plain(ask(office, convention, list(uais.values()), montant="1"))
    assert "150,00 €" in text
    assert "200,00 €" in text
    assert "deux cents euros" in text
    assert "Demander cet avenant" in text
    assert not Amendment.objects.exists()


def test_an_amendment_is_asked_for_once_its_amount_is_seen(office, convention, uais):
    every = list(uais.values())
    first = ask(office, convention, every, demander="1", vu=" ".join(sorted(every)[:3]))
    assert first.status_code == 422
    assert "Votre liste a changé depuis" in plain(first)
    assert not Amendment.objects.exists()
    amendment = asked(office, convention, every)
    assert amendment.status == states.TO_SIGN
    assert amendment.requested_by == OFFICE
    assert amendment.papers.filter(role="envoye").count() == 1


@pytest.mark.parametrize(
    ("ticked", "reason"), [([], "Gardez au moins une école"), (["X"], "au moins une")]
)
def test_an_empty_list_is_refused(office, convention, ticked, reason):
    answer = ask(office, convention, ticked, demander="1", vu="")
    assert answer.status_code == 422
    assert reason in plain(answer)


def test_who_has_a_very_long_address_asks_and_deposits_too(convention, uais):
    """254 characters is the longest address: each column where it is written takes it."""
    address = f"secretariat.{'a' * 50}@{'.'.join(['b' * 50] * 3)}.example"
    assert len(address) == 223
    convention.party.email = address
    convention.party.full_clean()
    convention.party.save()
    office = signed_in(address)
    amendment = asked(office, convention, list(uais.values()))
    assert amendment.requested_by == address
    assert filed(office, amendment).status_code == 302
    Convention.objects.filter(pk=convention.pk).update(status=states.SENT)
    assert office.post(url_of("convention", convention), {"scan": pdf()}).status_code == 302
    assert JournalEntry.objects.get(action="convention-deposited").actor == address


def test_the_list_of_a_text_without_window_is_changed_by_nobody(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    for policy in ("", CHARTER.code):
        Convention.objects.filter(pk=convention.pk).update(policy=policy)
        for answer in (
            office.get(url_of("change", amendment)),
            office.post(url_of("change", amendment)),
        ):
            assert answer.url == url_of("amendment", amendment)
        assert "n'ouvre pas de délai pour changer la liste" in page(office, "amendment", amendment.pk)
        assert office.get(url_of("ask", convention)).status_code == 302


def test_the_same_list_needs_no_amendment(office, convention, uais):
    same = [uai for name, uai in uais.items() if name != "Le Pré"]
    assert "aucun avenant n'est nécessaire" in plain(ask(office, convention, same, montant="1"))
    answer = ask(office, convention, same, demander="1", vu=" ".join(sorted(same)))
    assert answer.status_code == 422
    assert not Amendment.objects.exists()


def test_why_is_kept_with_the_request_and_read_by_staff(office, convention, uais, client):
    every = list(uais.values())
    ask_for = {"demander": "1", "vu": " ".join(sorted(every))}
    words = "  <b>Fermeture</b> d'une classe\r\n\r\n# et *fusion* {signatures}  "
    kept = "<b>Fermeture</b> d'une classe # et *fusion* {signatures}"
    seen = plain(ask(office, convention, every, motif=words, montant="1"))
    assert "Motif : &lt;b&gt;Fermeture&lt;/b&gt; d'une classe" in seen
    assert ask(office, convention, every, motif=words, **ask_for).status_code == 302
    amendment = Amendment.objects.get()
    assert amendment.reason == kept
    assert amendment.transitions.order_by("pk").first().comment == kept
    account(client, "gestionnaire", convention.schedule.issuer)
    admin = reverse("admin:conventions_amendment_change", args=[amendment.pk])
    for text in (plain(client.get(admin)), page(office, "amendment", amendment.pk)):
        assert "&lt;b&gt;Fermeture&lt;/b&gt;" in text
        assert "<b>Fermeture" not in text


def test_why_is_printed_in_the_paper_as_words(office, convention, uais, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "conventions.papers.drawing.render_pdf",
        lambda template, context, **_: drawn.append(repr(context)) or b"%PDF",
    )
    every = list(uais.values())
    given = {"motif": "<b>Un</b> **mot** {signatures}", "demander": "1", "vu": " ".join(sorted(every))}
    assert ask(office, convention, every, **given).status_code == 302
    assert "&lt;b&gt;Un&lt;/b&gt; **mot** {signatures}" in drawn[-1]


def test_why_is_not_asked_for_and_has_a_limit(office, convention, uais):
    every = list(uais.values())
    amendment = asked(office, convention, every)
    assert amendment.reason == ""
    filings.drop(amendment=amendment, actor=OFFICE)
    given = {"demander": "1", "vu": " ".join(sorted(every))}
    answer = ask(office, convention, every, motif="é" * 301, **given)
    assert answer.status_code == 422
    assert "Ce motif est trop long : 301 caractères, pour 300 au plus." in plain(answer)
    assert "é" * 301 in plain(answer), "what was typed stays"
    assert Amendment.objects.get() == amendment
    assert ask(office, convention, every, motif="é" * 300 + "\r\n", **given).status_code == 302


def test_why_is_changed_with_the_list_and_logged_again(office, convention, uais):
    every = list(uais.values())
    ask(office, convention, every, motif="Ouverture", demander="1", vu=" ".join(sorted(every)))
    amendment = Amendment.objects.get()
    assert ">\nOuverture</textarea>" in office.get(url_of("change", amendment)).content.decode()
    sent = {
        "ecoles": every[:2],
        "motif": "Fermeture",
        "demander": "1",
        "vu": " ".join(sorted(every[:2])),
    }
    assert office.post(url_of("change", amendment), sent).status_code == 302
    amendment.refresh_from_db()
    assert amendment.reason == "Fermeture"
    comments = amendment.transitions.filter(action="modifier").values_list("comment", flat=True)
    assert list(comments.order_by("pk")) == ["Fermeture"]


def test_a_second_request_leads_to_the_first(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    assert office.get(url_of("ask", convention)).url == url_of("amendment", amendment)
    again = ask(office, convention, [uais["Le Lac"]], demander="1", vu=uais["Le Lac"])
    assert again.url == url_of("amendment", amendment)
    assert Amendment.objects.count() == 1


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ((2020, 8, 31), "du 1er septembre 2020 au 15 octobre 2020"),
        ((2020, 10, 16), "Le délai pour changer cette liste est passé"),
    ],
)
def test_outside_the_window_the_page_says_when(office, convention, uais, on, day, told):
    on(*day)
    assert told in page(office, "ask", convention.pk)
    every = list(uais.values())
    ask(office, convention, every, demander="1", vu=" ".join(sorted(every)))
    assert not Amendment.objects.exists()


def test_a_signed_amendment_is_filed_today_and_staff_are_told(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    assert "Signer et déposer l'avenant n° 1" in home(office)
    assert filed(office, amendment).status_code == 302
    amendment.refresh_from_db()
    assert amendment.status == states.FILED
    assert amendment.received_on == amendment.signed_on == dt.date(2020, 9, 20)
    [mail] = OutgoingMail.objects.filter(template="signed_paper_received")
    assert "Avenant" in mail.subject
    assert "Rien n'est attendu" in home(office)
    assert "nous l'examinons" in page(office, "amendment", amendment.pk)


def test_an_earlier_transmission_needs_its_day_and_its_proof(office, convention, uais, on):
    amendment = asked(office, convention, list(uais.values()))
    on(2020, 10, 20)
    assert "Le délai a pris fin" in page(office, "amendment", amendment.pk)
    for given in ({"transmitted_on": "2020-10-10"}, {"proof": pdf("preuve")}):
        assert filed(office, amendment, **given).status_code == 422
    both = {"transmitted_on": "2020-10-10", "proof": pdf("preuve")}
    assert filed(office, amendment, **both).status_code == 302
    amendment.refresh_from_db()
    assert amendment.filing.filed_on == dt.date(2020, 10, 10)


def test_wrong_dates_and_files_are_refused_with_their_reason(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    wrong = [
        ({"signed_on": "2020-09-21"}, "à venir"),
        ({"signed_on": "hier"}, "comme 15/10/2020"),
        ({"scan": SimpleUploadedFile("x.pdf", b"GIF89a")}, "n'est pas un PDF"),
    ]
    for given, reason in wrong:
        answer = filed(office, amendment, **given)
        assert answer.status_code == 422
        assert reason in plain(answer)
    amendment.refresh_from_db()
    assert amendment.status == states.TO_SIGN


def test_the_same_click_twice_files_once(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    filed(office, amendment)
    again = filed(office, amendment)
    assert again.status_code == 422
    assert "n'est possible que depuis" in plain(again)
    assert OutgoingMail.objects.filter(template="signed_paper_received").count() == 1


def test_one_sent_back_is_read_changed_and_sent_again(office, convention, uais):
    every = list(uais.values())
    amendment = asked(office, convention, every)
    filed(office, amendment)
    filings.send_back(amendment=amendment, actor="agent", comment="Il manque la signature.")
    assert "Reprendre l'avenant n° 1" in home(office)
    text = page(office, "amendment", amendment.pk)
    assert "Il manque la signature." in text
    fewer = [uais["Le Lac"], uais["La Tour"]]
    sent = {"ecoles": fewer, "demander": "1", "vu": " ".join(sorted(fewer))}
    assert office.post(url_of("change", amendment), sent).status_code == 302
    amendment.refresh_from_db()
    assert amendment.status == states.TO_SIGN
    assert amendment.papers.filter(role="envoye").count() == 2
    office.post(url_of("amendment", amendment), {
        "scan": SimpleUploadedFile("b.pdf", a_scan("b")), "signed_on": "2020-09-20",
    })  # fmt: skip
    amendment.refresh_from_db()
    filings.decide(amendment=amendment, actor="agent")
    text = page(office, "convention", convention.pk)
    assert "2 écoles inscrites" in text
    assert "accepté" in page(office, "amendment", amendment.pk)


def test_one_sent_back_unchanged_is_produced_again(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    filed(office, amendment)
    filings.send_back(amendment=amendment, actor="agent", comment="Illisible.")
    assert office.post(url_of("send", amendment)).status_code == 302
    amendment.refresh_from_db()
    assert amendment.status == states.TO_SIGN


def test_a_request_is_dropped_on_post_only(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    assert "restera celle d'aujourd'hui" in page(office, "drop", amendment.pk)
    office.post(url_of("drop", amendment))
    amendment.refresh_from_db()
    assert amendment.status == states.DROPPED
    assert "Confirmer la liste" in home(office)


def test_one_that_is_filed_is_neither_changed_nor_dropped(office, convention, uais):
    amendment = asked(office, convention, list(uais.values()))
    filed(office, amendment)
    for name in ("change", "drop"):
        assert office.get(url_of(name, amendment)).status_code == 302
        office.post(url_of(name, amendment))
    amendment.refresh_from_db()
    assert amendment.status == states.FILED

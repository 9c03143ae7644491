"""Staff pages of a bordereau: signed, sent, drawn, and what was annulled since."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from invoicing.bordereaux import sign
from invoicing.models import BordereauDocument, BordereauEvent
from tests.factories import SignatoryFactory
from tests.invoicing.follow_up import annulled, bordereau_page, said, titre_page, words
from tests.invoicing.follow_up import finances as finances
from tests.invoicing.follow_up import issued as issued
from tests.invoicing.follow_up import kept_issued as kept_issued
from tests.invoicing.follow_up import occ as occ
from tests.invoicing.follow_up import sent as sent
from tests.invoicing.follow_up import signatory as signatory
from tests.invoicing.follow_up import today as today
from tests.invoicing.test_admin import account

pytestmark = pytest.mark.django_db


def test_a_bordereau_is_signed_then_sent_on_its_page(issued, finances, signatory):
    page = finances.get(bordereau_page("record_signature", issued))
    assert page.context["form"]["signatory"].initial == signatory
    asked = {"on": "04/03/2025", "signatory": signatory.pk}
    page = finances.post(bordereau_page("record_signature", issued), asked, follow=True)
    assert said(page)[-1] == f"{issued} : signature enregistrée."
    page = finances.post(bordereau_page("record_sending", issued), {"on": "03/03/2025"})
    assert "a été signé le 04/03/2025" in words(page)
    page = finances.post(
        bordereau_page("record_sending", issued), {"on": "05/03/2025", "comment": "flux"}, follow=True
    )
    assert "Envoyé au comptable" in words(page)
    assert BordereauEvent.objects.filter(recorded_by="finances").count() == 2


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("record_signature", "déjà signé par Prénom FICTIF, Recteur de région académique"),
        ("record_sending", "déjà envoyé au comptable le 03/03/2025, saisi par essai"),
    ],
)
def test_a_step_already_done_says_when_and_by_whom_in_place_of_its_form(sent, finances, step, told):
    for answer in (finances.get, finances.post):
        page = answer(bordereau_page(step, sent), follow=True)
        assert page.redirect_chain[-1][0] == bordereau_page("change", sent)
        assert told in said(page)[-1]
    assert BordereauEvent.objects.count() == 2


def test_what_was_annulled_since_is_told_before_the_signature_and_the_sending(
    issued,
    finances,
    signatory,
    today,
):
    first, second, _ = issued.titres.order_by("number")
    page = words(finances.get(bordereau_page("record_signature", issued)))
    assert "annulé depuis" not in page
    annulled(first, signatory)
    told = f"1 titre de ce bordereau est annulé depuis son émission : {first.reference}."
    assert told in words(finances.get(bordereau_page("record_signature", issued)))
    sign(bordereau=issued, signatory=signatory, on=issued.issued_on, actor="essai")
    annulled(second, signatory)
    told = (
        "2 titres de ce bordereau sont annulés depuis son émission : "
        f"{first.reference}, {second.reference}."
    )
    assert told in words(finances.get(bordereau_page("record_sending", issued)))


def test_a_bordereau_shows_what_is_left_of_its_titres(issued, finances, signatory, today):
    titre = issued.titres.order_by("number").first()

    def shown():
        with CaptureQueriesContext(
            connection,
        ) as made:
            page = words(finances.get(bordereau_page("change", issued))).lower()
        assert "reste dû" in page
        return page.count(">0,00 €<"), len(made)

    nothing, queries = shown()
    gone = annulled(titre, signatory)
    assert shown() == (nothing + 1, queries)
    assert finances.get(bordereau_page("change", gone.bordereau)).status_code == 200


def test_a_bordereau_is_not_sent_before_it_is_signed(issued, finances):
    page = finances.get(bordereau_page("record_sending", issued), follow=True)
    assert "n'est pas signé : enregistrez d'abord sa signature" in said(page)[-1]


def test_nothing_is_left_to_draw_once_all_is_drawn(issued, finances):
    page = finances.get(bordereau_page("draw_missing", issued), follow=True)
    assert "tous ses PDF sont déjà produits" in said(page)[-1]


def test_someone_else_who_signs_is_warned_about(issued, finances):
    other = SignatoryFactory(issuer=issued.issuer, quality="Vice-président")
    page = finances.post(
        bordereau_page("record_signature", issued),
        {"on": "04/03/2025", "signatory": other.pk},
        follow=True,
    )
    assert "seraient irrégulières" in said(page)[-2]


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_only_finances_sign_send_and_answer(client, sent, occ, role):
    client.force_login(account(role, issuers=[occ.issuer]))
    titre = sent.titres.order_by("number").first()
    pages = [
        *(bordereau_page(name, sent) for name in ("record_signature", "record_sending")),
        *(titre_page(name, titre) for name in ("answer", "number_it")),
    ]
    for page in pages:
        assert client.get(page).status_code == 403, page
        assert client.post(page).status_code == 403, page
    assert client.get(bordereau_page("download_pdf", sent)).status_code == 200
    policies = reverse("admin:invoicing_numberingpolicy_changelist")
    assert client.get(policies).status_code == 200
    assert client.get(reverse("admin:invoicing_numberingpolicy_add")).status_code == 403


def test_the_document_of_a_bordereau_is_drawn_once_and_given(issued, finances):
    first = finances.get(bordereau_page("download_pdf", issued))
    assert first["Content-Type"] == "application/pdf"
    assert first.content == finances.get(bordereau_page("download_pdf", issued)).content
    assert BordereauDocument.objects.count() == 1


def test_bordereaux_are_filtered_by_state(sent, finances):
    url = reverse("admin:invoicing_bordereau_changelist")
    found = {state: len(finances.get(url, {"etat": state}).context["cl"].result_list)
             for state in ("prepare", "signe", "envoye")}  # fmt: skip
    assert found == {"prepare": 0, "signe": 0, "envoye": 1}

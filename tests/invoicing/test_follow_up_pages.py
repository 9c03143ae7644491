"""Staff pages of the titres of a bordereau: answers, the accountant's numbers, series."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing.calculation import compute_run
from invoicing.issuing import issue
from invoicing.models import (
    Bordereau,
    NumberingPolicy,
    Titre,
    TitreDocument,
    TitreEvent,
)
from invoicing.payments import record_payment
from invoicing.rendering import render_missing
from tests.invoicing.follow_up import annulled, bordereau_page, said, save, titre_page, words
from tests.invoicing.follow_up import finances as finances
from tests.invoicing.follow_up import issued as issued
from tests.invoicing.follow_up import kept_issued as kept_issued
from tests.invoicing.follow_up import occ as occ
from tests.invoicing.follow_up import sent as sent
from tests.invoicing.follow_up import signatory as signatory
from tests.invoicing.follow_up import today as today
from tests.invoicing.test_admin import account, enrol

pytestmark = pytest.mark.django_db
LIST = reverse("admin:invoicing_titre_changelist")


# --- The list of titres -----------------------------------------------------------------------


def listed(client, **asked):
    return [titre.reference for titre in client.get(LIST, asked).context["cl"].result_list]


def test_titres_are_found_by_what_is_written_on_them(sent, finances):
    titre = sent.titres.get(number=2)
    Titre.objects.filter(pk=titre.pk).update(external_reference="CHO-778")
    for asked in (titre.reference, "2", "000002", "CHO-778", "778", titre.siret):
        assert listed(finances, q=asked) == [titre.reference], asked
    assert titre.reference in listed(finances, q=titre.debtor_name)


def test_titres_are_filtered_and_sorted_by_status(sent, finances):
    first = sent.titres.order_by("number").first()
    TitreEvent.objects.create(titre=first, kind="pris-en-charge", on=sent.issued_on, recorded_by="x")
    assert listed(finances, etat="pris-en-charge") == [first.reference]
    assert len(listed(finances, etat="envoye")) == 2
    assert listed(finances, etat="paye") == []
    column = [str(name) for name in finances.get(LIST).context["cl"].list_display].index("status")
    assert listed(finances, o=f"-{column}")[0] == first.reference


def test_a_list_of_titres_makes_as_many_queries_whatever_their_number(
    sent, signatory, finances, occ, django_assert_num_queries
):  # fmt: skip
    finances.get(LIST)
    with CaptureQueriesContext(connection) as few:
        finances.get(LIST)
    enrol(occ, 5)
    run = compute_run(schedule=occ, year=2024, actor="test")
    assert len(issue(run=run, on=sent.issued_on, signatory=signatory, actor="test").titres) == 5
    with django_assert_num_queries(len(few)):
        assert len(finances.get(LIST).context["cl"].result_list) == 8


def test_a_correction_is_listed_with_its_kind_and_its_sign(sent, finances, signatory):
    titre = sent.titres.order_by("number").first()
    annulled(titre, signatory)
    page = words(finances.get(LIST))
    assert "annulation" in page
    assert "−45,00 €" in page.replace("\u202f", " ")
    assert "n° 1 (corrections)" in page


# --- Annulling several ------------------------------------------------------------------------


def test_several_titres_are_annulled_for_one_reason_on_one_bordereau(
    sent, finances, signatory, today, blank_pdf
):
    titres = list(sent.titres.order_by("number"))
    record_payment(
        titre=titres[1], amount=Decimal("5.00"), received_on=sent.issued_on, reference="V", actor="x"
    )
    page = finances.post(LIST, choose(titres[:2], "annul_chosen"))
    assert f"5,00 € sont déjà payés ({titres[1].reference})" in words(page)
    told = words(page).replace("\u202f", " ")
    assert "2 titres à annuler : 90,00 € dus après corrections." in told
    for titre in titres[:2]:
        assert f"{titre.reference}, {titre.debtor_name} : 45,00 €" in told
    assert titres[2].reference not in told
    assert "toutes sur un seul bordereau" in words(page)
    assert "Les données d'aujourd'hui demandent encore 90,00 €" in words(page).replace("&#x27;", "'")
    assert Titre.objects.count() == 3
    typed = {
        "reason_code": "liquidation", "reason": "Appelés avant l'ouverture.", "on": "10/04/2025",
        "signatory": signatory.pk,
    }  # fmt: skip
    page = finances.post(LIST, choose(titres[:2], "annul_chosen", **{**typed, "reason": ""}))
    assert page.context["form"].errors.keys() == {"reason"}
    page = finances.post(LIST, choose(titres[:2], "annul_chosen", **typed), follow=True)
    done = Bordereau.objects.get(kind="corrections")
    link = f'<a class="underline" href="{bordereau_page("change", done)}">{done}</a>'
    assert said(page)[-1].replace("&#x27;", "'") == f"2 titres annulés, 90,00 € : {link}."
    assert (done.count, done.issued_by) == (2, "finances")
    assert {titre.reason for titre in done.titres.order_by("pk")} == {"Appelés avant l'ouverture."}
    assert TitreDocument.objects.filter(titre__bordereau=done).count() == 2


def test_one_that_cannot_be_annulled_is_named_and_stops_all(sent, finances, signatory, today):
    titres = list(sent.titres.order_by("number"))
    gone = annulled(titres[0], signatory)
    page = finances.post(LIST, choose([*titres, gone], "annul_chosen"))
    told = words(page).replace("&#x27;", "'")
    assert f"À retirer du choix (une correction ne s'annule pas) : {gone.reference}." in told
    assert f"À retirer du choix (déjà annulé) : {titres[0].reference}." in told
    assert "2 titres à annuler : 90,00 € dus après corrections." in told.replace("\u202f", " ")
    assert 'name="reason"' not in told
    assert "<button" not in told[told.index("À retirer du choix") : told.index("Revenir</a>")]
    typed = {
        "reason_code": "doublon", "reason": "Deux fois.", "on": "10/04/2025", "signatory": signatory.pk,
    }  # fmt: skip
    page = finances.post(LIST, choose(titres, "annul_chosen", **typed))
    assert "À retirer du choix (déjà annulé)" in words(page)
    assert Titre.objects.filter(kind="annulation").count() == 1


def test_past_the_exercice_the_choice_is_refused_in_sight(sent, finances):
    page = finances.post(LIST, choose(sent.titres.all(), "annul_chosen"))
    assert "exercice clos, où seul un mandat rend quelque chose" in words(page)


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_only_finances_annul_what_they_choose(client, sent, occ, signatory, role):
    client.force_login(account(role, issuers=[occ.issuer]))
    typed = {"reason_code": "doublon", "reason": "x", "on": "03/03/2025", "signatory": signatory.pk}
    client.post(LIST, choose(sent.titres.all(), "annul_chosen", **typed))
    assert Titre.objects.count() == 3


# --- The page of a titre ----------------------------------------------------------------------


def test_a_rejection_is_in_sight_and_leads_to_what_mends_it(sent, client, occ, today):
    titre = sent.titres.order_by("number").first()
    TitreEvent.objects.create(
        titre=titre, kind="rejete", on=dt.date(2025, 3, 12), comment="SIRET inconnu", recorded_by="x"
    )
    link = f'href="{titre_page("annul_and_reissue", titre)}"'
    told = "Rejeté par le comptable le 12/03/2025 : « SIRET inconnu »."
    client.force_login(account("lecture", issuers=[occ.issuer]))
    page = words(client.get(titre_page("change", titre)))
    assert told in page
    assert link not in page
    client.force_login(account("finances", issuers=[occ.issuer]))
    page = words(client.get(titre_page("change", titre)))
    assert page.count(link) == 2  # the menu's and the banner's
    assert told in words(client.get(titre_page("annul_and_reissue", titre)))
    TitreEvent.objects.create(
        titre=titre, kind="pris-en-charge", on=dt.date(2025, 3, 14), recorded_by="x"
    )
    assert told not in words(client.get(titre_page("change", titre)))


def test_an_answer_already_recorded_is_told_on_its_form(sent, finances):
    titre = sent.titres.order_by("number").first()
    assert "Déjà enregistré" not in words(finances.get(titre_page("answer", titre)))
    TitreEvent.objects.create(titre=titre, kind="pris-en-charge", on=sent.issued_on, recorded_by="Zoé")
    page = words(finances.get(titre_page("answer", titre)))
    assert "Déjà enregistré : pris en charge (03/03/2025), saisi par Zoé." in page


def test_empty_tables_are_left_out_and_rows_lead_to_their_pages(sent, finances, signatory, today):
    titre = sent.titres.order_by("number").first()
    page = words(finances.get(titre_page("change", titre)))
    for absent in ("Encaissements</h2>", "Corrections</h2>", "Demandes de mandat</h2>"):
        assert absent not in page.replace(" </h2>", "</h2>")
    gone = annulled(titre, signatory)
    payment = record_payment(
        titre=titre, amount=Decimal("5.00"), received_on=sent.issued_on, reference="V1", actor="x"
    )
    page = words(finances.get(titre_page("change", titre)))
    assert f'href="{titre_page("change", gone)}">{gone.reference}</a>' in page
    assert f'href="{reverse("admin:invoicing_payment_change", args=[payment.pk])}">V1</a>' in page
    page = words(finances.get(bordereau_page("change", sent)))
    assert f'href="{titre_page("change", titre)}">{titre.reference}</a>' in page


def test_the_document_of_a_titre_is_downloaded_from_its_row(issued, finances, blank_pdf):
    list(render_missing(issued.titres.order_by("pk")))
    titre = issued.titres.order_by("number").first()
    page = words(finances.get(titre_page("change", titre)))
    assert f'href="{titre_page("download_pdf", titre)}">Document en PDF</a>' in page


# --- Answers ----------------------------------------------------------------------------------


def choose(titres, action, **facts):
    return {"action": action, "_selected_action": [titre.pk for titre in titres], **facts}


def test_several_titres_are_taken_in_charge_at_once(sent, finances):
    titres = list(sent.titres.order_by("number"))
    page = finances.post(LIST, choose(titres[:2], "take_in_charge"))
    assert "2 pièces choisies" in words(page)
    assert not TitreEvent.objects.exists()
    page = finances.post(LIST, choose(titres[:2], "take_in_charge", on="06/03/2025"), follow=True)
    assert said(page)[-1] == "Pris en charge : 2 réponses enregistrées."
    assert set(TitreEvent.objects.values_list("recorded_by", flat=True)) == {"finances"}
    page = finances.post(LIST, choose(titres, "take_in_charge", on="06/03/2025"))
    assert "est déjà pris en charge" in words(page)
    assert TitreEvent.objects.count() == 2


def test_a_rejection_asks_for_its_reason(sent, finances):
    titres = list(sent.titres.order_by("number"))
    page = finances.post(LIST, choose(titres, "reject", on="06/03/2025"))
    assert page.context["form"].errors.keys() == {"comment"}
    finances.post(LIST, choose(titres, "reject", on="06/03/2025", comment="SIRET"), follow=True)
    assert TitreEvent.objects.filter(kind="rejete", comment="SIRET").count() == 3


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_a_reader_is_offered_no_answer(client, sent, occ, role):
    client.force_login(account(role, issuers=[occ.issuer]))
    titres = list(sent.titres.order_by("number"))
    client.post(LIST, choose(titres, "take_in_charge", on="06/03/2025"))
    assert not TitreEvent.objects.exists()


def test_the_page_of_a_titre_shows_its_log(sent, finances):
    titre = sent.titres.order_by("number").first()
    finances.post(
        titre_page("answer", titre),
        {"kind": "rejete", "on": "07/03/2025", "comment": "SIRET inconnu"},
    )
    page = words(finances.get(titre_page("change", titre)))
    for step in ("03/03/2025 – Émis", "07/03/2025 – Rejeté par le comptable", "SIRET inconnu"):
        assert step in page, step


# --- The accountant's number ------------------------------------------------------------------


def test_the_number_is_written_on_the_page_and_refused_twice(sent, finances):
    one, two, _ = sent.titres.order_by("number")
    assert save(finances, one, " 778 ").status_code == 302
    assert Titre.objects.get(pk=one.pk).external_reference == "778"
    page = save(finances, two, "778")
    assert "est déjà celui de" in words(page)
    assert JournalEntry.objects.filter(action="external-reference", actor="finances").count() == 1


def test_a_titre_of_our_series_is_not_produced_again(sent, finances):
    titre = sent.titres.order_by("number").first()
    assert finances.post(titre_page("number_it", titre)).status_code == 403
    assert "Produire au numéro" not in words(finances.get(titre_page("change", titre)))
    assert not TitreDocument.objects.filter(role="numerote").exists()


# --- Series -----------------------------------------------------------------------------------

ADD = reverse("admin:invoicing_numberingpolicy_add")


def asked_policy(occ, **facts):
    asked = {
        "issuer": occ.issuer.pk, "budget": occ.issuer.budget_code, "exercice": 2026,
        "kind": "titre", "mode": "reservee", "first_number": 501, "last_number": 600,
        "reference": "courrier",
    }  # fmt: skip
    return {**asked, **facts}


def test_finances_set_the_numbering_of_a_series_before_its_first_number(finances, occ):
    assert "série annuelle continue" in words(finances.get(ADD))
    assert finances.post(ADD, asked_policy(occ)).status_code == 302
    policy = NumberingPolicy.objects.get()
    assert policy.history.get().history_user.username == "finances"
    page = finances.post(ADD, asked_policy(occ, first_number=550, last_number=700))
    assert "recouvre celle de 501 à 600" in words(page)


def test_a_begun_series_is_shown_and_no_longer_written(issued, finances, occ):
    page = finances.post(ADD, asked_policy(occ, exercice=2025))
    assert "Cette série est commencée" in words(page)
    assert not NumberingPolicy.objects.exists()


def test_the_journal_of_titres_is_given_and_written_down(issued, finances, occ):
    url = reverse("admin:invoicing_titre_export_journal")
    for kind in ("xlsx", "csv"):
        given = finances.post(url, {"issuer": occ.issuer.pk, "exercice": 2025, "kind": kind})
        assert f"journal-titres-OCC-2025.{kind}" in given["Content-Disposition"]
    assert JournalEntry.objects.filter(action="export", actor="finances").count() == 2


def test_a_journal_is_of_the_issuers_of_the_account(client, occ, issued):
    client.force_login(account("lecture"))
    url = reverse("admin:invoicing_titre_export_journal")
    page = client.post(url, {"issuer": occ.issuer.pk, "exercice": dt.date.today().year, "kind": "csv"})
    assert page.context["form"].errors.keys() == {"issuer"}

"""The staff pages of papers: each account for its issuers, each file to be saved, nothing lost."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from conventions.models import Paper, PaperText
from conventions.papers import freezing, texts
from conventions.papers.defaults import load_default_texts
from conventions.papers.losses import CODES
from conventions.papers.pages import papers_context
from entsvc.models import JournalEntry
from tests.conventions.paper_world import POLICY, a_partnership, an_amendment
from tests.conventions.world import account
from tests.entsvc.test_scans import a_pdf
from tests.factories import IssuerFactory, PaperTextFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/conventions/papertext/"
ADD = f"{LIST}add/"


@pytest.fixture
def convention():
    return a_partnership()


def issuer_of(convention):
    return convention.schedule.issuer


def is_a_file(response, start=b"%PDF"):
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
    return response.content.startswith(start)


def a_form(text, **changes):
    form = {
        "kind": text.kind, "policy": text.policy, "issuer": "", "title": text.title, "body": text.body,
        "note": "", "seen": f"{text.kind}/{text.policy}/{text.issuer_id or ''}/{text.version}",
    }  # fmt: skip
    return form | changes


def test_a_kept_paper_is_given_to_its_issuers_only(client, convention):
    paper = freezing.freeze("annexe", convention, actor="alix")
    address = reverse("conventions:paper", args=[paper.pk])
    assert client.get(address).status_code == 302
    account(client, "lecture", issuer_of(convention))
    response = client.get(address)
    assert is_a_file(response)
    assert paper.name in response["Content-Disposition"]
    assert client.get(reverse("conventions:paper", args=[uuid.uuid4()])).status_code == 404
    client.logout()
    account(client, "gestionnaire", IssuerFactory(code="AUT"))
    assert client.get(address).status_code == 404


def test_bytes_that_changed_are_told_and_not_given(client, convention, media):
    paper = freezing.freeze("annexe", convention, actor="alix")
    path = media / paper.document.path
    path.chmod(0o600)
    path.write_bytes(b"autre")
    account(client, "lecture", issuer_of(convention))
    response = client.get(reverse("conventions:paper", args=[paper.pk]))
    assert response.status_code == 302


def test_a_draft_of_each_paper_is_to_be_saved(client, convention):
    account(client, "lecture", issuer_of(convention))
    amendment = an_amendment(convention)
    for kind in ("convention", "annexe", "deliberation", "notification", "certificat"):
        response = client.get(reverse("conventions:draft", args=[convention.pk, kind]))
        assert is_a_file(response)
        assert "projet-" in response["Content-Disposition"]
    address = reverse("conventions:draft", args=[convention.pk, "avenant"])
    assert is_a_file(client.get(f"{address}?avenant={amendment.pk}&annee=2024-2025"))
    assert client.get(address).status_code == 302
    for wrong in ("?avenant=999999", "?avenant=x", "?annee=2024"):
        assert client.get(address + wrong).status_code == 404
    assert client.get(reverse("conventions:draft", args=[convention.pk, "facture"])).status_code == 404
    client.logout()
    account(client, "gestionnaire", IssuerFactory(code="AUT"))
    assert client.get(address).status_code == 404


def test_a_draft_costs_few_queries(client, convention, django_assert_max_num_queries):
    account(client, "lecture", issuer_of(convention))
    with django_assert_max_num_queries(18):
        client.get(reverse("conventions:draft", args=[convention.pk, "convention"]))


def test_blank_forms_are_chosen_then_saved(client, convention):
    issuer = issuer_of(convention)
    account(client, "lecture", issuer)
    page = reverse("conventions:blank-papers")
    assert client.get(page).status_code == 200
    asked = {
        "issuer": issuer.pk, "policy": POLICY, "kind": "convention", "schedule": convention.schedule.pk,
        "school_year": "2024-2025",
    }  # fmt: skip
    response = client.get(page, asked, follow=True)
    assert is_a_file(response)
    assert "annee=2024-2025" in response.redirect_chain[0][0]
    assert is_a_file(client.get(page, asked | {"schedule": "", "school_year": ""}, follow=True))
    assert "année scolaire" in client.get(page, asked | {"school_year": "2024"}).content.decode()
    other = IssuerFactory(code="AUT")
    wrong = reverse("conventions:blank-paper", args=[other.code, POLICY, "convention"])
    assert client.get(wrong).status_code == 404
    unknown = reverse("conventions:blank-paper", args=[issuer.code, "autre", "convention"])
    assert client.get(unknown).status_code == 404


def test_a_blank_form_bears_no_year_that_its_text_does_not_cover(client, convention):
    issuer = issuer_of(convention)
    account(client, "lecture", issuer)
    asked = {"issuer": issuer.pk, "policy": POLICY, "kind": "convention", "school_year": "2022-2023"}
    shown = client.get(reverse("conventions:blank-papers"), asked, follow=True).content.decode()
    assert "ne couvre que 2024-2025" in shown
    address = reverse("conventions:blank-paper", args=[issuer.code, POLICY, "convention"])
    assert client.get(address, {"annee": "2022-2023"}).status_code == 404


@pytest.mark.parametrize("page", ["blank-papers", "produce-paper", "deposit-paper"])
def test_the_pages_of_papers_ask_few_questions(client, convention, page, django_assert_max_num_queries):
    account(client, "gestionnaire", issuer_of(convention))
    address = reverse(f"conventions:{page}", args=[] if page == "blank-papers" else [convention.pk])
    client.get(address)
    with django_assert_max_num_queries(15):
        assert client.get(address).status_code == 200


def test_the_pages_of_texts_ask_few_questions(client, convention, django_assert_max_num_queries):
    account(client, "gestionnaire", issuer_of(convention))
    text = PaperText.objects.order_by("pk").first()
    for address in (
        reverse("admin:conventions_papertext_changelist"),
        reverse("admin:conventions_papertext_change", args=[text.pk]),
        reverse("admin:conventions_papertext_add") + f"?depuis={text.pk}",
        reverse("admin:conventions_papertext_differences", args=[text.pk]),
    ):
        client.get(address)
        with django_assert_max_num_queries(20):
            assert client.get(address).status_code == 200


def test_a_certificate_is_produced_by_post_and_by_who_may(client, convention):
    address = reverse("conventions:produce-paper", args=[convention.pk])
    user = account(client, "lecture", issuer_of(convention))
    assert client.get(address).status_code == 403
    user.delete()
    account(client, "gestionnaire", issuer_of(convention))
    assert client.get(address).status_code == 200
    assert not Paper.objects.exists()
    asked = {"kind": "certificat", "school_year": "2024-2025", "amendment": ""}
    assert client.post(address, asked).status_code == 302
    paper = Paper.objects.get()
    assert (paper.kind, paper.role, paper.actor) == ("certificat", "envoye", "gestionnaire")
    response = client.post(address, asked | {"school_year": "2031-2032"})
    assert "ne couvre pas 2031-2032" in response.content.decode()
    response = client.post(address, asked | {"kind": "convention"})
    assert response.status_code == 200
    assert Paper.objects.count() == 1


def test_a_signed_scan_is_deposited_and_anything_else_is_refused_in_words(client, convention):
    account(client, "gestionnaire", issuer_of(convention))
    address = reverse("conventions:deposit-paper", args=[convention.pk])
    assert client.get(address).status_code == 200

    def deposit(content, **changes):
        file = SimpleUploadedFile("scan.pdf", content, content_type="application/pdf")
        asked = {"kind": "convention", "role": "signe", "amendment": "", "file": file}
        return client.post(address, asked | changes)

    assert "PDF, quel que soit son nom" in deposit(b"<html></html>").content.decode().replace(
        "&#x27;", "'"
    )
    assert "vide" in deposit(b"").content.decode()
    assert "depuis sa demande" in deposit(a_pdf(), kind="avenant").content.decode()
    assert not Paper.objects.exists()
    assert deposit(a_pdf()).status_code == 302
    paper = Paper.objects.get()
    assert (paper.role, paper.name, paper.actor) == ("signe", "scan.pdf", "gestionnaire")


def test_the_page_of_an_agreement_lists_its_papers(client, convention):
    paper = freezing.freeze("annexe", convention, actor="alix")
    user = account(client, "gestionnaire", issuer_of(convention))
    context = papers_context(convention, user)
    assert context["papers"] == [paper]
    assert context["may_add_paper"]
    page = client.get(reverse("admin:conventions_convention_change", args=[convention.pk]))
    assert reverse("conventions:paper", args=[paper.pk]) in page.content.decode()
    certificate = freezing.freeze("certificat", convention, actor="alix")
    assert certificate.role_in_words == "Produit"
    listed = client.get("/admin/conventions/paper/")
    assert "Produit" in listed.content.decode()
    assert paper.name in listed.content.decode()
    detail = client.get(f"/admin/conventions/paper/{paper.pk}/change/")
    assert paper.document.sha256 in detail.content.decode()


def test_texts_in_use_are_listed_and_all_versions_on_demand(client, convention):
    account(client, "gestionnaire", issuer_of(convention))
    old = texts.text_for(POLICY, "convention")
    new = texts.save_version(
        kind=old.kind, policy=old.policy, title=old.title, body="Plus court.", note="court",
        actor="alix", accepted=CODES,
    )  # fmt: skip
    page = client.get(LIST, {"q": "Plus court"}).content.decode()
    assert f"{LIST}{new.pk}/change/" in page
    page = client.get(LIST, {"policy__exact": POLICY}).content.decode()
    assert f"{LIST}{old.pk}/change/" not in page
    page = client.get(LIST, {"policy__exact": POLICY, "versions": "toutes"}).content.decode()
    assert f"{LIST}{old.pk}/change/" in page
    detail = client.get(f"{LIST}{old.pk}/change/").content.decode()
    assert "Remplacée par la version 2" in detail
    assert 'name="body"' not in detail
    differences = client.get(f"{LIST}{new.pk}/differences/").content.decode()
    assert "Plus court." in differences
    assert "Ajouté" in differences
    assert "première version" in client.get(f"{LIST}{old.pk}/differences/").content.decode()
    assert is_a_file(client.get(f"{LIST}{old.pk}/preview/"))
    start = client.get(f"{LIST}{old.pk}/new_version/", follow=True)
    assert "depuis=" in start.redirect_chain[-1][0]
    assert "{tableau_ecoles}" in start.content.decode()


def test_a_gestionnaire_writes_for_its_issuers_and_never_for_all(client, convention):
    mine, other = issuer_of(convention), IssuerFactory(code="AUT")
    account(client, "gestionnaire", mine)
    text = texts.text_for(POLICY, "convention")
    before = PaperText.objects.count()
    for issuer in ("", other.pk):
        assert client.post(ADD, a_form(text, issuer=issuer, body="Autre.")).status_code == 200
    assert PaperText.objects.count() == before
    form = a_form(text, issuer=mine.pk, body="Le mien, pour {membre}.", accepted=CODES)
    assert client.post(ADD, form).status_code == 302
    written = texts.text_for(convention, "convention")
    assert (written.issuer, written.version, written.created_by) == (mine, 1, "gestionnaire")
    again = client.post(ADD, form | {"body": "Sans avoir lu."})
    assert "sous les yeux" in " ".join(again.content.decode().split())
    assert texts.text_for(convention, "convention") == written


def test_an_unknown_placeholder_is_told_beside_the_text_and_nothing_is_lost(client, convention):
    account(client, "gestionnaire", issuer_of(convention))
    text = texts.text_for(POLICY, "convention")
    form = a_form(text, issuer=issuer_of(convention).pk, body="Entre {membr} et moi.")
    page = client.post(ADD, form).content.decode()
    assert "vouliez-vous {membre}" in page
    assert "Entre {membr} et moi." in page
    assert "{{" not in page


def test_a_text_that_loses_a_fact_is_saved_once_each_loss_is_ticked(client, convention):
    account(client, "gestionnaire", issuer_of(convention))
    text = texts.text_for(POLICY, "convention")
    shorter = text.body.replace("{tableau_ecoles}", "").replace("{signatures}", "")
    form = a_form(text, issuer=issuer_of(convention).pk, body=shorter)
    before = PaperText.objects.count()

    page = client.post(ADD, form).content.decode()
    assert "Rien n&#x27;est enregistré" in page
    for words in ("la liste des écoles – {tableau_ecoles}", "le cadre de signature – {signatures}"):
        assert f"> {words}</label>" in page
    page = client.post(ADD, form | {"accepted": ["ecoles"]}).content.decode()
    assert 'value="ecoles" checked' in page
    assert 'value="signatures">' in page
    assert is_a_file(client.post(ADD, form | {"apercu": "1"}))
    assert PaperText.objects.count() == before

    assert client.post(ADD, form | {"accepted": ["ecoles", "signatures"]}).status_code == 302
    assert "{signatures}" not in texts.text_for(convention, "convention").body
    entry = JournalEntry.objects.filter(action="texte-de-document").latest("pk")
    assert entry.data["lost"] == ["ecoles", "signatures"]


def test_a_preview_saves_nothing(client, convention):
    account(client, "gestionnaire", issuer_of(convention))
    text = texts.text_for(POLICY, "convention")
    before = PaperText.objects.count()
    form = a_form(text, issuer=issuer_of(convention).pk, body="Entre {membre}.", apercu="1")
    assert is_a_file(client.post(ADD, form))
    assert is_a_file(client.post(ADD, form | {"kind": "avenant"}))
    assert PaperText.objects.count() == before


def test_an_administrator_writes_the_texts_of_all(admin_client):
    load_default_texts()
    text = texts.text_for(POLICY, "convention")
    assert admin_client.get(ADD).status_code == 200
    form = a_form(text, body="Pour tous.", accepted=CODES)
    assert admin_client.post(ADD, form).status_code == 302
    assert texts.text_for(POLICY, "convention").version == 2


def test_who_only_reads_writes_no_text(client, convention):
    account(client, "lecture", issuer_of(convention))
    text = texts.text_for(POLICY, "convention")
    assert client.get(LIST).status_code == 200
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, a_form(text)).status_code == 403
    assert client.get(f"{LIST}{text.pk}/new_version/").status_code == 403


def test_the_texts_of_another_issuer_are_not_seen(client, convention):
    text = PaperTextFactory(issuer=IssuerFactory(code="AUT"))
    account(client, "gestionnaire", issuer_of(convention))
    for page in ("change/", "preview/", "differences/", "new_version/"):
        assert client.get(f"{LIST}{text.pk}/{page}").status_code in (302, 404), page
    response = client.get(f"{ADD}?depuis={text.pk}")
    assert text.body not in response.content.decode()

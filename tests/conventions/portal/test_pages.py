"""What a mayor's office sees of its agreements: in plain words, its own only."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from conventions import life, states
from conventions.models import Convention, Paper, PaperKind
from conventions.papers import freezing
from conventions.portal import words
from conventions.portal.deposits import MOST_DEPOSITS
from entsvc.models import JournalEntry, OutgoingMail
from entsvc.scans import CheckedPdf
from tests.conventions.amending import a_scan, in_state
from tests.conventions.portal.conftest import OFFICE
from tests.conventions.world import a_member
from tests.factories import ConventionFactory, HeadcountFactory
from tests.members.portal.people import signed_in

pytestmark = pytest.mark.django_db


def page(client, name, *args):
    answer = client.get(reverse(f"espace-conventions:{name}", args=args))
    assert answer.status_code == 200, answer
    return plain(answer)


def plain(answer):
    text = answer.content.decode().replace("&#x27;", "'").replace("&nbsp;", " ")
    return " ".join(text.replace("\u202f", " ").replace("\xa0", " ").split())


def home(client):
    return plain(client.get(reverse("espace:home")))


def pdf(mark=""):
    return SimpleUploadedFile("signee.pdf", a_scan(mark), content_type="application/pdf")


@pytest.fixture
def office(convention):
    return signed_in(OFFICE)


@pytest.fixture
def to_sign(convention):
    """The same agreement, sent to be signed."""
    Convention.objects.filter(pk=convention.pk).update(status=states.DRAFT, signed_on=None)
    convention.refresh_from_db()
    life.move(convention, "envoyer", actor="agent")
    return convention


def test_the_home_page_tells_agreements_and_schools_in_plain_words(office, convention):
    school = convention.enrolments.order_by("pk").first().school
    HeadcountFactory(school=school, school_year=2020, pupils=1213)
    text = home(office)
    assert "Elle court depuis le 2 septembre 2019, jusqu'au 31 octobre 2021." in text
    assert "3 écoles inscrites en 2020-2021" in text
    assert school.uai in text
    assert "1 213" in text


def test_an_agreement_to_sign_is_expected_until_its_scan_is_there(office, to_sign):
    text = home(office)
    assert "Signer et renvoyer la convention ENT-1" in text
    assert "Nous attendons votre signature." in text
    url = reverse("espace-conventions:convention", args=[to_sign.pk])
    assert office.post(url, {"scan": pdf()}).status_code == 302
    text = home(office)
    assert "Signer et renvoyer" not in text
    assert "Vous l'avez déposée signée le 20 septembre 2020" in text
    [mail] = OutgoingMail.objects.filter(template="signed_paper_received")
    assert mail.recipient == "ent@academie.example"
    assert "ENT-1" in mail.subject
    to_sign.refresh_from_db()
    assert to_sign.status == states.SENT  # staff record the signature, once they have read it


def test_what_is_not_a_plain_pdf_is_refused_with_its_reason(office, to_sign):
    url = reverse("espace-conventions:convention", args=[to_sign.pk])
    for content, reason in ((b"MZ", "n'est pas un PDF"), (b"", "est vide")):
        answer = office.post(url, {"scan": SimpleUploadedFile("x.pdf", content)})
        assert answer.status_code == 422
        assert reason in plain(answer)
    assert office.post(url, {}).status_code == 422
    assert not Paper.objects.filter(role=Paper.Role.SIGNED).exists()


def test_a_signed_paper_is_not_received_for_an_agreement_that_is_not_to_sign(office, convention):
    url = reverse("espace-conventions:convention", args=[convention.pk])
    answer = office.post(url, {"scan": pdf()})
    assert "n'est plus à signer" in plain(answer)
    assert not convention.papers.exists()


def test_what_was_signed_before_a_new_sending_is_not_taken_for_the_new_one(office, to_sign, on):
    url = reverse("espace-conventions:convention", args=[to_sign.pk])
    office.post(url, {"scan": pdf()})
    on(2020, 9, 21)
    life.move(to_sign, "reprendre", actor="agent", comment="une école de plus")
    assert office.get(url).status_code == 404  # a draft is the issuer's alone
    to_sign.enrolments.order_by("pk").first().delete()
    life.move(to_sign, "envoyer", actor="agent")
    assert "Signer et renvoyer" in home(office)
    assert "faites signer la nouvelle version" in plain(office.post(url, {"scan": pdf()}))
    assert office.post(url, {"scan": pdf("nouvelle")}).status_code == 302


def test_papers_are_given_as_frozen(office, to_sign):
    sent = to_sign.papers.get(kind="convention")
    answer = office.get(reverse("espace-conventions:paper", args=[sent.pk]))
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    deliberation = office.get(reverse("espace-conventions:deliberation", args=[to_sign.pk]))
    assert deliberation.content.startswith(b"%PDF")


def test_a_certificate_is_given_for_a_year_with_schools_only(office, convention):
    for year, status in ((2019, 200), (2020, 200), (2021, 404), (2018, 404), (10**20, 404)):
        url = reverse("espace-conventions:certificate", args=[convention.pk, year])
        assert office.get(url).status_code == status, year
    assert (
        office.get(reverse("espace-conventions:deliberation", args=[convention.pk])).status_code == 404
    )


def test_no_certificate_is_given_of_a_year_to_come(office, convention, on):
    Convention.objects.filter(pk=convention.pk).update(last_year=None)
    convention.enrolments.update(last_year=None)
    address = reverse("espace-conventions:certificate", args=[convention.pk, 2021])
    assert office.get(address).status_code == 404
    on(2021, 8, 31)
    assert address not in page(office, "convention", convention.pk)
    for year in (2060, 9998, 9999, 32768, 2**31, 2**63):
        far = reverse("espace-conventions:certificate", args=[convention.pk, year])
        assert office.get(far).status_code == 404, year
    on(2021, 9, 1)
    assert office.get(address).status_code == 200
    assert address in page(office, "convention", convention.pk)


def test_a_school_of_two_agreements_is_shown_once_with_both_certificates(office, convention):
    other = ConventionFactory(
        schedule=convention.schedule, party=convention.party, first_year=2019, reference="ENT-2"
    )
    other.enrolments.create(
        school=convention.enrolments.order_by("school__name").first().school, first_year=2019
    )
    text = home(office)
    assert "3 écoles inscrites en 2020-2021" in text
    section = text.partition("Mes écoles cette année")[2].partition("</table>")[0]
    assert section.count("La Tour") + section.count("Le Lac") + section.count("Les Tilleuls") == 3
    assert "de la convention ENT-1" in text
    assert "de la convention ENT-2" in text


def test_the_issuer_is_told_once_of_a_file_deposited_twice(office, to_sign):
    url = reverse("espace-conventions:convention", args=[to_sign.pk])
    for _ in range(3):
        assert office.post(url, {"scan": pdf()}).status_code == 302
    assert OutgoingMail.objects.filter(template="signed_paper_received").count() == 1
    assert JournalEntry.objects.filter(action="convention-deposited").count() == 1


def test_only_so_many_different_files_are_taken_for_one_sending(office, to_sign, on):
    url = reverse("espace-conventions:convention", args=[to_sign.pk])
    for number in range(MOST_DEPOSITS):
        on(2020, 9, 20 + number)
        assert office.post(url, {"scan": pdf(str(number))}).status_code == 302
    answer = office.post(url, {"scan": pdf("de trop")})
    assert answer.status_code == 422
    assert "Vous avez déjà déposé 10 fichiers" in plain(answer)
    assert to_sign.papers.filter(role="signe").count() == MOST_DEPOSITS
    assert office.post(url, {"scan": pdf(str(number))}).status_code == 302, "the last one again"
    on(2020, 9, 30)
    life.move(to_sign, "reprendre", actor="agent", comment="une école de plus")
    to_sign.enrolments.order_by("pk").first().delete()
    life.move(to_sign, "envoyer", actor="agent")
    assert office.post(url, {"scan": pdf("nouvelle")}).status_code == 302


def test_nothing_expected_says_so(office, convention, on):
    on(2020, 11, 2)
    assert "Rien n'est attendu de vous aujourd'hui." in home(office)


@pytest.mark.parametrize(
    ("day", "words_found"),
    [
        ((2020, 8, 31), "Bientôt : la liste de vos écoles pour 2020-2021"),
        ((2020, 9, 1), "Confirmer la liste de vos écoles pour 2020-2021"),
        ((2020, 10, 15), "Du 1er septembre 2020 au 15 octobre 2020."),
        ((2020, 10, 16), "Rien n'est attendu de vous aujourd'hui."),
    ],
)
def test_the_list_is_to_confirm_in_the_window_of_the_agreement(office, convention, on, day, words_found):
    on(*day)
    assert words_found in home(office)


def test_a_charter_has_no_list_to_confirm(office, convention):
    Convention.objects.filter(pk=convention.pk).update(policy="charte-somme-2014")
    assert "Confirmer la liste" not in home(office)
    text = page(office, "ask", convention.pk)
    assert "ne prévoit pas d'avenant" in text


def test_who_only_pays_reads_and_does_not_act(convention, to_sign):
    payer = a_member(email="payeur@example.org")
    Convention.objects.filter(pk=to_sign.pk).update(debtor=payer)
    office = signed_in("payeur@example.org")
    text = home(office)
    assert "payée par vous" in text
    assert "Signer et renvoyer" not in text
    url = reverse("espace-conventions:convention", args=[to_sign.pk])
    assert "C'est Lauzerte qui signe" in plain(office.get(url))
    assert office.post(url, {"scan": pdf()}).status_code == 404


def test_who_only_pays_is_told_who_asks_for_an_amendment(convention):
    payer = a_member(name="Syndicat scolaire", email="syndicat@example.org")
    Convention.objects.filter(pk=convention.pk).update(debtor=payer)
    text = page(signed_in("syndicat@example.org"), "convention", convention.pk)
    assert "C'est Lauzerte qui le demande." in text
    assert "Demander un avenant" not in text


def test_an_agreement_kept_on_paper_says_so_and_whom_to_ask(office, convention):
    issuer = convention.schedule.issuer
    for text in (home(office), page(office, "convention", convention.pk)):
        assert "La convention signée est conservée sur papier" in text
        assert f"écrivez à {issuer.contact}" in text
        assert 'href="mailto:ent@academie.example"' in text
    freezing.receive(
        CheckedPdf(a_scan()), "signee.pdf", convention, kind=PaperKind.AGREEMENT, actor="agent"
    )
    for text in (home(office), page(office, "convention", convention.pk)):
        assert "conservée sur papier" not in text


def test_one_that_follows_another_by_an_amendment_has_no_paper_of_its_own(office, convention):
    former = ConventionFactory(schedule=convention.schedule, reference="ENT-0")
    Convention.objects.filter(pk=convention.pk).update(succeeds=former)
    text = home(office)
    assert "prend la suite de la convention ENT-0 par un avenant" in text
    assert "conservée sur papier" not in text


def test_an_agreement_still_to_sign_is_not_said_to_be_on_paper(office, to_sign):
    assert "conservée sur papier" not in home(office)


def test_a_refused_file_leads_back_to_what_is_wrong(office, to_sign):
    """On a phone the form is far below the top of the page."""
    url = reverse("espace-conventions:convention", args=[to_sign.pk])
    assert 'action="#a-corriger"' in office.get(url).content.decode()
    assert 'id="a-corriger"' not in office.get(url).content.decode()
    assert 'id="a-corriger"' in office.post(url, {}).content.decode()


def test_the_words_of_each_state(convention):
    today = dt.date(2020, 9, 20)
    told = {}
    for status in Convention.Status.values:
        convention.status = status
        told[status] = words.state_of(convention, None, today).sentence
    assert told[states.SENT] == "Nous attendons votre signature."
    assert told[states.SIGNED].startswith("Elle prend effet le 2")
    assert told[states.TERMINATED].startswith("Elle a pris fin le")
    assert told[states.EXPIRED].startswith("Elle a pris fin le")


def test_nobody_opens_what_is_another_members(convention):
    """Every page of an agreement, an amendment and a paper, by another office and by no one."""
    schools = [row.school for row in convention.enrolments.all()][:2]
    amendment = in_state(convention, states.TO_SIGN, schools)
    life.log(convention, "envoyer", states.DRAFT, states.SENT, actor="agent")
    office, pk = signed_in(OFFICE), convention.pk
    office.post(reverse("espace-conventions:amendment", args=[amendment.pk]), {
        "scan": pdf(), "signed_on": "2020-09-20",
    })  # fmt: skip
    paper = convention.papers.get()
    addresses = [
        ("convention", pk), ("deliberation", pk), ("certificate", pk, 2020), ("ask", pk),
        ("amendment", amendment.pk), ("change", amendment.pk), ("drop", amendment.pk),
        ("paper", paper.pk),
    ]  # fmt: skip
    a_member(email="autre@example.org")
    other = signed_in("autre@example.org")
    for name, *args in addresses:
        url = reverse(f"espace-conventions:{name}", args=args)
        assert other.get(url).status_code == 404, name
        assert other.post(url).status_code in (404, 405), name
    assert other.post(reverse("espace-conventions:send", args=[amendment.pk])).status_code == 404
    assert office.get(reverse("espace-conventions:paper", args=[paper.pk])).status_code == 200


def test_a_draft_agreement_is_not_shown(office, convention):
    draft = ConventionFactory(party=convention.party, status=states.DRAFT, reference="SECRET")
    assert "SECRET" not in home(office)
    url = reverse("espace-conventions:convention", args=[draft.pk])
    assert office.get(url).status_code == 404


def test_the_home_page_asks_few_queries_however_many_agreements(
    office, convention, django_assert_max_num_queries
):
    for rank in range(8):
        other = ConventionFactory(
            schedule=convention.schedule, party=convention.party, policy=convention.policy,
            reference=f"AUTRE-{rank}", first_year=2020, last_year=2020,
        )  # fmt: skip
        for row in convention.enrolments.all():
            other.enrolments.create(school=row.school, first_year=2020)
    with django_assert_max_num_queries(20):
        office.get(reverse("espace:home"))
    with django_assert_max_num_queries(20):
        office.get(reverse("espace-conventions:convention", args=[convention.pk]))

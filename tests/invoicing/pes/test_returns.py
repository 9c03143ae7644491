"""What Hélios answers to a file: read without trust, shown first, recorded once on the titres."""

from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from entsvc.models import JournalEntry
from invoicing.answers import record_event
from invoicing.bordereaux import send, sign
from invoicing.models import Sending, TitreEvent
from invoicing.pes.answering import AnswerUnplaced, plan, record
from invoicing.pes.returns import Unreadable, read_acknowledgement
from invoicing.pes.sending import produce
from invoicing.roles import create_groups
from tests.invoicing.follow_up import said, words
from tests.invoicing.pes.conftest import DAY
from tests.invoicing.test_admin import account

NAME = "PESALR1_LOC002025B1E1.xml"


def acquit(*elements, name=NAME, root="PES_ACQUIT"):
    body = "".join(elements)
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?><n:{root} xmlns:n="urn:essai"><Enveloppe>'
        f'<Parametres><NomFic V="{name}"/></Parametres></Enveloppe><ACQUIT>{body}</ACQUIT></n:{root}>'
    ).encode("latin-1")


def element(state, inner="", *, exercice="2025", number="1"):
    return (
        f'<ElementACQUIT><DomaineAck V="06"/><EtatAck V="{state}"/><ExerciceBord V="{exercice}"/>'
        f'<NumBord V="{number}"/>{inner}</ElementACQUIT>'
    )


def error(words, code="300"):
    return f'<Erreur><NumAnoAck V="{code}"/><LibelleAnoAck V="{words}"/></Erreur>'


REFUSED = element(
    0,
    error("Bordereau en anomalie")
    + f'<DetailPiece><NumPiece V="00002"/><DetailLigne><NumLigne V="1"/>{error("Nature inconnue")}'
    "</DetailLigne></DetailPiece>",
)


@pytest.fixture
def sending(bordereau, local):
    sign(bordereau=bordereau, signatory=local.signatory, on=DAY, actor="essai")
    send(bordereau=bordereau, on=DAY, actor="essai")
    return produce(bordereau=bordereau, actor="essai")


def events():
    rows = TitreEvent.objects.order_by("titre__number", "pk")
    return list(rows.values_list("titre__number", "kind", "comment"))


def test_an_acknowledgement_says_of_what_file_and_why():
    told = read_acknowledgement(acquit(REFUSED))
    [only] = told.elements
    assert (told.file_name, told.accepted) == (NAME, False)
    assert only.reason == "300 Bordereau en anomalie"
    assert only.pieces == {"2": "ligne 1 : 300 Nature inconnue"}
    assert read_acknowledgement(acquit(element(1))).accepted


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"titre;date", "n'est pas du XML"),
        (acquit(element(1), root="PES_Retour"), "« Lire un PES retour », dans la liste des envois"),
        (acquit(), "ne dit rien"),
        (acquit(element(1), name=""), "ne nomme pas de fichier"),
    ],
)
def test_what_is_no_acknowledgement_is_refused(content, told):
    with pytest.raises(Unreadable, match=told):
        read_acknowledgement(content)


def test_an_acknowledgement_names_no_other_file_of_the_machine(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("à ne pas lire")
    head = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    content = acquit(element(0, error("a"))).replace(b"<n:", head.encode() + b"<n:", 1)
    told = read_acknowledgement(content.replace(b"<ACQUIT>", b"<ACQUIT>&e;"))
    assert "à ne pas lire" not in str(told)


@pytest.mark.django_db
def test_a_refused_bordereau_rejects_each_titre_with_its_reason_once(sending):
    told = read_acknowledgement(acquit(REFUSED))
    record(plan(sending, told), on=DAY, actor="essai")
    whole = "Bordereau refusé par Hélios : 300 Bordereau en anomalie"
    expected = [
        (1, "rejete", whole),
        (2, "rejete", "ligne 1 : 300 Nature inconnue"),
        (3, "rejete", whole),
    ]
    assert events() == expected
    sending.refresh_from_db()
    assert sending.answer == Sending.Answer.REJECTED
    assert "Pièce 2 : ligne 1 : 300 Nature inconnue" in sending.answer_words
    again = plan(sending, told)
    assert again.changes == ()
    record(again, on=DAY, actor="essai")
    assert events() == expected
    assert JournalEntry.objects.filter(action="pes-acquit").count() == 1


@pytest.mark.django_db
def test_accepted_by_helios_is_not_taken_in_charge_unless_it_is_said(sending):
    told = read_acknowledgement(acquit(element(1)))
    record(plan(sending, told), on=DAY, actor="essai")
    sending.refresh_from_db()
    assert (sending.answer, events()) == (Sending.Answer.TAKEN, [])
    record(plan(sending, told, taken=True), on=DAY, actor="essai")
    assert [kind for _, kind, _ in events()] == ["pris-en-charge"] * 3


def test_a_state_is_a_boolean_however_it_is_written():
    assert read_acknowledgement(acquit(element("true"))).accepted
    assert not read_acknowledgement(acquit(element("false"))).accepted


@pytest.mark.django_db
def test_an_attachment_that_is_refused_is_told_and_rejects_no_titre(sending):
    attached = (
        '<ElementACQUIT><DomaineAck V="4"/><EtatAck V="0"/><IdUnique V="PJ1"/>'
        f"{error('Pièce illisible')}</ElementACQUIT>"
        '<ElementACQUIT><DomaineAck V="4"/><EtatAck V="1"/><IdUnique V="PJ2"/></ElementACQUIT>'
    )
    record(plan(sending, read_acknowledgement(acquit(element(1), attached))), on=DAY, actor="essai")
    sending.refresh_from_db()
    assert (sending.answer, events()) == (Sending.Answer.TAKEN, [])
    assert sending.answer_words == "Pièce jointe PJ1 refusée : 300 Pièce illisible"
    with pytest.raises(AnswerUnplaced, match="ne dit rien de"):
        plan(sending, read_acknowledgement(acquit(attached)))


@pytest.mark.django_db
def test_a_refusal_read_again_undoes_nothing_that_was_noted_since(sending):
    told = read_acknowledgement(acquit(REFUSED))
    record(plan(sending, told), on=DAY, actor="essai")
    for titre in sending.bordereau.titres.order_by("number"):
        record_event(titre=titre, kind=TitreEvent.Kind.TAKEN, on=DAY, actor="essai")
    sending.refresh_from_db()
    assert plan(sending, told).changes == ()


@pytest.mark.django_db
def test_the_refusal_of_a_file_rejects_nothing_once_another_one_was_accepted(sending, bordereau):
    told = read_acknowledgement(acquit(element(1)))
    record(plan(sending, told, taken=True), on=DAY, actor="essai")
    twice = produce(bordereau=bordereau, actor="essai")
    duplicate = read_acknowledgement(
        acquit(element(0, error("Bordereau déjà reçu")), name=twice.file_name)
    )
    planned = plan(twice, duplicate)
    assert planned.changes == ()
    record(planned, on=DAY, actor="essai")
    twice.refresh_from_db()
    assert twice.answer == Sending.Answer.REJECTED
    assert [kind for _, kind, _ in events()] == ["pris-en-charge"] * 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (acquit(element(1), name="AUTRE.xml"), "ouvrez l'envoi qu'il nomme"),
        (acquit(element(1, number="2")), "ne dit rien de"),
        (acquit(element(1, exercice="2024")), "ne dit rien de"),
    ],
)
def test_the_answer_to_something_else_is_refused(sending, content, told):
    with pytest.raises(AnswerUnplaced, match=told):
        plan(sending, read_acknowledgement(content))


@pytest.mark.django_db
def test_nothing_is_answered_before_the_sending(bordereau):
    sending = produce(bordereau=bordereau, actor="essai")
    with pytest.raises(AnswerUnplaced, match="notez d'abord son envoi"):
        plan(sending, read_acknowledgement(acquit(element(1))))


@pytest.mark.django_db
def test_the_page_shows_first_then_records(sending, local, client):
    create_groups()
    client.force_login(account("finances", issuers=[local.issuer]))
    page = reverse("admin:invoicing_sending_read_answer", args=[sending.pk])
    assert "PES_ACQUIT" in words(client.get(page))

    def give(content, **more):
        file = SimpleUploadedFile("acquit.xml", content, "application/xml")
        return client.post(page, {"file": file, "on": "10/03/2025", **more}, follow=True)

    shown = unescape(words(give(acquit(REFUSED), trial="on")))
    assert "Essai : rien n'est enregistré" in shown
    assert "300 Nature inconnue" in shown
    assert events() == []
    assert "n'est pas du XML" in unescape(words(give(b"non")))
    assert "ouvrez l'envoi" in unescape(words(give(acquit(element(1), name="X.xml"))))
    done = give(acquit(REFUSED))
    assert said(done)[-1] == f"{NAME} : rejeté par Hélios, 3 titres mis à jour."
    assert len(events()) == 3


@pytest.mark.django_db
def test_only_finances_record_an_answer(sending, local, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[local.issuer]))
    page = reverse("admin:invoicing_sending_read_answer", args=[sending.pk])
    assert client.get(page).status_code == 403
    assert client.post(page).status_code == 403

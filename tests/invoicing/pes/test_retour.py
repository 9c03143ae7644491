"""What a PES retour tells of each titre: read without trust, shown first, recorded once."""

import datetime as dt
from decimal import Decimal
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from entsvc.models import JournalEntry
from invoicing.answers import AnswerRefused, record_event
from invoicing.bordereaux import send, sign
from invoicing.models import Channel, Titre, TitreEvent
from invoicing.pes.answering import AnswerUnplaced
from invoicing.pes.retour import State, read_retour
from invoicing.pes.retour_answers import plan_retour, record_retour
from invoicing.pes.returns import Unreadable
from invoicing.roles import create_groups
from invoicing.statuses import ORDER, Status, with_status
from members.models import Issuer
from tests.invoicing.follow_up import annulled, words
from tests.invoicing.pes.conftest import DAY
from tests.invoicing.test_admin import account

PAGE = "admin:invoicing_sending_read_retour"
NAME = "PESRETREC_LOC_20250310.xml"
NAMESPACE = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/retour"
TAKEN = '<EtatPce V="02"/><DtePcePec V="2025-03-10"/>'
REJECTED = (
    '<EtatPce V="04"/><ObsEtat V="15-19"/><Commentaire V="Joindre la convention"/>'
    '<DtePceRej V="2025-03-10"/>'
)


def piece(number, state, amount="90.00", block="BlocPiece", line=""):
    return (
        f'<Piece><{block}><IdPce V="{number}"/><TypPce V="01"/><NatPce V="01"/>{state}</{block}>'
        f'<LigneDePiece><BlocLignePiece><InfoLignePiece><IdLigne V="1"/>{line}<MtHT V="{amount}"/>'
        "</InfoLignePiece></BlocLignePiece></LigneDePiece></Piece>"
    )


def retour(
    *pieces, kind="01", exercice="2025", number="1", siret, budget="00", body="123", code="CodCol"
):
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?><n:PES_Retour xmlns:n="{NAMESPACE}"><Enveloppe>'
        f'<Parametres><Version V="2"/><TypFic V="PESRETOUR_REC"/><NomFic V="{NAME}"/></Parametres>'
        f'</Enveloppe><EnTetePES><DteStr V="2025-03-10"/><IdPost V="080001"/><IdColl V="{siret}"/>'
        f'<{code} V="{body}"/><CodBud V="{budget}"/></EnTetePES><PES_RecetteRetour><EnTeteRecette>'
        '<TypRestit V="02"/><IdVer V="2"/><NatInf V="2"/></EnTeteRecette><Bordereau><BlocBordereau>'
        f'<Exer V="{exercice}"/><IdBord V="{number}"/><TypBord V="{kind}"/></BlocBordereau>'
        f"{''.join(pieces)}</Bordereau></PES_RecetteRetour></n:PES_Retour>"
    ).encode("latin-1")


@pytest.fixture
def sent(bordereau, local):
    sign(bordereau=bordereau, signatory=local.signatory, on=DAY, actor="essai")
    send(bordereau=bordereau, on=DAY, actor="essai")
    return bordereau


@pytest.fixture
def of_local(local):
    """Make the file of this issuer."""

    def written(*pieces, **more):
        return retour(*pieces, **{"siret": local.issuer.siret, **more})

    return written


def planned(content):
    return plan_retour(read_retour(content), Issuer.objects.all())


def record(content):
    record_retour(planned(content), sha256="0" * 64, actor="essai")


def totals():
    """Return the amount of each titre, as the file writes it."""
    rows = Titre.objects.filter(kind=Titre.Kind.TITRE).order_by("number")
    return {titre.number: str(titre.total) for titre in rows}


def events():
    rows = TitreEvent.objects.order_by("titre__number", "pk")
    return list(rows.values_list("titre__number", "kind", "on", "comment"))


def test_it_says_where_each_piece_stands_since_when_and_why():
    line = '<EtatLigPce V="01"/><ObsEtat V="04"/>'
    told = read_retour(
        retour(
            piece("0000000000012", TAKEN),
            piece(13, REJECTED, line=line),
            piece(14, '<EtatPce V="01"/><ObsEtat V="99"/><DtePceInst V="2025-03-09"/>', "12.5"),
            siret="20004628600018",
        )
    )
    taken, rejected, waiting = told.pieces
    assert (told.file_name, told.siret, told.body, told.budget) == (NAME, "20004628600018", "123", "00")
    assert (taken.number, taken.state, taken.on) == ("12", State.TAKEN, dt.date(2025, 3, 10))
    assert rejected.state == State.REJECTED
    assert rejected.reason == (
        "pièces justificatives insuffisantes; information à compléter; Joindre la convention; "
        "ligne 1 : imputation budgétaire erronée"
    )
    assert (waiting.on, waiting.amount, waiting.reason) == (
        dt.date(2025, 3, 9),
        Decimal("12.50"),
        "motif 99",
    )


def test_the_two_spellings_of_its_editions_are_read():
    older = '<EtatPce V="04"/><CodInst-Rej V="03"/><ObsEtat V="Voir courrier"/>'
    told = read_retour(retour(piece(1, older), siret="1"))
    newer = read_retour(retour(piece(1, TAKEN, block="InfoPiece"), siret="1", code="CodColl"))
    assert told.pieces[0].reason == "Voir courrier; débiteur non indiqué"
    assert told.pieces[0].on == dt.date(2025, 3, 10)  # the day of the file, where none is given
    assert (newer.body, newer.pieces[0].state) == ("123", State.TAKEN)


def test_receipts_that_wait_for_a_titre_are_counted_apart():
    told = read_retour(retour(piece(1, TAKEN), kind="05", siret="1"))
    assert (told.pieces, told.others) == ((), 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"non", "n'est pas du XML"),
        (b"<n:PES_ACQUIT xmlns:n='u'/>", "relisez-le depuis l'envoi qu'il nomme"),
        (b"<n:PES_Retour xmlns:n='u'/>", "ne parle pas de recettes"),
        (retour(piece(1, '<EtatPce V="09"/>'), siret="1"), "l'état « 09 » n'existe pas"),
        (retour(piece("", TAKEN), siret="1"), "n'a pas de numéro"),
        (retour(piece(1, TAKEN, "dix"), siret="1"), "le montant « dix » ne se lit pas"),
        (retour(piece(1, TAKEN.replace("2025-03-10", "10/03/2025")), siret="1"), "ne se lit pas"),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', "n'est pas un PES retour"),
    ],
)
def test_what_is_no_pes_retour_is_refused_with_what_to_do(content, told):
    with pytest.raises(Unreadable, match=told):
        read_retour(content)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_they_are_read_or_refused(content):
    with pytest.raises(Unreadable):
        read_retour(content)


@pytest.mark.django_db
def test_what_is_taken_and_what_is_rejected_is_recorded_on_each_titre(sent, of_local):
    amounts = totals()
    content = of_local(piece(1, TAKEN, amounts[1]), piece(2, REJECTED, amounts[2]))
    record(content)
    why = "pièces justificatives insuffisantes; information à compléter; Joindre la convention"
    assert events() == [
        (1, "pris-en-charge", DAY, f"PES retour {NAME}"),
        (2, "rejete", DAY, why),
    ]
    rows = with_status(Titre.objects.order_by("number"))
    stands = {titre.number: ORDER[titre.status_rank] for titre in rows}
    assert (stands[1], stands[2]) == (Status.TAKEN, Status.REJECTED)
    entry = JournalEntry.objects.get(action="pes-retour")
    assert entry.data == {"sha256": "0" * 64, "pieces": 2, "titres": 2}


@pytest.mark.django_db
def test_read_again_it_changes_nothing(sent, of_local):
    content = of_local(piece(1, TAKEN, totals()[1]))
    record(content)
    again = planned(content)
    assert (again.changes, again.known, again.notes) == ((), 1, ())
    record(content)
    assert len(events()) == 1


@pytest.mark.django_db
def test_one_rejected_after_it_was_taken_says_that_its_number_is_spent(sent, of_local):
    amount = totals()[1]
    record(of_local(piece(1, TAKEN, amount)))
    record(of_local(piece(1, REJECTED + '<DtePcePec V="2025-03-09"/>', amount)))
    assert events()[-1][1] == "rejete"
    assert events()[-1][3].endswith("son numéro ne peut pas resservir")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("number", "state", "more", "told"),
    [
        (9, TAKEN, {}, "Pièce 9, bordereau 1 de 2025 : inconnue ici."),
        (1, TAKEN, {"number": "2"}, "inconnue ici"),
        (1, TAKEN, {"kind": "02"}, "inconnue ici"),
        (1, TAKEN, {"exercice": "2024"}, "inconnue ici"),
        (1, TAKEN, {"budget": "01"}, "inconnue ici"),
        (1, '<EtatPce V="01"/><ObsEtat V="19"/>', {}, "mis en instance par le comptable, le 10/03/2025"),
        (1, '<EtatPce V="03"/>', {}, "pris en charge en partie"),
        (1, '<EtatPce V="05"/>', {}, "annulé chez le comptable"),
        (1, TAKEN.replace("03-10", "03-09"), {}, "avant ce qui est noté ici au 10/03/2025"),
        (1, TAKEN.replace("03-10", "03-11"), {}, "un jour à venir"),
    ],
)
def test_what_has_no_place_is_told_and_changes_nothing(sent, of_local, number, state, more, told):
    found = planned(of_local(piece(number, state, totals()[1]), **more))
    assert found.changes == ()
    assert told in found.notes[0].replace("\xa0", " ")


@pytest.mark.django_db
def test_an_amount_that_differs_is_told_and_not_recorded(sent, of_local):
    found = planned(of_local(piece(1, TAKEN, "1.00")))
    assert found.changes == ()
    assert "1,00 € chez le comptable" in found.notes[0].replace("\xa0", " ")


@pytest.mark.django_db
def test_nothing_is_recorded_before_the_bordereau_is_sent(bordereau, of_local):
    found = planned(of_local(piece(1, TAKEN, totals()[1])))
    assert found.changes == ()
    assert "notez son envoi" in found.notes[0]


@pytest.mark.django_db
def test_a_correction_is_known_by_its_own_kind_of_bordereau(sent, local, of_local):
    titre = sent.titres.get(number=1)
    correction = annulled(titre, local.signatory)
    listed = correction.bordereau
    sign(bordereau=listed, signatory=local.signatory, on=DAY, actor="essai")
    send(bordereau=listed, on=DAY, actor="essai")
    content = of_local(piece(1, TAKEN, str(correction.total)), kind="02", number=str(listed.number))
    [change] = planned(content).changes
    assert change.titre == correction


@pytest.mark.django_db
def test_a_file_for_another_body_is_refused(sent, local, of_local):
    for more in ({"siret": "20004628600018"}, {"body": "999"}):
        with pytest.raises(AnswerUnplaced, match="aucun de vos émetteurs sous Hélios"):
            planned(of_local(piece(1, TAKEN), **more))
    with pytest.raises(AnswerUnplaced):
        plan_retour(read_retour(of_local(piece(1, TAKEN))), Issuer.objects.none())


@pytest.mark.django_db
def test_an_answer_that_came_meanwhile_leaves_the_whole_file_unwritten(sent, of_local):
    amounts = totals()
    found = planned(of_local(piece(1, TAKEN, amounts[1]), piece(2, TAKEN, amounts[2])))
    second = sent.titres.get(number=2)
    record_event(titre=second, kind=TitreEvent.Kind.TAKEN, on=DAY, actor="autre")
    with pytest.raises(AnswerRefused):
        record_retour(found, sha256="", actor="essai")
    assert [number for number, *_ in events()] == [2]


@pytest.mark.django_db
def test_many_pieces_ask_as_little_as_a_few(sent, of_local, django_assert_num_queries):
    few = of_local(piece(1, TAKEN, totals()[1]))
    many = of_local(*(piece(number, TAKEN, amount) for number, amount in totals().items()))
    for content in (few, many):
        with django_assert_num_queries(4):
            planned(content)


@pytest.mark.django_db
def test_the_page_shows_first_then_records(sent, local, of_local, client):
    create_groups()
    client.force_login(account("finances", issuers=[local.issuer]))
    page = reverse(PAGE)
    assert page in client.get(reverse("admin:invoicing_sending_changelist")).content.decode()
    assert "PES retour" in words(client.get(page))
    content = of_local(piece(1, TAKEN, totals()[1]), piece(9, TAKEN))

    def give(content, **more):
        file = SimpleUploadedFile("retour.xml", content, "application/xml")
        return unescape(words(client.post(page, {"file": file, **more}))).replace("\xa0", " ")

    shown = give(content, trial="on")
    assert "Essai : rien n'est enregistré." in shown
    assert "2 pièces, 1 titre à mettre à jour" in shown
    assert "pris en charge le 10/03/2025" in shown
    assert "Pièce 9, bordereau 1 de 2025 : inconnue ici." in shown
    assert events() == []
    assert "n'est pas du XML" in give(b"non", trial="on")
    assert "aucun de vos émetteurs" in give(of_local(piece(1, TAKEN), body="999"), trial="on")
    recorded = give(content)
    assert "Enregistré." in recorded
    assert "1 titre mis à jour" in recorded
    assert [number for number, *_ in events()] == [1]


@pytest.mark.django_db
def test_only_finances_of_a_body_under_helios_read_one(sent, local, client):
    create_groups()
    user = account("gestionnaire", issuers=[local.issuer])
    client.force_login(user)
    assert client.get(reverse(PAGE)).status_code == 403
    client.force_login(account("finances", issuers=[local.issuer]))
    assert client.get(reverse(PAGE)).status_code == 200
    Channel.objects.update(kind="pdf")
    assert client.get(reverse(PAGE)).status_code == 403

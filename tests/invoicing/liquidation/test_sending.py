"""An état liquidatif is kept with its bytes, once for each rank, and seen by its issuer alone."""

from unittest.mock import Mock

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from entsvc import documents
from entsvc.models import JournalEntry, StoredDocument
from invoicing.accountant_numbers import write_number
from invoicing.liquidation import sending as sending_module
from invoicing.liquidation.pages import answer_of
from invoicing.liquidation.sending import EtatRefused, answered, produce
from invoicing.models import Sending, Titre
from invoicing.verification import verify
from members.access import visible
from tests.factories import IssuerFactory
from tests.invoicing.campaigns import annul
from tests.invoicing.test_admin import account
from tests.invoicing.world import ISSUED_ON

pytestmark = pytest.mark.django_db


@pytest.fixture
def sending(campaign, quick):
    return produce(campaign=campaign, rank=1, actor="fin")


def replied(sending):
    return answer_of(answered(Sending.objects.all()).get(pk=sending.pk)).replace("\xa0", " ")


def test_both_files_are_kept_and_the_journal_names_them(sending, campaign):
    assert sending.file_name == f"etat-liquidatif-{campaign.slug}-n1.pdf"
    assert sending.workbook_name == f"etat-liquidatif-{campaign.slug}-n1.xlsx"
    assert documents.read(sending.document).startswith(b"%PDF")
    assert documents.read(sending.workbook).startswith(b"PK")
    assert sending.attachments == sorted(Titre.objects.values_list("reference", flat=True))
    entry = JournalEntry.objects.get(action="etat-liquidatif")
    assert entry.data == {
        "rank": 1, "pdf": sending.document.sha256, "workbook": sending.workbook.sha256,
    }  # fmt: skip


def test_asked_twice_it_is_made_once(sending, campaign):
    assert produce(campaign=campaign, rank=1, actor="autre") == sending
    assert Sending.objects.count() == 1


def test_two_clicks_at_once_leave_one(campaign, quick, monkeypatch):
    made = []
    draw = sending_module.draw_etat

    def slow(etat):
        if not made:
            made.append(None)
            made[0] = produce(campaign=campaign, rank=1, actor="l'autre")
        return draw(etat)

    monkeypatch.setattr(sending_module, "draw_etat", slow)
    assert produce(campaign=campaign, rank=1, actor="fin") == made[0]
    assert Sending.objects.get().made_by == "l'autre"
    assert JournalEntry.objects.filter(action="etat-liquidatif").count() == 1


def test_a_making_killed_midway_is_taken_up_at_the_same_rank(campaign, quick, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(sending_module, "_record", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            produce(campaign=campaign, rank=1, actor="fin")
    assert not Sending.objects.exists()
    kept = StoredDocument.objects.count()
    assert produce(campaign=campaign, rank=1, actor="fin").rank == 1
    assert StoredDocument.objects.count() == kept


@pytest.mark.parametrize("rank", [2, 9])
def test_an_etat_has_its_turn(campaign, quick, rank):
    with pytest.raises(EtatRefused, match="le prochain état est le n° 1"):
        produce(campaign=campaign, rank=rank, actor="fin")


def test_its_answer_is_how_many_numbers_were_read_back(sending, campaign, state, titres):
    assert replied(sending) == "0 numéro relu pour 3 pièces"
    write_number(titre=titres[0], number="771", actor="fin")
    assert replied(sending) == "1 numéro relu pour 3 pièces"
    write_number(titre=annul(state, titres[1], ISSUED_ON), number="9", actor="fin")
    later = produce(campaign=campaign, rank=2, actor="fin")
    assert replied(sending) == "1 numéro relu pour 3 pièces"
    assert replied(later) == "2 numéros relus pour 4 pièces"


def test_a_kept_etat_never_changes(sending):
    for broken in (
        "UPDATE invoicing_sending SET workbook_id = document_id",
        "UPDATE invoicing_sending SET rank = 7",
        "DELETE FROM invoicing_sending",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(broken)


@pytest.mark.parametrize("parts", ["bordereau campaign workbook", "", "campaign", "bordereau workbook"])
def test_a_sending_is_of_a_bordereau_or_of_a_campaign_with_its_workbook(sending, titres, parts):
    facts = {
        "bordereau": titres[0].bordereau,
        "campaign": sending.campaign,
        "workbook": sending.workbook,
    }
    given = {name: facts[name] for name in parts.split()}
    with pytest.raises(IntegrityError, match="sending_of_one"), transaction.atomic():
        Sending.objects.create(
            rank=5, channel="pdf", file_name="essai", document=sending.document, attachments=[],
            schema=False, made_by="essai", **given,
        )  # fmt: skip


def test_an_account_sees_the_sendings_of_its_issuers_of_both_sorts(sending, state, titres):
    of_bordereau = Sending.objects.create(
        bordereau=titres[0].bordereau, rank=1, channel="pdf", file_name="essai",
        document=sending.document, attachments=[], schema=False, made_by="essai",
    )  # fmt: skip
    other = IssuerFactory(code="AUTRE")
    mine = account("mienne", issuers=[state.issuer])
    theirs = account("autre", issuers=[other])
    assert set(visible(Sending.objects.order_by("pk"), mine)) == {sending, of_bordereau}
    assert not visible(Sending.objects.order_by("pk"), theirs).exists()


def test_the_verification_looks_at_both_files(sending, media):
    assert not [d for d in verify().deviations if sending.file_name in d.where]
    [path] = media.rglob("*.xlsx")
    path.write_bytes(b"autre")
    [deviation] = [d for d in verify().deviations if sending.file_name in d.where]
    assert "classeur de l'état liquidatif" in deviation.message

"""The PES file of an issued bordereau: read from what is frozen, refused with what to mend, kept."""

from unittest.mock import Mock

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from lxml import etree

from conventions.findings import Scope
from entsvc import documents
from entsvc.models import DatedText, JournalEntry, StoredDocument
from invoicing import home
from invoicing.corrections import correct
from invoicing.models import Channel, Sending, Titre
from invoicing.pes import sending as sending_module
from invoicing.pes.sending import SendingRefused, prepare, produce
from invoicing.rendering import render_missing
from invoicing.roles import create_groups
from members.models import Member
from tests.invoicing.follow_up import bordereau_page, said, words
from tests.invoicing.pes.conftest import DAY
from tests.invoicing.test_admin import account
from tests.invoicing.world import YEAR

pytestmark = pytest.mark.django_db


def values(content, path):
    return [found.get("V") for found in etree.fromstring(content).findall(f".//{path}")]


@pytest.fixture
def groups(db):
    create_groups()


@pytest.fixture
def finances(client, local, groups):
    client.force_login(account("finances", issuers=[local.issuer]))
    return client


def test_the_file_says_what_was_issued(bordereau, local):
    sending = produce(bordereau=bordereau, actor="essai")
    content = documents.read(sending.document)
    titres = list(bordereau.titres.order_by("number"))
    assert sending.file_name == "PESALR1_LOC002025B1E1.xml"
    assert values(content, "EnTetePES/*") == [
        "2025-03-10", "031000", "Comptable d'essai", local.issuer.siret, "123", "00",
        "Syndicat mixte d'essai",
    ]  # fmt: skip
    assert values(content, "IdPce") == [str(titre.number) for titre in titres]
    assert values(content, "NumeroFacture") == [titre.reference for titre in titres]
    assert values(content, "Piece/LigneDePiece/Tiers/InfoTiers/IdTiers") == [t.siret for t in titres]
    assert values(content, "MtHT") == ["45.00", "90.00", "135.00"]
    assert values(content, "MtBordHt") == [str(bordereau.total)]
    assert values(content, "CodProdLoc") == ["ENT1"] * 3
    assert values(content, "PJ/TypePJ") == ["006", "008"] * 3
    assert values(content, "Adr2") == ["Hôtel de ville"] * 3


def test_what_changes_after_the_issue_changes_no_file(bordereau, local):
    before = produce(bordereau=bordereau, actor="essai")
    Member.objects.update(name="Autre nom", address="Ailleurs", city="Ailleurs")
    local.issuer.name, local.accountant.codique = "Autre nom", "999999"
    local.issuer.save()
    local.accountant.save()
    after = produce(bordereau=bordereau, actor="essai")
    first, second = (documents.read(row.document) for row in (before, after))
    assert b"Autre" not in second
    assert b"Ailleurs" not in second
    assert values(first, "MtHT") == values(second, "MtHT")


def test_a_file_made_again_is_another_sending_whose_documents_are_others(bordereau):
    first, second = (produce(bordereau=bordereau, actor="essai") for _ in range(2))
    assert (first.rank, second.rank) == (1, 2)
    assert not set(first.attachments) & set(second.attachments)
    assert first.document != second.document
    assert first.file_name != second.file_name


def test_the_same_facts_give_the_same_file(bordereau):
    one, two = (prepare(bordereau, on=DAY) for _ in range(2))
    assert one.flow == two.flow
    assert not one.findings


def test_a_making_killed_midway_is_taken_up_at_the_same_rank(bordereau, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(sending_module, "_record", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            produce(bordereau=bordereau, actor="essai")
    assert not Sending.objects.exists()
    kept = StoredDocument.objects.count()
    assert produce(bordereau=bordereau, actor="essai").rank == 1
    assert StoredDocument.objects.count() == kept


def test_two_makings_at_once_leave_one_sending(bordereau, monkeypatch):
    prepared = prepare(bordereau)
    produce(bordereau=bordereau, actor="essai")
    monkeypatch.setattr(sending_module, "prepare", lambda *args, **kwargs: prepared)
    with pytest.raises(SendingRefused, match="un autre envoi vient d'être produit"):
        produce(bordereau=bordereau, actor="essai")
    assert Sending.objects.count() == 1


def test_a_finding_keeps_nothing_and_says_what_to_mend(bordereau, local):
    Channel.objects.update(body_code="000")
    DatedText.objects.filter(code="asap-contestation").update(body="x" * 421)
    Member.objects.filter(pk=local.members[0].pk).update(kind="autre")
    kept = StoredDocument.objects.count()
    with pytest.raises(SendingRefused, match="3.points à corriger, aucun fichier") as refused:
        produce(bordereau=bordereau, actor="essai")
    assert {finding.rule for finding in refused.value.findings} == {
        "code-collectivite", "modalites-contestation", "categorie-tiers",
    }  # fmt: skip
    assert not Sending.objects.exists()
    assert StoredDocument.objects.count() == kept


def test_a_document_that_is_lost_is_told(bordereau, media):
    for path in media.rglob("*.pdf"):
        path.write_bytes(b"autre")
    with pytest.raises(SendingRefused, match="restaurez-le"):
        prepare(bordereau)


def test_another_channel_has_no_pes(bordereau):
    Channel.objects.update(kind="pdf")
    with pytest.raises(SendingRefused, match="ne va qu'à Hélios"):
        prepare(bordereau)
    Channel.objects.all().delete()
    with pytest.raises(SendingRefused, match="Canaux d'envoi"):
        prepare(bordereau)


def test_a_correction_goes_on_its_own_file_and_names_its_titre(bordereau, local):
    titre = bordereau.titres.order_by("number").last()
    made = correct(
        titre=titre, kind=Titre.Kind.ANNULATION, reason_code="liquidation", reason="Erreur.",
        on=DAY, signatory=local.signatory, actor="essai",
    )  # fmt: skip
    list(render_missing(made.bordereau.titres.all()))
    sending = produce(bordereau=made.bordereau, actor="essai")
    content = documents.read(sending.document)
    assert sending.file_name == "PESALR1_LOC002025C1E1.xml"
    assert (values(content, "TypBord"), values(content, "NatPce")) == (["02"], ["06"])
    assert values(content, "RattachPiece/IdPceOrig") == [str(titre.number)]
    assert values(content, "MtHT") == [f"{titre.total:.2f}"]
    assert values(content, "PJ/TypePJ") == ["002"]


def test_a_sending_never_changes_but_for_its_answer(bordereau):
    sending = produce(bordereau=bordereau, actor="essai")
    Sending.objects.filter(pk=sending.pk).update(answer="accepte", answer_words="Pris en charge")
    for broken in ("UPDATE invoicing_sending SET made_by = 'autre'", "DELETE FROM invoicing_sending"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(broken)


def test_the_journal_says_what_was_made(bordereau):
    sending = produce(bordereau=bordereau, actor="essai")
    entry = JournalEntry.objects.get(action="pes")
    assert entry.data["sha256"] == sending.document.sha256
    assert sending.file_name in entry.summary


def test_without_a_schema_the_file_says_so_and_with_one_it_is_checked(bordereau, settings, tmp_path):
    settings.PES_XSD_DIR = ""
    assert not produce(bordereau=bordereau, actor="essai").schema
    settings.PES_XSD_DIR = str(tmp_path)
    with pytest.raises(SendingRefused, match="PES_XSD_DIR"):
        produce(bordereau=bordereau, actor="essai")
    schema = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
      targetNamespace="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller">
      <xs:element name="PES_Aller"><xs:complexType>{}</xs:complexType></xs:element></xs:schema>"""
    entry = tmp_path / "refuse" / "PES_Aller.xsd"
    entry.parent.mkdir()
    entry.write_text(schema.format(""))
    settings.PES_XSD_DIR = str(entry.parent)
    with pytest.raises(SendingRefused, match="refuse le fichier, qui n'est pas gardé"):
        produce(bordereau=bordereau, actor="essai")
    accepts = tmp_path / "accepte" / "PES_Aller.xsd"
    accepts.parent.mkdir()
    lax = '<xs:sequence><xs:any processContents="skip" maxOccurs="unbounded"/></xs:sequence>'
    accepts.write_text(schema.format(lax))
    settings.PES_XSD_DIR = str(accepts.parent)
    assert produce(bordereau=bordereau, actor="essai").schema


def test_finances_produce_on_the_page_and_download(bordereau, finances):
    page = words(finances.get(bordereau_page("produce_pes", bordereau)))
    assert "3 pièces, 270,00 €, 6 pièces jointes" in page
    assert "jamais par Hélios" in page
    assert not Sending.objects.exists()
    done = finances.post(bordereau_page("produce_pes", bordereau), follow=True)
    assert "contrôlé par nos règles" in said(done)[-1]
    sending = Sending.objects.get()
    given = finances.get(reverse("admin:invoicing_sending_download", args=[sending.pk]))
    assert given.content == documents.read(sending.document)
    assert sending.file_name in given["Content-Disposition"]
    assert sending.file_name in words(finances.get(bordereau_page("change", bordereau)))
    again = words(finances.get(bordereau_page("produce_pes", bordereau)))
    assert "1 fichier a déjà été produit" in again


def test_a_second_click_finds_the_file_of_the_first_and_makes_none(bordereau, finances):
    page = finances.get(bordereau_page("produce_pes", bordereau))
    given = page.context["form"].initial
    first, second = (
        finances.post(bordereau_page("produce_pes", bordereau), given, follow=True) for _ in range(2)
    )
    sending = Sending.objects.get()
    assert second.redirect_chain == first.redirect_chain
    assert said(second) == [f"{sending.file_name} vient d'être produit : le voici."]
    fresh = finances.get(bordereau_page("produce_pes", bordereau)).context["form"].initial
    finances.post(bordereau_page("produce_pes", bordereau), fresh)
    assert Sending.objects.count() == 2


def test_the_page_lists_what_to_mend_with_links_and_no_button(bordereau, finances, local):
    Channel.objects.update(body_code="000")
    member = local.members[0]
    Member.objects.filter(pk=member.pk).update(kind="autre")
    page = words(finances.get(bordereau_page("produce_pes", bordereau)))
    assert "2 points à corriger" in page
    assert reverse("admin:members_member_change", args=[member.pk]) in page
    assert reverse("admin:invoicing_channel_changelist") in page
    assert "Produire le fichier</button>" not in page
    refused = finances.post(bordereau_page("produce_pes", bordereau), follow=True)
    assert "aucun fichier produit" in said(refused)[-1]


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_only_finances_produce(bordereau, local, groups, client, role):
    client.force_login(account(role, issuers=[local.issuer]))
    for ask in (client.get, client.post):
        assert ask(bordereau_page("produce_pes", bordereau)).status_code == 403
    assert not Sending.objects.exists()
    assert client.get(reverse("admin:invoicing_sending_changelist")).status_code == 200
    assert client.get(reverse("admin:invoicing_channel_add")).status_code == 403


def test_reading_a_bordereau_asks_as_little_for_many_titres_as_for_few(bordereau):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        prepare(bordereau)
    assert len(asked) <= 15


def test_a_channel_of_helios_says_what_the_accountant_gave(local):
    channel = Channel.objects.get()
    channel.bank_reference = ""
    with pytest.raises(ValidationError, match="identifiant créancier"):
        channel.full_clean()
    assert channel.history.count() == 1


def test_the_home_page_tells_the_files_still_to_make(bordereau, local):
    def told():
        scope = Scope(local.issuer, YEAR)
        return home.read(scope).counts["unwritten"]

    assert told() == 1
    produce(bordereau=bordereau, actor="essai")
    assert told() == 0

"""A bordereau leaves by one channel alone, whatever the channel of its issuer becomes."""

import pytest

from invoicing.bordereaux import send
from invoicing.chorus.depositing import DepositRefused, give_up, prepare, record
from invoicing.liquidation import sending as etats
from invoicing.models import Bordereau, Channel, Sending
from invoicing.pes.sending import SendingRefused
from invoicing.pes.sending import prepare as prepare_pes
from invoicing.roads import other_road
from tests.invoicing.chorus.conftest import DAY

Kind = Channel.Kind


def becomes(kind):
    Channel.objects.update(kind=kind, body_code="123", bank_reference="FR00ZZZ123456")


def a_sending(bordereau, channel, **facts):
    [document] = {titre.documents.first().document for titre in bordereau.titres.order_by("pk")[:1]}
    own = {"bordereau": bordereau} if channel != Kind.STATE else {"workbook": document}
    return Sending.objects.create(
        **own, **({"attachments": []} | facts), rank=9, channel=channel, file_name=f"essai-{channel}",
        document=document, schema=False, made_by="alix",
    )  # fmt: skip


def test_what_is_deposited_on_chorus_pro_makes_no_pes_nor_etat(bordereau, chorus, titres):
    [deposit] = record(bordereau=bordereau, actor="alix")
    becomes(Kind.HELIOS)
    with pytest.raises(SendingRefused, match="déjà parti par « Chorus Pro"):
        prepare_pes(bordereau)
    becomes(Kind.STATE)
    assert "déjà parti par « Chorus Pro" in etats.prepare(titres[0].campaign).findings[0]
    give_up(deposit=deposit, actor="alix")
    assert other_road(bordereau, Kind.HELIOS) == ""


@pytest.mark.parametrize(
    ("answer", "sent", "left"),
    [("", False, False), ("", True, True), ("rejete", True, False), ("accepte", True, True)],
)
def test_what_helios_has_is_not_deposited(bordereau, chorus, answer, sent, left):
    a_sending(bordereau, Kind.HELIOS, answer=answer)
    if sent:
        send(bordereau=bordereau, on=DAY, actor="alix")
    bordereau = Bordereau.objects.get(pk=bordereau.pk)
    if left:
        with pytest.raises(DepositRefused, match="Hélios, par un fichier PES"):
            prepare(bordereau)
    else:
        assert prepare(bordereau).ready


def test_what_an_etat_asked_for_is_not_deposited(bordereau, chorus, titres):
    facts = {"campaign": titres[0].campaign}
    etat = a_sending(bordereau, Kind.STATE, attachments=["AUTRE"], **facts)
    assert prepare(bordereau).ready
    etat.pk, etat.rank, etat.file_name = None, 10, "essai-2"
    etat.attachments = [titres[0].reference]
    etat.save()
    with pytest.raises(DepositRefused, match="Chaîne de l'État"):
        prepare(bordereau)

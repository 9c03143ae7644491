"""A campaign with a history: three titres of 45, 90 and 135 €, paid, corrected, rejected."""

import datetime as dt
from decimal import Decimal
from itertools import count

from invoicing.campaign_accounts import read
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.models import Campaign, Titre
from invoicing.payments import record_payment
from tests.invoicing.world import ISSUED_ON

rank = count()


def day(number):
    return ISSUED_ON + dt.timedelta(days=number)


def pay(titre, amount, on):
    return record_payment(
        titre=titre,
        amount=Decimal(amount),
        received_on=on,
        reference=f"VIR-C{next(rank)}",
        actor="essai",
    )


def reduce(world, titre, amount, on):
    return _correct(world, titre, Titre.Kind.REDUCTION, on, [PartOff(Decimal(amount), charge="ECOLE")])


def annul(world, titre, on):
    return _correct(world, titre, Titre.Kind.ANNULATION, on, ())


def _correct(world, titre, kind, on, parts):
    return correct(
        titre=titre,
        kind=kind,
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="École fermée.",
        on=on,
        signatory=world.signatory,
        actor="essai",
        parts=list(parts),
    )


def issued(world):
    """Its three titres, the smallest first."""
    return sorted(world.issue().titres, key=lambda titre: titre.total)


def lived(world):
    """Its titres after a payment in part, one in excess and a réduction."""
    titres = issued(world)
    pay(titres[0], "20.00", day(10))
    pay(titres[1], "100.00", day(40))
    reduce(world, titres[2], "35.00", day(70))
    return titres


def campaign_of(titre):
    return Campaign.objects.select_related("schedule__issuer").get(pk=titre.campaign_id)


def accounts_of(titre):
    return read(campaign_of(titre))

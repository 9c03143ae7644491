"""How a titre is corrected, replaced, or asked to be given back, in few words."""

import datetime as dt
from decimal import Decimal

from conventions.models import Convention
from invoicing import mandats, reissue
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.models import ClosedExercice, Counter, Titre

ANNULATION, REDUCTION = Titre.Kind.ANNULATION, Titre.Kind.REDUCTION
DAY = dt.date(2025, 4, 10)
AFTER = dt.date(2026, 3, 2)


def euros(text):
    return Decimal(text)


def line_of(titre, position=1):
    return titre.lines.get(position=position)


def off(amount, line=None, charge=""):
    return PartOff(euros(amount), line, charge)


def annul(world, titre, **changes):
    asked = {
        "titre": titre,
        "kind": ANNULATION,
        "reason_code": Titre.Reason.WRONG_AMOUNT,
        "reason": "École fermée avant la rentrée.",
        "on": DAY,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return correct(**asked)


def reduce(world, titre, *parts, **changes):
    return annul(world, titre, kind=REDUCTION, parts=parts, **changes)


def said(error):
    return " ".join(error.value.messages).replace("\u00a0", " ").replace("\u202f", " ")


def counters():
    return {c.kind: c.last_number for c in Counter.objects.order_by("kind")}


def close(titre):
    ClosedExercice.objects.create(
        issuer=titre.issuer,
        budget=titre.budget,
        exercice=titre.exercice,
        closed_by="essai",
        report={},
        sha256="0" * 64,
        journal_head="0" * 64,
    )


def again(world, titre, debtor=None, **changes):
    asked = {
        "titre": titre,
        "debtor": debtor or titre.debtor,
        "reason_code": Titre.Reason.WRONG_DEBTOR,
        "reason": "Adresse erronée.",
        "on": DAY,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return reissue.annul_and_reissue(**asked)


def move(old, new):
    """Make another member pay for the agreements of one."""
    Convention.objects.filter(debtor=old).update(debtor=new)


def ask(world, titre, amount="90.00", **changes):
    asked = {
        "titre": titre,
        "amount": euros(amount),
        "reason_code": Titre.Reason.DUPLICATE,
        "reason": "Appelé deux fois.",
        "on": AFTER,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return mandats.request_mandat(**asked)

"""What is asked of the accountant to offset a titre whose exercice is closed: a mandat.

A titre of a closed exercice is no longer annulled nor reduced: its amount goes back to the debtor by a
mandat, at the account of the titres annulled on former exercices (673 in the M57 nomenclature, as dated
data). This system issues no mandat: it writes the request, with the error committed.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from entsvc import documents, journal
from entsvc import texts as dated_texts
from entsvc.french import amount_in_words, euros, short_date
from entsvc.pdf import render_pdf
from invoicing.correction_payload import mention_of
from invoicing.corrections import asked_by_mandat, check_date, check_reason, due, why_closed
from invoicing.models import MandatRequest, Titre
from invoicing.numbering import IssueRefused
from invoicing.payload import letterhead
from invoicing.payments import standing
from members.models import Issuer, Signatory

ACCOUNT, WHY = "compte-exercice-clos", "motif-exercice-clos"


def request_mandat(
    *,
    titre: Titre,
    amount: Decimal,
    reason_code: str,
    reason: str,
    on: date,
    signatory: Signatory,
    actor: str,
) -> MandatRequest:
    """Write the request of a mandat of `amount` euros for a titre of a closed exercice, with its PDF.

    Raises IssueRefused (French messages) for an exercice still open, an amount beyond what is due and
    not asked for yet, a missing mention.
    """
    reason = check_reason(reason_code, reason)
    why = _check(titre, amount, on)
    texts = texts_for(titre.issuer, on)
    facts = _facts(titre, amount, reason_code, reason, on, signatory, why, texts)
    # Drawn and stored before the lock: a request that another forestalls leaves a file, no row.
    content = render_pdf("pdf/demande_mandat.html", facts)
    document = documents.store(content, content_type="application/pdf", suffix=".pdf")
    with transaction.atomic():
        titre = Titre.objects.select_for_update(of=("self",)).get(pk=titre.pk)
        _check(titre, amount, on)
        request = MandatRequest.objects.create(
            titre=titre,
            amount=amount,
            account=texts[ACCOUNT],
            reason_code=reason_code,
            reason=reason,
            requested_on=on,
            requested_by=actor,
            document=document,
        )
        journal.record(
            actor=actor,
            action="request-mandat",
            target=titre,
            summary=f"{titre.reference} : demande d'un mandat de {euros(amount)}, "
            f"compte {request.account}",
            data={"request": str(request.pk), "amount": str(amount), "reason": reason_code},
        )
    return request


@transaction.atomic
def record_mandat(
    *, request: MandatRequest, mandat: str, paid_on: date | None, actor: str
) -> MandatRequest:
    """Record the number of the mandat that answered a request, and once known the day it was paid.

    Raises IssueRefused without a number, for a day before the request or to come, and once it was
    recorded as paid: nothing of it changes any more.
    """
    request = MandatRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
    mandat = " ".join(mandat.split())
    _check_answer(request, mandat, paid_on)
    request.mandat, request.paid_on = mandat, paid_on
    request.save(update_fields=["mandat", "paid_on"])
    paid = f", payé le {short_date(paid_on)}" if paid_on else ""
    journal.record(
        actor=actor,
        action="record-mandat",
        target=request.titre,
        summary=f"{request.titre.reference} : mandat n° {mandat} de {euros(request.amount)}{paid}",
        data={
            "request": str(request.pk),
            "mandat": mandat,
            "paid_on": paid_on.isoformat() if paid_on else None,
        },
    )
    return request


def why_recorded(request: MandatRequest) -> str:
    """Say that the mandat of a request is paid: nothing of it is left to record; else nothing."""
    if request.paid_on is None:
        return ""
    return f"Le mandat n° {request.mandat} est déjà payé, depuis le {short_date(request.paid_on)}."


def left_to_ask(titre: Titre) -> Decimal:
    """Return the euros that a mandat may still be asked for: what is due, less what was asked."""
    return due(titre) - asked_by_mandat(titre)


def texts_for(issuer: Issuer, on: date) -> dict[str, str]:
    """Return the account and the explanation in force on a day; IssueRefused without an account."""
    texts = dated_texts.in_force([issuer.regime, issuer.code], on)
    account = texts.get(ACCOUNT, "").strip()
    if not account:
        raise IssueRefused(
            f"Le compte des titres annulés sur exercices antérieurs n'est pas connu : ajoutez le texte "
            f"légal « {ACCOUNT} »."
        )
    return {ACCOUNT: account, WHY: texts.get(WHY, "").strip()}


def _check_answer(request: MandatRequest, mandat: str, paid_on: date | None) -> None:
    why = why_recorded(request)
    if why:
        raise IssueRefused(why)
    if not mandat:
        raise IssueRefused("Donnez le numéro du mandat, tel que le comptable l'écrit.")
    if paid_on and paid_on < request.requested_on:
        raise IssueRefused(
            f"Ce mandat a été demandé le {short_date(request.requested_on)} : donnez cette date ou une "
            "date postérieure."
        )
    if paid_on and paid_on > timezone.localdate():
        raise IssueRefused("Cette date est à venir : laissez-la vide tant que le mandat n'est pas payé.")


def _check(titre: Titre, amount: Decimal, on: date) -> str:
    """Return why the exercice is closed; raise IssueRefused when no mandat is to be asked for."""
    if titre.kind != Titre.Kind.TITRE:
        raise IssueRefused(
            f"{titre.reference} n'est pas un titre mais une correction : partez du titre d'origine."
        )
    check_date(titre, on)
    why = why_closed(titre, on)
    if not why:
        raise IssueRefused(
            f"L'exercice {titre.exercice} est encore ouvert : annulez ou réduisez le titre "
            f"{titre.reference}, sans mandat."
        )
    if amount <= 0 or amount != round(amount, 2):
        raise IssueRefused("Le montant du mandat est positif et s'arrête au centime.")
    left = left_to_ask(titre)
    if amount > left:
        raise IssueRefused(
            f"{euros(amount)} à rendre, pour {euros(left)} dus sur le titre {titre.reference} et pas "
            "encore demandés : demandez ce reste, ou moins."
        )
    return why


def _facts(
    titre: Titre,
    amount: Decimal,
    reason_code: str,
    reason: str,
    on: date,
    signatory: Signatory,
    why: str,
    texts: dict[str, str],
) -> dict[str, Any]:
    head = letterhead(
        schedule=titre.campaign.schedule,
        signatory=signatory,
        on=on,
        foundations=titre.payload["foundations"],
    )
    found = standing(titre)
    return {
        "document": {
            "title": "Demande de mandat d'annulation",
            "reference": titre.reference,
            "issued_on": on.isoformat(),
            "specimen": head.specimen,
        },
        **head.facts,
        "debtor": titre.payload["debtor"],
        "imputation": titre.payload["imputation"],
        "original": {
            **mention_of(titre),
            "subject": titre.subject,
            "external_reference": titre.external_reference,
            "due_before": str(found.due),
            "paid": str(found.paid),
        },
        "error": {"label": Titre.Reason(reason_code).label, "text": reason},
        "why": why,
        "explanation": texts[WHY],
        "account": texts[ACCOUNT],
        "total": str(amount),
        "total_words": amount_in_words(amount),
    }

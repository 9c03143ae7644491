"""How a subsidy comes off a debtor's call: by a decision, once it is notified or received.

Somme: subsidies obtained in the Département's name may come off its call. Nord-Pas-de-Calais: those of
the communes come off their EPCI's, euro for euro [D22].
"""

from django.db import IntegrityError, transaction

from entsvc.french import euros, short_date
from entsvc.journal import record
from invoicing.models import DecidedDeduction, Subsidy


class DeductionRefused(Exception):
    """The subsidy does not come off a call so; the message says why, in French."""


@transaction.atomic
def deduct(*, subsidy: Subsidy, reason: str, actor: str) -> DecidedDeduction:
    """Take a subsidy off the next calculation of its debtor's call, for the euros that count.

    Raises DeductionRefused for a mere pledge, a subsidy of a pool, or one that is deducted already.
    """
    subsidy = Subsidy.objects.select_for_update(of=("self",)).get(pk=subsidy.pk)
    if subsidy.debtor_id is None:
        raise DeductionRefused("Cette subvention vient en moins d'un état des dépenses, pas d'un appel.")
    if not subsidy.counted:
        raise DeductionRefused(
            "Une promesse ne se déduit pas : saisissez d'abord le montant notifié ou reçu."
        )
    if not reason.strip():
        raise DeductionRefused("Donnez le motif ou la référence de la décision.")
    try:
        with transaction.atomic():
            deduction = DecidedDeduction.objects.create(
                schedule=subsidy.schedule,
                school_year=subsidy.school_year,
                debtor=subsidy.debtor,
                label=subsidy.label,
                amount=subsidy.counted,
                reason=reason.strip(),
                act=subsidy.act,
                subsidy=subsidy,
                decided_by=actor,
            )
    except IntegrityError as error:
        raise DeductionRefused(
            "Cette subvention est déjà déduite : supprimez la déduction pour la décider de nouveau."
        ) from error
    record(
        actor=actor,
        action="decision",
        target=deduction,
        summary=f"{subsidy} : {euros(deduction.amount)} en moins de l'appel de {subsidy.debtor}",
    )
    return deduction


def standing_in_words(subsidy: Subsidy) -> str:
    """Tell how far a subsidy has come, and what is deducted of it, in French."""
    steps = (
        ("promis", subsidy.pledged, subsidy.pledged_on),
        ("notifié", subsidy.notified, subsidy.notified_on),
        ("reçu", subsidy.received, subsidy.received_on),
    )
    told = [
        f"{word} {euros(amount)} le {short_date(day)}" for word, amount, day in steps if amount and day
    ]
    deduction = getattr(subsidy, "deduction", None)
    if deduction is not None:
        told.append(f"déduit {euros(deduction.amount)}")
        if deduction.amount != subsidy.counted:
            told.append(
                "la déduction ne suit plus la subvention : supprimez-la et décidez-la de nouveau"
            )
    return " ; ".join(told)

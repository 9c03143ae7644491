"""The document of conditions: which version a member accepts, and who is told of a new one.

Source: conditions of 15 June 2023 of Nord-Pas-de-Calais Numérique, articles 4 and 8. The committee
adopts a version, the member's deliberation accepts one, a later one is notified to the members.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from conventions import states
from conventions.models import Conditions, ConditionsNotice, Convention
from conventions.policies import WITH_CONDITIONS
from entsvc import journal, mail
from entsvc.french import long_date, plural
from members.models import Issuer
from members.portal.access import addresses

# An agreement that is signed or holds: a draft will accept the version of its day, an ended one none.
BOUND = (states.SIGNED, states.IN_FORCE)


class ConditionsRefused(Exception):
    """A version can't be notified or accepted; the message says what to do, in French."""


@dataclass(frozen=True)
class Notified:
    """What a notification did: agreements told, and among them those whose member has no address."""

    told: tuple[Convention, ...] = ()
    without_address: tuple[Convention, ...] = ()


@dataclass(frozen=True)
class Standing:
    """What a member's agreement knows of a version; `notice` is how it was notified of it, if it was."""

    convention: Convention
    accepts_this: bool
    accepts_later: bool
    notice: ConditionsNotice | None

    @property
    def remains(self) -> bool:
        """Tell whether this version is still to be notified to the member."""
        return not (self.accepts_this or self.accepts_later or self.notice)


def current(issuer: Issuer) -> Conditions | None:
    """Return the version of the conditions of an issuer that its latest act adopts."""
    rows = Conditions.objects.filter(issuer=issuer).select_related("act")
    return rows.order_by("-act__date", "-pk").first()


def concerned(issuer: Issuer) -> QuerySet[Convention]:
    """Return the agreements of an issuer whose members are bound by conditions, by reference."""
    return (
        Convention.objects.filter(schedule__issuer=issuer, policy__in=WITH_CONDITIONS, status__in=BOUND)
        .select_related("party", "act", "conditions__act")
        .order_by("reference", "pk")
    )


def standings(conditions: Conditions) -> list[Standing]:
    """Return where every member bound stands with a version, by reference of its agreement."""
    notices = {notice.convention_id: notice for notice in conditions.notices.order_by("pk")}
    this = _rank(conditions)
    found = []
    for convention in concerned(conditions.issuer):
        accepted = convention.conditions
        found.append(
            Standing(
                convention=convention,
                accepts_this=accepted == conditions,
                accepts_later=accepted is not None and _rank(accepted) > this,
                notice=notices.get(convention.pk),
            )
        )
    return found


def to_notify(conditions: Conditions) -> list[Convention]:
    """Return the agreements whose member has still to be notified of a version.

    Not those that accepted it, or a later one: their deliberation names it.
    """
    return [standing.convention for standing in standings(conditions) if standing.remains]


def notify(
    *, conditions: Conditions, conventions: Iterable[Convention], on: date, actor: str
) -> Notified:
    """Record the notification of a version to members, and write to them; each is told once.

    Agreements that have no notification to receive are left alone. A member without address is recorded
    too, and named: its notification goes by post. Raises ConditionsRefused.
    """
    wanted = {convention.pk for convention in conventions}
    with transaction.atomic():
        # Two clicks at once: the second finds everybody notified.
        rows = Conditions.objects.select_for_update(of=("self",)).select_related("act", "issuer")
        conditions = rows.get(pk=conditions.pk)
        _refuse_day(conditions, on)
        told = [convention for convention in to_notify(conditions) if convention.pk in wanted]
        ConditionsNotice.objects.bulk_create(
            ConditionsNotice(conditions=conditions, convention=convention, notified_on=on, actor=actor)
            for convention in told
        )
        silent = tuple(c for c in told if not _write(conditions, c, on))
        if told:
            members = plural(len(told), "membre")
            journal.record(
                actor=actor,
                action="conditions",
                target=conditions,
                summary=f"« {conditions} » notifiées le {long_date(on)} à {members}",
                data={"conventions": [convention.reference for convention in told]},
            )
    return Notified(tuple(told), silent)


@transaction.atomic
def accept(*, convention: Convention, conditions: Conditions, actor: str) -> Convention:
    """Record which version the deliberation of a member accepts; raise ConditionsRefused."""
    rows = Convention.objects.select_for_update(of=("self",)).select_related("schedule", "act")
    convention = rows.get(pk=convention.pk)
    obstacle = convention.conditions_obstacle(conditions)
    if obstacle:
        raise ConditionsRefused(obstacle)
    if convention.act is None:
        raise ConditionsRefused(
            "La délibération du membre manque : saisissez-la dans la convention, c'est elle qui accepte."
        )
    convention.conditions = conditions
    convention.save(update_fields=["conditions"])
    journal.record(
        actor=actor,
        action="conditions",
        target=convention,
        summary=f"{convention.reference} : « {conditions} » acceptées par le membre",
    )
    return convention


def is_bound(conditions: Conditions) -> bool:
    """Tell whether a version can no longer change: somebody accepted it or was told of it."""
    return conditions.notices.exists() or Convention.objects.filter(conditions=conditions).exists()


def _rank(conditions: Conditions) -> tuple[date, int]:
    return conditions.act.date or date.min, conditions.pk


def _refuse_day(conditions: Conditions, on: date) -> None:
    if on > timezone.localdate():
        raise ConditionsRefused(f"Le {long_date(on)} n'est pas encore passé.")
    if conditions.act.date and on < conditions.act.date:
        adopted = long_date(conditions.act.date)
        raise ConditionsRefused(f"Ces conditions ne sont adoptées que le {adopted}.")


def _write(conditions: Conditions, convention: Convention, on: date) -> bool:
    recipients = addresses(convention.party)
    if recipients:
        context = {
            "issuer": conditions.issuer.name,
            "contact": conditions.issuer.email or conditions.issuer.contact,
            "version": conditions.label,
            "act": str(conditions.act),
            "reference": convention.reference,
            "accepted": convention.conditions.label if convention.conditions else "",
            "notified_on": long_date(on),
            "link": mail.link("espace:home"),
        }
        mail.post(recipients, "conditions", context)
    return bool(recipients)

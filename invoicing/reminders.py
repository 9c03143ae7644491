"""Who is to be reminded of what is left to pay, and the letters that do it.

Collection belongs to the accountant: our letters are friendly, and say so. The levels follow one
another, each written once for a titre; the delay between two is the one that their days leave.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from entsvc import documents, journal
from entsvc.french import euros, long_date, short_date
from entsvc.pdf import render_pdf
from invoicing import reminder_words
from invoicing.balance import Standing, unsettled_at
from invoicing.corrections import asked_by_mandat
from invoicing.models import Reminder, ReminderStep, Titre
from invoicing.payments import standing
from invoicing.statuses import FOLLOWED, Status, history_of, status_of
from members.models import Accountant, Issuer

TEMPLATE = "pdf/relance.html"


class ReminderRefused(Exception):
    """No reminder can be written so; the message says why, in French."""


@dataclass(frozen=True)
class Due:
    """A titre, where it stands, and the level of the reminder that it is time to write."""

    titre: Standing
    step: ReminderStep

    @property
    def warning(self) -> str:
        """Tell why it is left out unless it is asked for, in French; nothing when it is not."""
        if self.titre.is_sent:
            return ""
        return "Bordereau jamais envoyé au comptable : le débiteur n'a peut-être rien reçu."


@dataclass
class Written:
    """What was written, and what could not be, with its reason."""

    reminders: list[Reminder] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def next_step(
    steps: Sequence[ReminderStep], days_late: int, written: Sequence[tuple[int, date]], on: date
) -> ReminderStep | None:
    """Return the level to write of a titre due since some days; None when it is not time.

    `written` are the levels already written and their days. The lowest level not yet passed comes next,
    once the titre is late by its days, and once the days that part it from the level before have gone by
    since that one was written.
    """
    ordered = sorted(steps, key=lambda step: step.level)
    last, last_on = max(written, default=(0, date.min))
    coming = next((step for step in ordered if step.level > last), None)
    if coming is None or days_late < max(coming.days, 1):
        return None
    before = next((step for step in reversed(ordered) if step.level <= last), None)
    if before and (on - last_on).days < coming.days - before.days:
        return None
    return coming


def due_reminders(issuer: Issuer, on: date) -> list[Due]:
    """Return the reminders of an issuer that it is time to write on a day, the latest titres first.

    Never one for a titre settled, annulled, rejected by the accountant, wholly offset by the mandats
    asked for, or still a project without its number: nothing is to be paid then.
    """
    steps = list(ReminderStep.objects.filter(issuer=issuer).order_by("level"))
    standings = unsettled_at(issuer, on)
    open_titres = [s for s in standings if s.to_claim and not s.rejected and not s.is_project]
    written = _written(issuer)
    found = (
        (titre, next_step(steps, titre.days_late(on), written.get(titre.key, ()), on))
        for titre in open_titres
    )
    rows = [Due(titre, step) for titre, step in found if step]
    return sorted(rows, key=lambda row: (-row.titre.days_late(on), row.titre.reference))


def write_reminders(
    *, issuer: Issuer, on: date, actor: str, only: Collection[Any] | None = None, most: int | None = None
) -> Written:
    """Write the reminders due on a day, those of some titres `only` if told, at most `most` of them.

    A titre whose bordereau was never sent is reminded only if it is told: its debtor gets it from the
    accountant (CGCT art. L. 1617-5), and may have received nothing. Each has its stored PDF; one that
    can't be written does not stop the others. Raises ReminderRefused for a day to come, or without an
    accountant to name.
    """
    if on > timezone.localdate():
        raise ReminderRefused("Cette date est à venir : une relance porte la date du jour.")
    accountant = _accountant(issuer, on)
    done = Written()
    due = due_reminders(issuer, on)
    rows = [row for row in due if (not row.warning if only is None else row.titre.key in only)]
    for row in rows[:most]:
        try:
            done.reminders.append(_write(row, accountant, on, actor))
        except ReminderRefused as error:
            done.refused.append(str(error))
    return done


def content_of(titre: Titre, row: Due, accountant: Accountant, on: date) -> dict[str, Any]:
    """Return all that a letter says: the frozen facts of the titre, and how to pay today."""
    payload, found = titre.payload, row.titre
    due = "le" if not found.is_approximate else "vers le"
    values = {
        "reference": titre.reference,
        "objet": titre.subject,
        "emis_le": long_date(titre.issued_on),
        "echeance": f"{due} {long_date(found.due_on)}",
        "montant": euros(found.due),
        "paye": euros(found.received),
        "reste": euros(found.remaining),
        "debiteur": titre.debtor_name,
        "comptable": accountant.name,
        "emetteur": payload["issuer"]["name"],
    }
    return {
        "document": {
            "title": row.step.title,
            "reference": titre.reference,
            "external_reference": titre.external_reference,
            "subject": titre.subject,
            "written_on": on.isoformat(),
            "issued_on": titre.issued_on.isoformat(),
            "due": values["echeance"],
            "payment_reference": payload["document"]["payment_reference"],
            "specimen": payload["document"]["specimen"] or accountant.is_fictitious,
        },
        "issuer": payload["issuer"],
        "debtor": payload["debtor"],
        "accountant": _accountant_facts(accountant),
        "paragraphs": reminder_words.paragraphs(row.step.body, values),
        "total": str(titre.total),
        "corrected": str(found.corrected) if found.corrected else "",
        "paid": str(found.received),
        "remaining": str(found.remaining),
    }


def _write(row: Due, accountant: Accountant, on: date, actor: str) -> Reminder:
    titre = Titre.objects.get(pk=row.titre.key)
    # Drawn and stored before the lock: a letter that another forestalls leaves a file, no row.
    content = render_pdf(TEMPLATE, content_of(titre, row, accountant, on))
    document = documents.store(content, content_type="application/pdf", suffix=".pdf")
    try:
        with transaction.atomic():
            _check(row)
            reminder = Reminder.objects.create(
                titre=titre,
                level=row.step.level,
                written_on=on,
                remaining=row.titre.remaining,
                written_by=actor,
                document=document,
            )
            journal.record(
                actor=actor,
                action="reminder",
                target=titre,
                summary=f"{titre.reference} : relance {row.step.level} du {short_date(on)}, "
                f"{euros(row.titre.remaining)} à payer",
                data={"reminder": str(reminder.pk), "level": row.step.level,
                      "remaining": str(row.titre.remaining)},
            )  # fmt: skip
    except IntegrityError as error:
        raise ReminderRefused(
            f"{titre.reference} : cette relance vient d'être écrite par un autre poste."
        ) from error
    return reminder


def _check(row: Due) -> None:
    """Lock a titre and refuse its letter when it no longer says what is true, or comes twice."""
    titre = Titre.objects.select_for_update(of=("self",)).get(pk=row.titre.key)
    if titre.reminders.filter(level__gte=row.step.level).exists():
        raise ReminderRefused(f"{titre.reference} : cette relance est déjà écrite.")
    status = status_of(history_of(Titre.objects.prefetch_related(*FOLLOWED).get(pk=titre.pk)))
    if status in (Status.PAID, Status.CANCELLED, Status.REJECTED):
        raise ReminderRefused(f"{titre.reference} : {status.label.lower()} entre-temps.")
    if standing(titre).remaining != row.titre.remaining:
        raise ReminderRefused(
            f"{titre.reference} : un paiement ou une correction vient d'être saisi ; recommencez."
        )
    if asked_by_mandat(titre) >= row.titre.remaining:
        raise ReminderRefused(f"{titre.reference} : un mandat est demandé pour tout ce qui reste dû.")


def _written(issuer: Issuer) -> dict[Any, list[tuple[int, date]]]:
    rows = Reminder.objects.filter(titre__issuer=issuer).order_by("titre", "level")
    found: dict[Any, list[tuple[int, date]]] = {}
    for titre, level, on in rows.values_list("titre", "level", "written_on"):
        found.setdefault(titre, []).append((level, on))
    return found


def _accountant(issuer: Issuer, on: date) -> Accountant:
    """Return the accountant in office: the debtor pays the one of today, whoever the titre names."""
    rows = Accountant.objects.filter(issuer=issuer, valid_from__lte=on).order_by("-valid_from", "-pk")
    found = rows.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=on)).first()
    if found is None:
        raise ReminderRefused(
            f"Aucun comptable de {issuer.code} n'est en fonction à cette date : enregistrez-le."
        )
    return found


def _accountant_facts(accountant: Accountant) -> dict[str, Any]:
    names: Iterable[str] = ("name", "phone", "email", "hours", "iban", "bic", "payment_url")
    place = f"{accountant.postal_code} {accountant.city}"
    return {
        **{name: getattr(accountant, name) for name in names},
        "address": [*accountant.address.splitlines(), place],
    }

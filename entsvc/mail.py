"""Mail as an outbox: written with what it tells, sent afterwards, never lost by a failed delivery.

A mail is marked before it is handed over and again after. A process killed between the two leaves it
marked: it is sent once more ten minutes later, with the same Message-ID, which mailboxes recognise.
So a mail may arrive twice after a kill at that very moment, but is never lost.
"""

import smtplib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F, Q
from django.template import Context
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone

from entsvc import afterwards
from entsvc.models import OutgoingMail

LEASE = timedelta(minutes=10)
PAUSES = [timedelta(minutes=m) for m in (1, 5, 15, 60, 240, 720, 1440)]
KEPT = timedelta(days=365)
BATCH = 200
_STATE = OutgoingMail.State


def post(
    to: Iterable[str],
    template: str,
    context: dict[str, Any],
    *,
    useful_until: datetime | None = None,
) -> None:
    """Write a mail for each recipient, inside the caller's transaction; it leaves after the response.

    `templates/mail/<template>.txt` gives the subject on its first line, then the text; `.html` the same
    in HTML. With `useful_until` it is secret: not sent after that time, never shown, its text erased.
    """
    context = {**context, "site_url": settings.SITE_URL}
    first, _, text = _plain(f"mail/{template}.txt", context).lstrip().partition("\n")
    subject = " ".join(first.split())[:200]
    html = get_template(f"mail/{template}.html").render({**context, "subject": subject})
    OutgoingMail.objects.bulk_create(
        OutgoingMail(
            recipient=recipient,
            template=template,
            subject=subject,
            text=text.strip() + "\n",
            html=html,
            useful_until=useful_until,
        )
        for recipient in dict.fromkeys(address.strip() for address in to)
        if recipient
    )
    afterwards.after_response(deliver)


def link(view: str, *args: Any) -> str:
    """Return the full address of a page, for a mail."""
    return settings.SITE_URL + reverse(view, args=args)


@dataclass
class Delivery:
    """How many mails were sent, will be tried again, and were given up."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0


def deliver(limit: int = BATCH) -> Delivery:
    """Send the mails that are due, at most `limit`; any number of processes may do it at once."""
    done, connection = Delivery(), None
    for _ in range(limit):
        mail = _claim_next()
        if mail is None:
            break
        if mail.useful_until is not None and mail.useful_until <= timezone.now():
            _give_up(mail, "Périmé avant d'avoir pu être envoyé.", done)
            continue
        connection = connection or get_connection()
        try:
            _message(mail, connection).send()
        except Exception as error:
            # The state of the connection is unknown: the next mail opens another.
            _close(connection)
            connection = None
            _postpone(mail, error, done)
        else:
            _settle(mail, state=_STATE.SENT, sent_at=timezone.now(), error="")
            done.sent += 1
    _close(connection)
    return done


def retry(mails: Iterable[OutgoingMail]) -> int:
    """Make mails that were given up wait again; return how many. Those that are secret stay given up."""
    return OutgoingMail.objects.filter(
        pk__in=[mail.pk for mail in mails], state=_STATE.FAILED, useful_until=None
    ).update(state=_STATE.WAITING, attempts=0, due_at=timezone.now())


def purge() -> int:
    """Delete the mails sent or given up more than a year ago; return how many."""
    old = Q(state__in=[_STATE.SENT, _STATE.FAILED], posted_at__lt=timezone.now() - KEPT)
    return OutgoingMail.objects.filter(old).delete()[0]


def _plain(name: str, context: dict[str, Any]) -> str:
    """Render a text: an apostrophe stays one."""
    return get_template(name).template.render(Context(context, autoescape=False))


def _claim_next() -> OutgoingMail | None:
    """Mark the next mail as being sent, and return it: only one process gets it.

    By a conditional update: it holds on both databases, where SQLite knows no « skip locked ».
    """
    while True:
        due = Q(state__in=[_STATE.WAITING, _STATE.SENDING], due_at__lte=timezone.now())
        mail = OutgoingMail.objects.filter(due).order_by("due_at", "pk").first()
        if mail is None:
            return None
        mine = OutgoingMail.objects.filter(due, pk=mail.pk, attempts=mail.attempts).update(
            state=_STATE.SENDING, attempts=F("attempts") + 1, due_at=timezone.now() + LEASE
        )
        if mine:
            mail.attempts += 1
            return mail


def _message(mail: OutgoingMail, connection: BaseEmailBackend) -> EmailMultiAlternatives:
    host = urlsplit(settings.SITE_URL).hostname
    message = EmailMultiAlternatives(
        mail.subject,
        mail.text,
        to=[mail.recipient],
        connection=connection,
        headers={
            "Message-ID": f"<courriel-{mail.pk}-{mail.posted_at:%Y%m%d%H%M%S%f}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(mail.html, "text/html")
    return message


def _postpone(mail: OutgoingMail, error: Exception, done: Delivery) -> None:
    words = f"{type(error).__name__} : {error}"
    if _is_final(error) or mail.attempts > len(PAUSES):
        _give_up(mail, words, done)
        return
    pause = PAUSES[mail.attempts - 1]
    _settle(mail, state=_STATE.WAITING, due_at=timezone.now() + pause, error=words[:300])
    done.postponed += 1


def _give_up(mail: OutgoingMail, words: str, done: Delivery) -> None:
    _settle(mail, state=_STATE.FAILED, error=words[:300])
    done.failed += 1


def _settle(mail: OutgoingMail, **facts: Any) -> None:
    """Write how a claimed mail ended, unless it was claimed again since."""
    if mail.useful_until is not None and facts["state"] != _STATE.WAITING:
        facts |= {"text": "", "html": ""}
    claimed = OutgoingMail.objects.filter(pk=mail.pk, state=_STATE.SENDING, attempts=mail.attempts)
    claimed.update(**facts)


def _is_final(error: Exception) -> bool:
    """Tell whether trying again is useless: the address is refused or can't be written."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, ValueError)  # BadHeaderError and addresses that can't be encoded


def _close(connection: BaseEmailBackend | None) -> None:
    if connection is not None:
        connection.close()

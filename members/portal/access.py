"""Whose pages somebody of a mayor's office may open: derived from the address at each request.

An account of /espace/ is never one of the staff, even with the address of one of them: it has a name of
its own, no password, and the database refuses to make it staff.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from members.models import Contact, Member, PortalAccess, User
from members.portal import visitors

SINCE = "espace_since"
SEEN = "espace_seen"
# What the sign-in page is told of a session that ended.
TOLD, ENDED, LOST = "session", "finie", "envoi-perdu"
WRITTEN_EVERY = 60  # seconds: a session is not written at every page
KEPT_DAYS = 365


def addresses(member: Member) -> list[str]:
    """Return the addresses that may open a member's pages, in small letters, the registered first."""
    return _in_order(member.email, (contact.email for contact in member.contacts.all()))


def addresses_of(members: QuerySet[Member]) -> dict[int, list[str]]:
    """Return {key: `addresses`} of some members, in two queries."""
    contacts: dict[int, list[str]] = {}
    keys = members.order_by().values("pk")
    rows = Contact.objects.filter(member__in=keys).order_by("pk").values_list("member", "email")
    for key, email in rows:
        contacts.setdefault(key, []).append(email)
    emails = members.order_by("pk").values_list("pk", "email")
    return {key: _in_order(email, contacts.get(key, ())) for key, email in emails}


def _in_order(registered: str, contacts: Iterable[str]) -> list[str]:
    written = [registered, *sorted(contacts)]
    return list(dict.fromkeys(address.lower() for address in written if address))


def members_at(address: str) -> QuerySet[Member]:
    """Return the members whose pages an address may open."""
    if not address:
        return Member.objects.none()
    same = Exact(Lower("email"), address.lower())
    named = Contact.objects.filter(same).order_by().values("member")
    registered = Member.objects.filter(same).order_by().values("pk")
    return Member.objects.filter(Q(pk__in=registered) | Q(pk__in=named))


def members_of(user: Any) -> QuerySet[Member]:
    """Return the members whose pages an account may open today; none for an account of the staff."""
    return members_at(user.email) if is_portal_account(user) else Member.objects.none()


def accounts() -> QuerySet[User]:
    """Return the accounts of mayors' offices that may still come in."""
    return User.objects.filter(
        username__startswith=User.PORTAL, is_active=True, is_staff=False, is_superuser=False
    )


def is_portal_account(user: Any) -> bool:
    """Tell whether somebody signed in is of a mayor's office, and nothing else."""
    return bool(
        user.is_authenticated
        and user.is_active
        and user.username.startswith(User.PORTAL)
        and not user.is_staff
        and not user.is_superuser
    )


def account_of(address: str) -> User:
    """Return the account of an address, made at first use: without password nor any right."""
    address = address.lower()
    name = User.PORTAL + address
    if len(name) > User._meta.get_field("username").max_length:
        name = User.PORTAL + hashlib.sha256(address.encode()).hexdigest()
    user, is_new = User.objects.get_or_create(username=name, defaults={"email": address})
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def open_session(request: HttpRequest, user: User, way: str) -> None:
    """Sign somebody in, for a short time, and write it down for each member concerned."""
    if not is_portal_account(user):
        raise PermissionError("Un compte du personnel n'entre pas par l'espace.")
    auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.set_expiry(settings.ESPACE_IDLE)
    request.session[SINCE] = request.session[SEEN] = int(time.time())
    _record(request, user, way)


def portal_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Open a page to the accounts of mayors' offices only, with `request.members`.

    Anybody else is sent to the sign-in page, which says so when a session ended, or a form was sent
    without one; an address that opens nothing any more is told so.
    """

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_portal_account(request.user):
            return _to_the_door(lost=_sends(request) and request.user.is_anonymous)
        if _is_over(request):
            auth.logout(request)
            return _to_the_door(over=True, lost=_sends(request))
        request.members = members_of(request.user)
        if not request.members.exists():
            return render(request, "espace/no_member.html", status=403)
        return view(request, *args, **kwargs)

    return page


def member_or_404(request: HttpRequest, pk: int) -> Member:
    """Return a member whose pages the account may open."""
    member = request.members.filter(pk=pk).first()
    if member is None:
        raise Http404
    return member


def _to_the_door(*, over: bool = False, lost: bool = False) -> HttpResponse:
    """Send to the sign-in page, with what it has to say: a session ended, what was sent is lost."""
    told = LOST if lost else ENDED if over else ""
    return redirect(reverse("espace:sign-in") + (f"?{TOLD}={told}" if told else ""))


def _sends(request: HttpRequest) -> bool:
    return request.method == "POST"


def _is_over(request: HttpRequest) -> bool:
    """Tell whether a session ends, by idleness or by length; else let it slide."""
    now, session = int(time.time()), request.session
    since, seen = session.get(SINCE, 0), session.get(SEEN, 0)
    if now - since > settings.ESPACE_SESSION or now - seen > settings.ESPACE_IDLE:
        return True
    if now - seen >= WRITTEN_EVERY:
        session[SEEN] = now
    return False


def _record(request: HttpRequest, user: User, way: str) -> None:
    """Write an access for each member, and forget those of more than a year."""
    limit = timezone.now() - timedelta(days=KEPT_DAYS)
    PortalAccess.objects.filter(at__lt=limit).delete()
    facts = {
        "email": user.email,
        "network": visitors.abbreviated(visitors.address(request)),
        "device": visitors.device(request),
        "way": way,
    }
    PortalAccess.objects.bulk_create(
        PortalAccess(member=member, **facts) for member in members_of(user).order_by("pk")
    )

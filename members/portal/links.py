"""The one-time link: asked for an address, mailed to it when it is known, good once and for 15 minutes.

Whoever asks learns nothing: all that depends on the address is done after the response.
"""

from datetime import timedelta
from functools import partial
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from sesame import tokens_v2

from entsvc import mail
from entsvc.afterwards import after_response
from members.models import LinkRequest, PortalAccess, User
from members.portal import access, visitors

SCOPE = "espace"
PARAMETER = "jeton"
MINUTES = settings.SESAME_MAX_AGE // 60


def ask(request: HttpRequest, address: str) -> None:
    """Take note of a request for a link, within the limits; whether it is mailed shows in no way."""
    address = address.strip().lower()
    if _within_limits(address, visitors.network(visitors.address(request))):
        after_response(partial(send, address))


def send(address: str) -> None:
    """Mail a link to an address that opens some member's pages; do nothing for another."""
    members = list(access.members_at(address).order_by("name", "pk")[:20])
    if not members:
        return
    user = access.account_of(address)
    if not access.is_portal_account(user):
        return
    token = tokens_v2.create_token(user, SCOPE)
    until = timezone.now() + timedelta(seconds=settings.SESAME_MAX_AGE)
    query = urlencode({PARAMETER: token})
    context = {
        "url": f"{mail.link('espace:link')}?{query}",
        "minutes": MINUTES,
        "members": [str(member) for member in members],
        "again": mail.link("espace:sign-in"),
    }
    # `user.email`, not what was typed: letters that look alike must not lead the mail elsewhere.
    mail.post([user.email], "connexion", context, useful_until=until)


def owner(token: str) -> User | None:
    """Return whose link it is, if it still opens something; nothing is used up."""
    user = tokens_v2.parse_token(token, _finder(lock=False), scope=SCOPE)
    return user if user is not None and access.members_of(user).exists() else None


def use(request: HttpRequest, token: str) -> User | None:
    """Sign in by a link and use it up; None when it is no longer good.

    The account is locked first: of two clicks at once the second finds the link used.
    """
    with transaction.atomic():
        user = tokens_v2.parse_token(token, _finder(lock=True), scope=SCOPE)
        if user is None or not access.members_of(user).exists():
            return None
        access.open_session(request, user, PortalAccess.Way.LINK)
    return user


def _finder(*, lock: bool):  # noqa: ANN202 - a function of sesame's own kind
    def find(pk: int) -> User | None:
        found = access.accounts()
        return (found.select_for_update() if lock else found).filter(pk=pk).first()

    return find


def _within_limits(address: str, network: str) -> bool:
    """Tell whether one more link may be asked for, by this address and from this network.

    Written before counting, so that requests at once count each other. Those refused don't: whoever
    asks in the place of a mairie sends it links that work, and shuts it out no longer.
    """
    window = timezone.now() - timedelta(seconds=settings.ESPACE_WINDOW)
    LinkRequest.objects.filter(at__lt=window).delete()
    asked = LinkRequest.objects.create(address_key=_key(address), network_key=_key(network))
    counted = LinkRequest.objects.filter(at__gte=window, refused=False)
    too_many = (
        counted.filter(address_key=asked.address_key).count() > settings.ESPACE_LINKS_PER_ADDRESS
        or counted.filter(network_key=asked.network_key).count() > settings.ESPACE_LINKS_PER_NETWORK
    )
    if too_many:
        LinkRequest.objects.filter(pk=asked.pk).update(refused=True)
    return not too_many


def _key(text: str) -> str:
    return salted_hmac("members.portal.links", text, algorithm="sha256").hexdigest()

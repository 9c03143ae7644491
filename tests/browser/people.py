"""Who sits at the screen: a mayor's office, by its link or already in, and staff."""

from django.conf import settings
from django.core import mail
from django.test import Client

from entsvc.models import OutgoingMail
from tests.browser.conftest import Visitor
from tests.conventions.world import account
from tests.invoicing.scratch import until
from tests.members.portal.people import link_in, signed_in


def as_office(visitor: Visitor, address: str) -> Visitor:
    """Come in with an address, as if a moment ago."""
    return _with_session(visitor, signed_in(address))


def as_staff(visitor: Visitor, role: str, *issuers) -> Visitor:
    """Come in as a role of the staff, limited to these issuers."""
    client = Client()
    account(client, role, *issuers)
    return _with_session(visitor, client)


def come_in_by_link(visitor: Visitor, address: str) -> None:
    """Ask for a link, find it in the mailbox, and come in by it."""
    before = len(mail.outbox)
    visitor.go("/espace/connexion/")
    visitor.page.get_by_label("Votre adresse de courriel").fill(address)
    visitor.press("Recevoir un lien de connexion")
    visitor.page.wait_for_url("**/connexion/envoye/")
    until(lambda: len(mail.outbox) > before, seconds=60)
    until(lambda: not OutgoingMail.objects.filter(state=OutgoingMail.State.SENDING).exists(), seconds=60)
    visitor.go(link_in(mail.outbox[-1]))
    visitor.page.locator("main button").click()
    visitor.page.wait_for_url("**/espace/")


def _with_session(visitor: Visitor, client: Client) -> Visitor:
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": client.cookies[name].value, "url": visitor.site}
    visitor.page.context.add_cookies([cookie])
    return visitor

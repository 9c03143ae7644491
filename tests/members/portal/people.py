"""People of mayors' offices for the tests."""

import re
import time
from urllib.parse import urlsplit

from django.test import Client

from members.portal import access, links

LINK = re.compile(r"https?://\S+jeton=\S+")


def link_in(mail):
    """Return the address of the link of a mail, without its host."""
    parts = urlsplit(LINK.search(mail.body)[0])
    return f"{parts.path}?{parts.query}"


def token_in(mail):
    """Return the token of the link of a mail."""
    return link_in(mail).partition(f"{links.PARAMETER}=")[2]


def signed_in(address):
    """Return a browser that came in with an address a moment ago."""
    client = Client()
    client.force_login(access.account_of(address))
    session = client.session
    session[access.SINCE] = session[access.SEEN] = int(time.time())
    session.save()
    return client

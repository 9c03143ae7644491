"""What it takes to reach Chorus Pro: addresses and secrets, from the environment and nowhere else."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings

from members.models import Issuer

HERE = "127.0.0.1"


class ChorusOff(Exception):
    """Chorus Pro can't be reached from here; the message says what to set, in French."""


@dataclass(frozen=True)
class Access:
    """Addresses and secrets of one issuer; what is secret is never shown."""

    oauth_url: str
    api_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    login: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def is_trial(self) -> bool:
        """Tell whether it is the sandbox of PISTE, or a server of this machine."""
        host = urlsplit(self.api_url).hostname or ""
        return host == HERE or host.startswith("sandbox-")


def access_of(issuer: Issuer) -> Access:
    """Return the access of an issuer; raise ChorusOff naming what is missing.

    Common to all: the addresses and the application of PISTE. Its own: the technical account that its
    structure was given on Chorus Pro.
    """
    if not settings.CHORUS_API_URL:
        raise ChorusOff(
            "Le dépôt sur Chorus Pro est éteint : il s'allume par les réglages CHORUS_… du serveur "
            "(docs/canaux.md)."
        )
    suffix = suffix_of(issuer.code)
    login, password = settings.CHORUS_LOGINS.get(suffix), settings.CHORUS_PASSWORDS.get(suffix)
    if not login or not password:
        raise ChorusOff(
            f"Le compte technique de {issuer.name} manque : donnez CHORUS_LOGIN_{suffix} et "
            f"CHORUS_PASSWORD_{suffix} au serveur (docs/canaux.md)."
        )
    return Access(
        oauth_url=settings.CHORUS_OAUTH_URL,
        api_url=settings.CHORUS_API_URL,
        client_id=settings.CHORUS_CLIENT_ID,
        client_secret=settings.CHORUS_CLIENT_SECRET,
        login=login,
        password=password,
    )


def suffix_of(code: str) -> str:
    """Return how the code of an issuer ends the name of its settings: « ENT-62 » gives ENT_62."""
    return re.sub(r"[^A-Z0-9]", "_", code.upper())

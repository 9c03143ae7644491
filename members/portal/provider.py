"""Signing in by an identity provider (ProConnect), only where one is configured.

The address that the provider vouches for is all that is taken from it: the rule of the mailed link then
says which members it opens, and whether any. It never opens an account of the staff.
"""

import logging
from typing import Any
from urllib.parse import urlencode

import jwt
import requests
from django.conf import settings
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import get_random_string
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from members.models import PortalAccess, User
from members.portal import access

logger = logging.getLogger(__name__)
ID_TOKEN = "oidc_id_token"
CLOCKS_DIFFER = 30  # seconds
UNVERIFIABLE = (
    SuspiciousOperation,
    jwt.PyJWTError,
    requests.RequestException,
    KeyError,
    TypeError,
    ValueError,
)


class Refused(Exception):
    """The provider's answer opens nothing; the words are for the visitor."""


def is_configured() -> bool:
    """Tell whether the button is to be shown."""
    return bool(settings.OIDC_RP_CLIENT_ID)


class Provider(OIDCAuthenticationBackend):
    """The dialogue with the provider: every answer is checked before it is read."""

    def vouched_address(self, request: HttpRequest, *, nonce: str, code_verifier: str) -> str:
        """Return the address that the provider vouches for, in small letters.

        Raise `Refused` when it doesn't answer, when its answer is not what was asked for, or when it
        gives no address that it has verified.
        """
        self.request = request
        try:
            tokens = self.get_token(
                {
                    "client_id": self.OIDC_RP_CLIENT_ID,
                    "client_secret": self.OIDC_RP_CLIENT_SECRET,
                    "grant_type": "authorization_code",
                    "code": request.GET["code"],
                    "redirect_uri": request.build_absolute_uri(reverse("espace:provider-back")),
                    "code_verifier": code_verifier,
                }
            )
            identity = self.verify_token(tokens["id_token"], nonce=nonce)
            claims = self.get_userinfo(tokens["access_token"], tokens["id_token"], identity)
        except UNVERIFIABLE as error:
            logger.warning("Connexion par le fournisseur refusée : %s", type(error).__name__)
            raise Refused("Sa réponse n'a pas pu être vérifiée.") from error
        if claims.get("sub") != identity.get("sub"):
            raise Refused("Sa réponse ne concerne pas la personne connectée.")
        self.store_tokens(None, tokens["id_token"])
        return _address(claims)

    def _verify_jws(self, payload: str, key: Any) -> dict[str, Any]:
        """Check the signature, and who made an answer, for whom and until when."""
        return jwt.decode(
            payload,
            key,
            algorithms=[self.OIDC_RP_SIGN_ALGO],
            audience=self.OIDC_RP_CLIENT_ID,
            issuer=settings.OIDC_ISSUER,
            leeway=CLOCKS_DIFFER,
            options={"require": ["iss", "aud", "sub"]},
        )

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Check an answer; an identity must also end, and repeat what was drawn for this visit."""
        payload = super().verify_token(token, **kwargs)
        if "nonce" in kwargs and not (payload.get("nonce") and payload.get("exp")):
            raise SuspiciousOperation("Identité sans échéance ou sans le nombre tiré pour elle.")
        return payload


def _address(claims: dict[str, Any]) -> str:
    """Return the address among what the provider says of somebody."""
    address = claims.get("email")
    if not isinstance(address, str) or not address:
        raise Refused("Il ne nous a transmis aucune adresse de courriel.")
    verified = claims.get("email_verified")
    if verified is not True and not (verified is None and settings.OIDC_EMAIL_TRUSTED):
        raise Refused("Il ne garantit pas que cette adresse de courriel est la vôtre.")
    try:
        validate_email(address)
    except ValidationError as error:
        raise Refused("L'adresse de courriel qu'il nous a transmise n'en est pas une.") from error
    return address.lower()


class AskProvider(OIDCAuthenticationRequestView):
    """Send the visitor to the provider, with a state, a nonce and a PKCE challenge."""

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        """Ask for the level of assurance that is configured."""
        return {"acr_values": settings.OIDC_ACR_VALUES} if settings.OIDC_ACR_VALUES else {}


class BackFromProvider(OIDCAuthenticationCallbackView):
    """Take the visitor back from the provider."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sign in, or say why not; whoever was signed in stays so when it fails."""
        drawn = request.session.get("oidc_states", {}).pop(request.GET.get("state"), None)
        request.session.modified = True
        if drawn is None or "code" not in request.GET:
            return _refusal(
                request, "La demande n'a pas été menée jusqu'au bout, ou elle est trop ancienne."
            )
        try:
            address = Provider().vouched_address(
                request, nonce=drawn["nonce"], code_verifier=drawn["code_verifier"]
            )
        except Refused as refusal:
            return _refusal(request, str(refusal))
        if not access.members_at(address).exists():
            return _refusal(request, f"L'adresse {address} n'ouvre les pages d'aucune collectivité.")
        return self._open(request, access.account_of(address))

    def _open(self, request: HttpRequest, user: User) -> HttpResponse:
        if not access.is_portal_account(user):
            return _refusal(request, "Cet accès a été fermé.")
        token = request.session.pop(ID_TOKEN, None)
        access.open_session(request, user, PortalAccess.Way.PROVIDER)
        request.session[ID_TOKEN] = token
        return redirect("espace:home")


def farewell(request: HttpRequest) -> str:
    """Return where signing out leads: by the provider for whoever came by it. Call it before the end."""
    token = request.session.get(ID_TOKEN)
    if not token or not is_configured() or not settings.OIDC_OP_LOGOUT_ENDPOINT:
        return reverse("espace:signed-out")
    asked = {
        "id_token_hint": token,
        "state": get_random_string(32),
        "post_logout_redirect_uri": request.build_absolute_uri(reverse("espace:signed-out")),
    }
    return f"{settings.OIDC_OP_LOGOUT_ENDPOINT}?{urlencode(asked)}"


def _refusal(request: HttpRequest, words: str) -> HttpResponse:
    context = {"label": settings.OIDC_LABEL, "words": words}
    return render(request, "espace/provider_refused.html", context, status=403)

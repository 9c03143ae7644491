"""What every answer under /espace/ carries, its errors included; the staff pages have none of it."""

from collections.abc import Callable
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.conf import settings
from django.http import HttpRequest, HttpResponse

PREFIX = "/espace/"
_NO_DEVICE = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "autoplay",
        "camera",
        "display-capture",
        "encrypted-media",
        "fullscreen",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "picture-in-picture",
        "publickey-credentials-get",
        "screen-wake-lock",
        "usb",
        "xr-spatial-tracking",
    )
)


def is_portal(request: HttpRequest) -> bool:
    """Tell whether a request is for a page of /espace/."""
    return request.path_info.startswith(PREFIX) or request.path_info == PREFIX.rstrip("/")


class PortalHeaders:
    """Asks django-csp for a strict policy, and forbids what these pages never need."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Mark the answers of /espace/."""
        response = self.get_response(request)
        if is_portal(request):
            response._csp_config = policy()
            response["Permissions-Policy"] = _NO_DEVICE
            # The origin alone: without any, browsers send « Origin: null » and forms are refused.
            response["Referrer-Policy"] = "strict-origin"
            response["Cache-Control"] = "private, no-store"
            response["Cross-Origin-Resource-Policy"] = "same-origin"
            response["X-Robots-Tag"] = "noindex, nofollow"
        return response


def policy() -> dict[str, list[str]]:
    """Return the directives: our own style sheet, and forms that stay here or end at the provider."""
    return {
        "default-src": [NONE],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF, *_providers()],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }


def _providers() -> list[str]:
    """Return the origin where signing out ends: browsers apply form-action to redirections too."""
    if not settings.OIDC_RP_CLIENT_ID or not settings.OIDC_OP_LOGOUT_ENDPOINT:
        return []
    parts = urlsplit(settings.OIDC_OP_LOGOUT_ENDPOINT)
    return [f"{parts.scheme}://{parts.netloc}"]

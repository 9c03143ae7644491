"""One line of log per request, and the identifier that all its lines share."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from entsvc.logs import request_id

logger = logging.getLogger("entsvc.requests")
_IDENTIFIER = re.compile(r"[A-Za-z0-9-]{8,64}")


class RequestLog:
    """Stands for the access log of the server: never the query, which holds tokens, nor the address.

    The identifier is that of our proxy, or ours; it goes back as `X-Request-ID`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, then tell who asked for what, how it ended and after how long."""
        began = time.perf_counter()
        request.identifier = _identifier(request)
        own = request_id.set(request.identifier)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request.identifier
            facts = {
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "duration_ms": round((time.perf_counter() - began) * 1000),
            }
            # Known only when the page has asked: a log is no reason for a query.
            user = getattr(request, "_cached_user", None)
            if user is not None and user.pk:
                facts["user"] = user.pk
            logger.info("%(method)s %(path)s %(status)s %(duration_ms)s ms", facts, extra=facts)
            return response
        finally:
            request_id.reset(own)


def _identifier(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    if settings.TRUSTED_PROXIES and _IDENTIFIER.fullmatch(given):
        return given
    return uuid.uuid4().hex

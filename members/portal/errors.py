"""What a visitor reads when a page fails: under /espace/ in its own dress, elsewhere in the house's."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import csrf, defaults

from members.portal.headers import is_portal


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    return _own(400) if is_portal(request) else defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    if is_portal(request):
        return _own(403)
    if request.user.is_active and request.user.is_staff:
        return _with_the_menu(request)
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    return _own(404) if is_portal(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    return _own(500) if is_portal(request) else defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "", **kwargs: Any) -> HttpResponse:
    """Answer a form whose key is missing or too old."""
    if is_portal(request):
        return HttpResponse(render_to_string("espace/csrf.html"), status=403)
    return csrf.csrf_failure(request, reason)


def _with_the_menu(request: HttpRequest) -> HttpResponse:
    """Tell an account of the staff what it lacks, beside where it may go."""
    context = {**admin.site.each_context(request), "title": "Accès refusé"}
    return HttpResponse(render_to_string("admin/forbidden.html", context, request), status=403)


def _own(code: int) -> HttpResponse:
    """Draw an error page from nothing but its template: neither session nor database."""
    return HttpResponse(render_to_string(f"espace/{code}.html"), status=code)

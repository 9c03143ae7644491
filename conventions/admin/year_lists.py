"""On the page of an agreement: its list of schools year by year, and what each amendment changed."""

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from conventions import states
from conventions.admin import sections
from conventions.models import Convention
from conventions.policies import POLICIES
from conventions.school_lists import lists_by_year, window_in_text, window_of

TEMPLATE = "admin/conventions/year_lists.html"


def year_lists(request: HttpRequest, convention: Convention) -> dict[str, Any]:
    """Return what `TEMPLATE` shows of an agreement."""
    policy = POLICIES.get(convention.policy)
    takes = window_in_text(convention) is not None
    may_open = takes and convention.status == states.IN_FORCE
    may_open = may_open and request.user.has_perm("conventions.add_amendment")
    today = timezone.localdate()
    return {
        "year_lists": lists_by_year(convention, today),
        "takes_amendments": takes,
        "policy_named": policy is not None,
        "window": window_of(convention, today),
        "amend_link": reverse("conventions:amend", args=[convention.pk]) if may_open else "",
    }


def _render(request: HttpRequest, convention: Convention) -> str:
    """Return nothing for an agreement that opens schools and is no list of them."""
    policy = POLICIES.get(convention.policy)
    if policy and not policy.bills:
        return ""
    return render_to_string(TEMPLATE, year_lists(request, convention), request)


sections.register(sections.Section("", 10, _render))

"""The filters kept of a list, above it."""

from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from django.urls import reverse

from members import saved_filters

register = template.Library()


@register.inclusion_tag("admin/members/saved_filters.html", takes_context=True)
def saved_filters_of(context: template.Context, cl: ChangeList) -> dict[str, Any]:
    """Show the filters that the account may use, and how to keep what the list is asked now."""
    request = context["request"]
    now = saved_filters.asked((name, value) for name, values in request.GET.lists() for value in values)
    kept = list(saved_filters.kept_for(request.user, cl.opts.label_lower))
    current = [row for row in kept if saved_filters.asked_by(row.query) == now]
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "page": cl.opts.label_lower,
        "list": reverse(f"admin:{cl.opts.app_label}_{cl.opts.model_name}_changelist"),
        "now": now,
        "kept": [(row, row in current) for row in kept],
        "mine": [row for row in current if row.user_id == request.user.pk],
        "offered": bool(now) and not current,
    }

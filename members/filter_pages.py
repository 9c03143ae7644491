"""Keeping what a list is asked, and forgetting it: two buttons above each list."""

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from members import saved_filters
from members.models import SavedFilter


@require_POST
def keep_filter(request: HttpRequest) -> HttpResponse:
    """Keep the criteria of a list under a name, and show the list as it was."""
    page = _page_of(request.POST.get("page", ""))
    if not page.has_view_permission(request):
        raise PermissionDenied
    query = saved_filters.asked_by(request.POST.get("query", ""))
    try:
        kept = saved_filters.keep(
            user=request.user,
            page=page.opts.label_lower,
            name=request.POST.get("name", ""),
            query=query,
            shared="shared" in request.POST,
        )
    except saved_filters.FilterRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Le filtre « {kept.name} » est enregistré.")
    return redirect(_list_of(page, query))


@require_POST
def forget_filter(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one's own filter, and show the whole list."""
    kept = get_object_or_404(SavedFilter.objects.filter(user=request.user), pk=pk)
    page = _page_of(kept.page)
    kept.delete()
    messages.success(request, f"Le filtre « {kept.name} » est retiré.")
    return redirect(_list_of(page, ""))


def _page_of(label: str) -> ModelAdmin:
    for model, page in admin.site._registry.items():
        if model._meta.label_lower == label:
            return page
    raise Http404("Liste inconnue.")


def _list_of(page: ModelAdmin, query: str) -> str:
    address = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
    return f"{address}?{query}" if query else address

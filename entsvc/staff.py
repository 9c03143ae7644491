"""How staff pages behave: French search without accents, money and school years, read-only rows."""

from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from entsvc.fields import MoneyField, SchoolYearField, SearchField, search_key

WIDGETS = {
    MoneyField: {"widget": UnfoldAdminDecimalFieldWidget},
    SchoolYearField: {"widget": UnfoldAdminTextInputWidget},
}


class StaffAdmin(ModelAdmin):
    """The base of every staff page."""

    formfield_overrides = WIDGETS
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    warn_unsaved_form = True

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Search without case nor accents where the model keeps a search column."""
        if any(isinstance(field, SearchField) for field in self.model._meta.fields):
            search_term = search_key(search_term)
        return super().get_search_results(request, queryset, search_term)


class ReadOnlyAdmin(StaffAdmin):
    """Rows that pages show and never write."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


class ReadOnlyInline(TabularInline):
    """Rows shown inside another page and never written there."""

    extra = 0
    per_page = 20
    can_delete = False
    show_change_link = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


class StaffInline(TabularInline):
    """Rows edited inside another page."""

    formfield_overrides = WIDGETS
    extra = 0
    hide_title = True


class ConfirmedAction:
    """A page that says what will happen, then does it on POST only."""

    def confirm(self, request: HttpRequest, title: str, obj: Model, **context: Any) -> HttpResponse:
        """Answer with the page: `facts` and `warnings` to read, a `form` to fill, a `button`."""
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.model._meta,
            "object": obj,
            "back": reverse(
                f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_change",
                args=[obj.pk],
            ),
            "form": None,
            "facts": [],
            "warnings": [],
            **context,
        }
        return TemplateResponse(request, "admin/entsvc/confirm.html", context)

    def visible_or_404(self, request: HttpRequest, object_id: str) -> Model:
        """Return a row that the account may see."""
        return get_object_or_404(self.get_queryset(request), pk=object_id)

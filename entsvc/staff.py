"""How staff pages behave: French search without accents, money and school years, read-only rows."""

from collections.abc import Callable
from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import display_for_field, label_for_field, lookup_field
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model, QuerySet, URLField
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextInputWidget

from entsvc.fields import MoneyField, SchoolYearField, SearchField, search_key
from entsvc.history_page import HistoryPage
from entsvc.once import asked_once

LINK = '<a class="text-primary-600 whitespace-nowrap dark:text-primary-500" href="{}">{}</a>'
WIDGETS = {
    MoneyField: {"widget": UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"})},
    SchoolYearField: {"widget": UnfoldAdminTextInputWidget},
    URLField: {"assume_scheme": "https"},
}


class StaffList(ChangeList):
    """A list that is filtered by what its page offers and by nothing else that an address may ask."""

    def get_filters(self, request: HttpRequest) -> tuple[Any, ...]:
        """Refuse any other lookup: the page opens again, unfiltered."""
        try:
            found = super().get_filters(request)
        except DisallowedModelAdminLookup as error:
            raise IncorrectLookupParameters(error) from error
        if set(found[2]) - set(self.model_admin.linked_lookups):
            raise IncorrectLookupParameters
        return found


class StaffAdmin(HistoryPage, ModelAdmin):
    """The base of every staff page.

    `linked_lookups` are those that links of other pages use, besides the filters of the list.
    """

    formfield_overrides = WIDGETS
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    warn_unsaved_form = True
    linked_lookups: tuple[str, ...] | list[str] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the list that refuses other lookups."""
        return StaffList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Name the list after what it holds."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        """Read the row of a page once, whatever asks for it."""
        key = ("row", type(self), str(object_id), from_field)
        return asked_once(
            request, key, lambda: super(StaffAdmin, self).get_object(request, object_id, from_field)
        )

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow what other pages link to."""
        return lookup in self.linked_lookups or super().lookup_allowed(lookup, value, request)

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
    """Rows shown inside another page and never written there.

    `linked` names the column that leads to each row's own page: without their titles, no row has a
    link of its own.
    """

    extra = 0
    per_page = 20
    can_delete = False
    show_change_link = False
    hide_title = True
    linked = ""

    @property
    def to_its_page(self) -> Callable[[Model], str]:
        """Return the column of links, under the name and with the text of the one it stands for."""
        return _link_column(self)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Put the column of links where `linked` stands."""
        fields = list(super().get_fields(request, obj))
        return ["to_its_page" if name == self.linked else name for name in fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Add the column of links, which no form knows."""
        return [*super().get_readonly_fields(request, obj), *(["to_its_page"] if self.linked else [])]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse."""
        return False


def _link_column(inline: ReadOnlyInline) -> Callable[[Model], str]:
    meta = inline.model._meta

    def column(row: Model) -> str:
        if row.pk is None:
            return ""
        field, _, value = lookup_field(inline.linked, row, inline)
        text = value if field is None else display_for_field(value, field, "")
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
        return format_html(LINK, url, text or row)

    column.short_description = label_for_field(inline.linked, inline.model, inline)
    return column


class LoadedAutocomplete(AutocompleteSelect):
    """An autocomplete that shows the row already loaded instead of asking for it again."""

    loaded: Model | None = None

    def optgroups(self, name: str, value: list[str], attr: Any = None) -> list[Any]:
        """Return the only option that the page needs: the one that is chosen."""
        if self.loaded is None or value != [str(self.loaded.pk)]:
            return super().optgroups(name, value, attr)
        label = self.choices.field.label_from_instance(self.loaded)
        options = [self.create_option(name, self.loaded.pk, label, set(value), 0)]
        if not self.is_required:
            options.insert(0, self.create_option(name, "", "", False, 0))
        return [(None, options, 0)]


class LoadedForm(ModelForm):
    """A row whose autocompletes show what its query loaded (see `select_related`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            widget = getattr(field.widget, "widget", field.widget)
            if isinstance(widget, LoadedAutocomplete):
                widget.loaded = self.instance._state.fields_cache.get(name)


class StaffInline(TabularInline):
    """Rows edited inside another page."""

    form = LoadedForm
    formfield_overrides = WIDGETS
    extra = 0
    hide_title = True

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Field:
        """Ask nothing for the rows that the page has loaded."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", LoadedAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ConfirmedAction:
    """A page that says what will happen, then does it on POST only."""

    def confirm(
        self,
        request: HttpRequest,
        title: str,
        obj: Model,
        *,
        template: str = "admin/entsvc/confirm.html",
        **context: Any,
    ) -> HttpResponse:
        """Answer with the page: `facts` and `warnings` to read, a `form` to fill, a `button`.

        `template` is one that adds to it.
        """
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
        return TemplateResponse(request, template, context)

    def visible_or_404(self, request: HttpRequest, object_id: str) -> Model:
        """Return a row that the account may see; a key that is none is no row."""
        try:
            key = self.model._meta.pk.to_python(object_id)
        except ValidationError as error:
            raise Http404 from error
        return get_object_or_404(self.get_queryset(request), pk=key)

"""Staff pages of the layouts of the exports for accounting suites, with a preview."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from entsvc.staff import LoadedForm
from invoicing.campaign_accounts import read
from invoicing.exports import columns
from invoicing.exports.accounting_csv import Unwritable, table_of
from invoicing.models import Announcement, Campaign, ExportColumn, ExportLayout, Titre
from members.access import ScopedAdmin, ScopedInline, ScopedReadOnlyAdmin

PREVIEWED = 5


class ExportColumnForm(LoadedForm):
    """A column chosen among those that exist."""

    code = forms.ChoiceField(
        label="Contenu", choices=columns.choices, widget=UnfoldAdminSelectWidget(choices=columns.choices)
    )


class ExportColumnFormSet(BaseInlineFormSet):
    """The columns of a layout, which its rows can fill."""

    def clean(self) -> None:
        """Refuse a column of lines where each row is a whole piece."""
        super().clean()
        kept = [form for form in self.forms if form not in self.deleted_forms]
        codes = [form.cleaned_data["code"] for form in kept if form.cleaned_data.get("code")]
        lines = columns.of_lines(codes)
        if lines and self.instance.rows == ExportLayout.Rows.PIECE:
            raise ValidationError(
                f"Ces contenus sont ceux d'une ligne de titre : {', '.join(lines)}. Retirez-les, ou "
                "choisissez une ligne par ligne de titre."
            )


class ExportColumnInline(ScopedInline):
    model = ExportColumn
    form = ExportColumnForm
    formset = ExportColumnFormSet
    fields = ["position", "code", "title"]
    min_num = 1
    max_num = 100

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Ask for one column at least."""
        return super().get_formset(request, obj, **{"validate_min": True, **kwargs})


@admin.register(ExportLayout)
class ExportLayoutAdmin(ScopedAdmin):
    list_display = ["name", "issuer", "rows", "columns_count", "encoding"]
    list_filter = ["issuer"]
    list_select_related = ["issuer"]
    fields = [
        "issuer", "name", "rows", ("corrections", "signed"), ("separator", "encoding"),
        ("amounts", "dates"), "header",
    ]  # fmt: skip
    inlines = [ExportColumnInline]
    change_form_outer_after_template = "admin/invoicing/campaign_layout.html"

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("columns")

    @display(description="colonnes")
    def columns_count(self, layout):
        return len(layout.columns.all())

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["preview"] = _preview(obj) if obj else None
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)


@admin.register(Announcement)
class AnnouncementAdmin(ScopedReadOnlyAdmin):
    list_display = ["titre", "told_at", "told_by", "told_to"]
    list_filter = ["titre__issuer"]
    list_select_related = ["titre"]
    linked_lookups = ["titre__campaign__id__exact"]
    search_fields = ["titre__reference", "titre__debtor_name", "titre__siret"]
    fields = ["titre", "told_at", "told_by", "told_to"]
    readonly_fields = fields

    def get_queryset(self, request):
        return super().get_queryset(request).defer("titre__payload")

    @display(description="adresses")
    def told_to(self, announcement):
        return ", ".join(announcement.addresses)


def _preview(layout: ExportLayout) -> dict[str, Any] | None:
    """Return the first rows of the latest campaign that has titres, or why it can't be written."""
    issued = Titre.objects.filter(campaign=OuterRef("pk"))
    campaigns = Campaign.objects.filter(Exists(issued), schedule__issuer=layout.issuer_id)
    campaign = campaigns.select_related("schedule").order_by("-school_year", "rank", "pk").first()
    if campaign is None:
        return None
    shown = {"campaign": campaign, "header": layout.header, "rows": [], "refusal": ""}
    try:
        shown["rows"] = list(table_of(layout, campaign, read(campaign), PREVIEWED))
    except Unwritable as error:
        shown["refusal"] = str(error)
    return shown

"""Staff pages of headcounts and usages: recorded and withdrawn, never changed nor deleted."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from entsvc import journal
from entsvc.french import integer
from entsvc.staff import ConfirmedAction, ReadOnlyInline, StaffAdmin
from entsvc.uploads import issuers_of
from members import counts
from members.models import Headcount, HeadcountSource, Usage

FACTS = ["recorded_at", "recorded_by", "origin", "superseded_at"]


@admin.register(HeadcountSource)
class HeadcountSourceAdmin(StaffAdmin):
    list_display = ["code", "label", "rank", "billable"]


class History(admin.SimpleListFilter):
    """The counts that hold, unless the history is asked for."""

    title = "historique"
    parameter_name = "historique"

    def lookups(self, request, model_admin):
        return [("tout", "Tous, même remplacés"), ("anciens", "Remplacés ou retirés")]

    def queryset(self, request, queryset):
        if self.value() == "tout":
            return queryset
        return queryset.filter(superseded_at__isnull=self.value() != "anciens")

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        return [{**first, "display": "Ceux qui valent"}, *others]


class CountFacts:
    """What pages show of a count besides its columns."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Read all that a row shows, but the long report of its import."""
        rows = super().get_queryset(request).select_related("school", "source", "imported")
        return rows.defer("imported__report", "imported__options")

    @display(description="facturable", boolean=True, ordering="source__billable")
    def is_billable(self, count):
        return count.source.billable

    @display(description="provenance")
    def origin(self, count):
        if count.imported_id is None:
            return "saisi"
        url = reverse("admin:entsvc_importrecord_change", args=[count.imported_id])
        return format_html('<a href="{}">{}, ligne {}</a>', url, count.imported.file_name, count.line)


class CountAdmin(ConfirmedAction, CountFacts, StaffAdmin):
    """A count is replaced by another or withdrawn; both leave it in the history."""

    number: str
    list_filter = [History, "school_year", "source", "source__billable"]
    search_fields = ["school__search"]
    autocomplete_fields = ["school"]
    readonly_fields = ["is_billable", *FACTS]
    actions_detail = ["withdraw"]

    def get_list_display(self, request):
        return ["school", "school_year_label", "source", self.number, "is_billable", *FACTS]

    def get_fields(self, request, obj=None):
        if obj is None:
            return ["school", "school_year", "source", self.number]
        return ["school", "school_year_label", "source", self.number, "is_billable", *FACTS]

    def get_readonly_fields(self, request, obj=None):
        return self.readonly_fields if obj is None else self.get_fields(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_withdraw_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        opts = self.model._meta
        return request.user.has_perm(f"{opts.app_label}.change_{opts.model_name}")

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Do nothing: the row itself says who and when."""

    def save_model(self, request, obj, form, change):
        obj.recorded_by = request.user.get_username()
        kept = counts.keep(self.model, [obj])
        holding = self.model.current.filter(
            school=obj.school, school_year=obj.school_year, source=obj.source
        )
        obj.pk = holding.get().pk
        if kept.unchanged:
            messages.info(request, f"{obj} ({obj.source}) est déjà connu : rien ne change.")
        elif kept.replaced:
            former = integer(counts.value(kept.replaced[0][0]))
            messages.success(
                request, f"{obj} ({obj.source}) remplace {former}, gardé dans l'historique."
            )
        else:
            messages.success(request, f"{obj} ({obj.source}) est enregistré.")
        if not kept.unchanged:
            self._warn_of_change(request, obj)

    def response_add(self, request, obj, post_url_continue=None):
        if "_addanother" in request.POST:
            return redirect(request.get_full_path())
        return self.response_post_save_add(request, obj)

    @action(description="Retirer", permissions=["withdraw"], icon="undo")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        count = self.visible_or_404(request, object_id)
        page = f"admin:members_{self.model._meta.model_name}_change"
        if count.superseded_at is not None:
            messages.error(request, f"{count} ({count.source}) ne vaut déjà plus.")
            return redirect(page, object_id)
        if request.method != "POST":
            facts = [
                f"{count} (source : {count.source})",
                "Il ne vaudra plus pour les prochains calculs et restera dans l'historique.",
                "Pour le corriger, ajoutez plutôt le bon nombre : il le remplacera.",
            ]
            return self.confirm(request, "Retirer ce nombre", count, facts=facts, button="Retirer")
        with transaction.atomic():
            counts.withdraw(self.model, [count.pk])
            journal.record(
                actor=request.user.get_username(),
                action="count-withdrawn",
                target=count,
                summary=f"{self.model._meta.verbose_name} retiré : {count} ({count.source_id})",
            )
        messages.success(request, f"{count} ({count.source}) est retiré.")
        self._warn_of_change(request, count)
        return redirect(page, object_id)

    def _warn_of_change(self, request: HttpRequest, count: counts.Count) -> None:
        changed = [(count.school.uai, count.school_year)]
        for words in counts.remarks(self.model, changed, issuers_of(request.user)):
            messages.warning(request, words)


@admin.register(Headcount)
class HeadcountAdmin(CountAdmin):
    number = "pupils"

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        head, usage = (
            counts.retained(model, obj.school_year, [obj.school]).get(obj.school.uai)
            for model in (Headcount, Usage)
        )
        problem = counts.count_below(head, usage)
        if problem:
            messages.warning(request, problem)


class UsageForm(forms.ModelForm):
    """A usage, never above pupils that may be billed."""

    def clean(self):
        super().clean()
        given = [self.cleaned_data.get(name) for name in ("school", "school_year", "active_pupils")]
        if None not in given:
            school, year, active = given
            count = counts.retained(Headcount, year, [school]).get(school.uai)
            problem = counts.usage_above(active, count)
            if problem and count.billable:
                self.add_error("active_pupils", problem)


@admin.register(Usage)
class UsageAdmin(CountAdmin):
    form = UsageForm
    number = "active_pupils"

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        count = counts.retained(Headcount, obj.school_year, [obj.school]).get(obj.school.uai)
        problem = counts.usage_above(obj.active_pupils, count)
        if problem:
            messages.warning(request, problem)


class CountInline(CountFacts, ReadOnlyInline):
    """The counts of a school, newest year first, those that were replaced among them."""

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.order_by("-school_year", "source__rank", "-recorded_at", "-pk")


class HeadcountInline(CountInline):
    model = Headcount
    fields = ["school_year_label", "source", "pupils", "is_billable", *FACTS]
    readonly_fields = fields


class UsageInline(CountInline):
    model = Usage
    fields = ["school_year_label", "source", "active_pupils", "is_billable", *FACTS]
    readonly_fields = fields


class CountsOfSchool:
    """The links of a school's page that add to its counts."""

    actions_detail = ["add_headcount", "add_usage"]

    def has_add_headcount_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("members.add_headcount")

    def has_add_usage_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("members.add_usage")

    @action(description="Ajouter un effectif", permissions=["add_headcount"], icon="add")
    def add_headcount(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(f"{reverse('admin:members_headcount_add')}?school={object_id}")

    @action(description="Ajouter un usage", permissions=["add_usage"], icon="add")
    def add_usage(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(f"{reverse('admin:members_usage_add')}?school={object_id}")

"""Staff pages of tariffs: an adopted version is shown, its copy is edited."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from entsvc.once import asked_once
from entsvc.staff import ConfirmedAction
from members.access import ScopedAdmin, ScopedInline
from members.admin.acts import ActPage
from members.models import Act
from tariffs.bands import band_problems
from tariffs.models import Adoption, Band, Charge, Schedule, Version
from tariffs.versions import copy_version


class Simulated:
    """A page that leads to the simulation of a tariff, which lives in the room above."""

    def has_simulate_permission(self, request, object_id=None):
        return request.user.has_perms(["tariffs.view_version", "conventions.view_convention"])

    def to_simulation(self, version):
        return redirect(f"{reverse('conventions:what-if')}?version={version.pk}")


class AdoptionInline(ScopedInline):
    model = Adoption
    autocomplete_fields = ["act"]

    def get_formset(self, request, obj=None, **kwargs):
        formset = super().get_formset(request, obj, **kwargs)
        field = formset.form.base_fields.get("version")
        if field is not None:
            field.queryset = Version.objects.filter(schedule=obj).select_related("schedule")
        return formset

    def has_change_permission(self, request, obj=None):
        return False


class VersionInline(ScopedInline):
    model = Version
    fields = ["label", "note"]
    show_change_link = True
    can_delete = False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Schedule)
class ScheduleAdmin(ConfirmedAction, Simulated, ScopedAdmin):
    list_display = ["code", "name", "issuer"]
    list_filter = ["issuer"]
    list_select_related = ["issuer"]
    search_fields = ["code", "name"]
    inlines = [VersionInline, AdoptionInline]
    fieldsets = [
        (None, {"fields": ["issuer", "code", "name", "subject", "vat"]}),
        ("Imputation", {"fields": ["programme", "account", "function_code", "local_product"]}),
        ("Notes", {"fields": ["note"]}),
    ]

    actions_detail = ["simulate"]

    def get_readonly_fields(self, request, obj=None):
        adopted = obj is not None and obj.adoption_set.exists()
        return ["issuer", "code"] if adopted else []

    @action(description="Simuler", permissions=["simulate"], icon="query_stats")
    def simulate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        schedule = self.visible_or_404(request, object_id)
        adoption = schedule.adoption_set.select_related("version").order_by("-school_year").first()
        latest = adoption.version if adoption else schedule.version_set.order_by("-pk").first()
        if latest is None:
            messages.warning(request, "Ce barème n'a encore aucune version à simuler : ajoutez-en une.")
            return redirect("admin:tariffs_schedule_change", schedule.pk)
        return self.to_simulation(latest)


class FrozenWithVersion:
    """Nothing of an adopted version can be changed or deleted."""

    def version_of(self, obj):
        return obj if isinstance(obj, Version) else obj.version

    def is_frozen(self, request, obj):
        if obj is None:
            return False
        version = self.version_of(obj)
        return asked_once(request, ("adopted", version.pk), lambda: version.is_adopted)

    def has_change_permission(self, request, obj=None):
        allowed = super().has_change_permission(request, obj)
        return allowed and not self.is_frozen(request, obj)

    def has_delete_permission(self, request, obj=None):
        allowed = super().has_delete_permission(request, obj)
        return allowed and not self.is_frozen(request, obj)


class FrozenInline(FrozenWithVersion, ScopedInline):
    def has_add_permission(self, request, obj=None):
        allowed = super().has_add_permission(request, obj)
        return allowed and not self.is_frozen(request, obj)


class ChargeInline(FrozenInline):
    model = Charge
    fields = ["position", "code", "label", "unit_label", "unit_plural", "metric", "model",
              "unit_price", "pool", "degree", "sector", "subscription"]  # fmt: skip
    show_change_link = True


class CopyForm(forms.Form):
    label = forms.CharField(
        label="Nom de la nouvelle version", max_length=100, widget=UnfoldAdminTextInputWidget
    )


@admin.register(Version)
class VersionAdmin(ConfirmedAction, Simulated, FrozenWithVersion, ScopedAdmin):
    list_display = ["label", "schedule", "adopted"]
    list_filter = ["schedule"]
    list_select_related = ["schedule"]
    search_fields = ["label", "schedule__code"]
    inlines = [ChargeInline]
    actions_detail = ["simulate", "copy"]

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("adoption_set")

    @admin.display(description="adoptée pour")
    def adopted(self, version):
        return ", ".join(adoption.school_year_label for adoption in version.adoption_set.all())

    @action(description="Simuler", permissions=["simulate"], icon="query_stats")
    def simulate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.to_simulation(self.visible_or_404(request, object_id))

    def has_copy_permission(self, request, object_id=None):
        return request.user.has_perm("tariffs.add_version")

    @action(description="Copier pour la version suivante", permissions=["copy"], icon="content_copy")
    def copy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.visible_or_404(request, object_id)
        form = CopyForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                copy = copy_version(version, form.cleaned_data["label"])
            except ValidationError as error:
                form.add_error("label", error.messages)
            else:
                messages.success(request, f"« {copy.label} » est prête à être modifiée.")
                return redirect("admin:tariffs_version_change", copy.pk)
        facts = [f"Version copiée : {version}", "Ses lignes et ses tranches sont reprises."]
        return self.confirm(
            request, "Copier la version", version, form=form, facts=facts, button="Copier"
        )


class BandFormSet(BaseInlineFormSet):
    """Bands are judged together: the message goes to the bound that is wrong."""

    def clean(self):
        super().clean()
        kept = [
            form
            for form in self.forms
            if form.cleaned_data and not form.cleaned_data.get("DELETE") and not form.errors
        ]
        bounds = [(form.cleaned_data["lower"], form.cleaned_data["upper"]) for form in kept]
        for index, message in band_problems(bounds).items():
            kept[index].add_error("lower", message)


class BandInline(FrozenInline):
    model = Band
    formset = BandFormSet

    def version_of(self, obj):
        return obj.version


@admin.register(Charge)
class ChargeAdmin(FrozenWithVersion, ScopedAdmin):
    list_display = ["code", "label", "version", "metric", "model", "unit_price"]
    list_filter = ["version__schedule", "metric", "model"]
    list_select_related = ["version__schedule"]
    search_fields = ["code", "label"]
    inlines = [BandInline]
    fieldsets = [
        (None, {"fields": ["version", "position", "code", "label", "unit_label", "unit_plural"]}),
        ("Calcul", {"fields": ["metric", "model", "unit_price", "pool"]}),
        ("Portée", {"fields": ["degree", "sector", "subscription"]}),
        ("Notes", {"fields": ["notice", "note"]}),
    ]


@admin.register(Adoption)
class AdoptionAdmin(ScopedAdmin):
    list_display = ["schedule", "school_year_label", "version", "act"]
    list_filter = ["schedule", "school_year"]
    list_select_related = ["schedule", "version__schedule", "act"]
    autocomplete_fields = ["act"]

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Act)
class ActAdmin(ActPage):
    """Here rather than with the members: what a tariff rests on no longer changes."""

    def is_free(self, obj):
        return obj is None or not Adoption.objects.filter(act=obj).exists()

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and self.is_free(obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and self.is_free(obj)

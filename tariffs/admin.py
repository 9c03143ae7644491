"""Staff pages of tariffs."""

from django.contrib import admin

from entsvc.staff import StaffInline
from members.access import ScopedAdmin
from tariffs.models import Adoption, Band, Charge, Schedule, Version


class AdoptionInline(StaffInline):
    model = Adoption
    autocomplete_fields = ["act"]


class VersionInline(StaffInline):
    model = Version
    fields = ["label", "note"]
    show_change_link = True


@admin.register(Schedule)
class ScheduleAdmin(ScopedAdmin):
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


class ChargeInline(StaffInline):
    model = Charge
    fields = ["code", "label", "metric", "model", "unit_price", "degree", "sector"]
    show_change_link = True

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Version)
class VersionAdmin(ScopedAdmin):
    list_display = ["label", "schedule"]
    list_filter = ["schedule"]
    list_select_related = ["schedule"]
    search_fields = ["label", "schedule__code"]
    inlines = [ChargeInline]


class BandInline(StaffInline):
    model = Band


@admin.register(Charge)
class ChargeAdmin(ScopedAdmin):
    list_display = ["code", "label", "version", "metric", "model", "unit_price"]
    list_filter = ["version__schedule", "metric", "model"]
    list_select_related = ["version__schedule"]
    search_fields = ["code", "label"]
    inlines = [BandInline]


@admin.register(Adoption)
class AdoptionAdmin(ScopedAdmin):
    list_display = ["schedule", "school_year_label", "version", "act"]
    list_filter = ["schedule", "school_year"]
    list_select_related = ["schedule", "version__schedule", "act"]
    autocomplete_fields = ["act"]

"""Staff pages of members, schools, counts, acts, issuers and accounts."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from entsvc.staff import StaffAdmin, StaffInline
from members.access import ScopedAdmin
from members.models import (
    Accountant,
    Act,
    Headcount,
    HeadcountSource,
    Issuer,
    Member,
    School,
    Signatory,
    Usage,
    User,
)

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, StaffAdmin):
    pass


@admin.register(User)
class UserAdmin(DjangoUserAdmin, StaffAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "is_staff", "is_superuser"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Personne", {"fields": ["first_name", "last_name", "email"]}),
        ("Droits", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "issuers"]}),
    ]
    filter_horizontal = ["groups", "issuers"]
    list_filter = ["is_staff", "groups", "issuers"]


class AccountantInline(StaffInline):
    model = Accountant
    fields = ["name", "iban", "valid_from", "valid_to", "is_fictitious"]
    show_change_link = True


class SignatoryInline(StaffInline):
    model = Signatory
    fields = ["first_name", "last_name", "quality", "valid_from", "valid_to", "is_fictitious"]
    show_change_link = True


@admin.register(Issuer)
class IssuerAdmin(ScopedAdmin):
    list_display = ["code", "name", "regime", "siret"]
    list_filter = ["regime"]
    search_fields = ["code", "name", "siret"]
    inlines = [AccountantInline, SignatoryInline]
    fieldsets = [
        (None, {"fields": ["code", "name", "regime", "siret", "ministry"]}),
        ("Adresse et contact", {
            "fields": ["address", "postal_code", "city", "contact", "phone", "email"],
        }),
        ("Comptabilité", {
            "fields": [
                "service", "cost_centre", "budget_code", "budget_label", "complementary_days",
                "tribunal",
            ],
        }),
    ]  # fmt: skip


@admin.register(Accountant)
class AccountantAdmin(ScopedAdmin):
    list_display = ["name", "issuer", "valid_from", "valid_to", "is_fictitious"]
    list_filter = ["issuer", "is_fictitious"]
    search_fields = ["name"]


@admin.register(Signatory)
class SignatoryAdmin(ScopedAdmin):
    list_display = ["last_name", "first_name", "quality", "issuer", "valid_from", "valid_to"]
    list_filter = ["issuer", "is_fictitious"]
    search_fields = ["last_name", "first_name", "quality"]


@admin.register(Member)
class MemberAdmin(StaffAdmin):
    list_display = ["name", "kind", "siret", "commune_code", "city", "email"]
    list_filter = ["kind"]
    search_fields = ["search"]
    fieldsets = [
        (None, {"fields": ["name", "kind", "siret", "commune_code"]}),
        ("Adresse de facturation", {"fields": ["address", "postal_code", "city", "email"]}),
        ("Chorus Pro", {
            "fields": [
                "service_code", "service_code_required", "engagement_number",
                "engagement_required",
            ],
        }),
    ]  # fmt: skip


class HeadcountInline(StaffInline):
    model = Headcount
    fields = ["school_year", "source", "pupils"]


class UsageInline(StaffInline):
    model = Usage
    fields = ["school_year", "source", "active_pupils"]


@admin.register(School)
class SchoolAdmin(StaffAdmin):
    list_display = ["uai", "name", "degree", "level", "sector", "commune_name", "state"]
    list_filter = ["degree", "sector", "state"]
    search_fields = ["search"]
    inlines = [HeadcountInline, UsageInline]


@admin.register(HeadcountSource)
class HeadcountSourceAdmin(StaffAdmin):
    list_display = ["code", "label", "rank", "billable"]


@admin.register(Headcount)
class HeadcountAdmin(StaffAdmin):
    list_display = ["school", "school_year_label", "source", "pupils", "recorded_at"]
    list_filter = ["school_year", "source"]
    list_select_related = ["school", "source"]
    search_fields = ["school__search"]
    autocomplete_fields = ["school"]


@admin.register(Usage)
class UsageAdmin(StaffAdmin):
    list_display = ["school", "school_year_label", "source", "active_pupils", "recorded_at"]
    list_filter = ["school_year", "source"]
    list_select_related = ["school", "source"]
    search_fields = ["school__search"]
    autocomplete_fields = ["school"]


@admin.register(Act)
class ActAdmin(StaffAdmin):
    list_display = ["__str__", "subject", "issuer", "member", "transmitted_on"]
    list_filter = ["kind", "issuer"]
    list_select_related = ["issuer", "member"]
    search_fields = ["number", "authority", "subject", "actes_id"]
    autocomplete_fields = ["member"]

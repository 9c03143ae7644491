"""Staff pages of agreements."""

from django.contrib import admin

from conventions.filters import FindingFilter
from conventions.models import Convention, DeliveredUnits, Enrolment, Subscription
from members.access import ScopedAdmin, ScopedInline
from members.admin import MemberAdmin, SchoolAdmin

FINDING = "admin/conventions/finding.html"

MemberAdmin.list_filter = [FindingFilter, *MemberAdmin.list_filter]
SchoolAdmin.list_filter = [FindingFilter, *SchoolAdmin.list_filter]
MemberAdmin.list_before_template = SchoolAdmin.list_before_template = FINDING


class EnrolmentInline(ScopedInline):
    model = Enrolment
    autocomplete_fields = ["school"]
    per_page = 30

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("school", "convention")


class SubscriptionInline(ScopedInline):
    model = Subscription


class DeliveredUnitsInline(ScopedInline):
    model = DeliveredUnits


@admin.register(Convention)
class ConventionAdmin(ScopedAdmin):
    list_display = [
        "reference",
        "party",
        "schedule__code",
        "status",
        "first_year_label",
        "last_year_label",
        "signed_on",
    ]
    list_before_template = FINDING
    list_filter = [FindingFilter, "schedule", "status", "first_year"]
    list_select_related = ["party", "schedule"]
    search_fields = ["search", "party__search", "debtor__search"]
    autocomplete_fields = ["party", "debtor", "act"]
    inlines = [EnrolmentInline, SubscriptionInline, DeliveredUnitsInline]
    fieldsets = [
        (None, {"fields": ["schedule", "reference", "status", "party", "debtor"]}),
        (
            "Durée",
            {
                "fields": ["first_year", "last_year", "signed_on", "ends_on"],
                "description": "Les années scolaires déclarées décident de ce qui est appelé.",
            },
        ),
        ("Portée", {"fields": ["act", "private_included"]}),
    ]

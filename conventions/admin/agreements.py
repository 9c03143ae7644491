"""Staff pages of agreements."""

from django.contrib import admin
from unfold.decorators import display

from conventions.filters import FindingFilter
from conventions.models import Convention, DeliveredUnits, Enrolment, Subscription
from entsvc.french import long_date
from members.access import ScopedAdmin, ScopedInline
from members.admin import MemberAdmin, SchoolAdmin

FINDING = "admin/conventions/finding.html"

MemberAdmin.list_filter = [FindingFilter, *MemberAdmin.list_filter]
SchoolAdmin.list_filter = [FindingFilter, *SchoolAdmin.list_filter]
MemberAdmin.list_before_template = SchoolAdmin.list_before_template = FINDING


class EnrolmentInline(ScopedInline):
    model = Enrolment
    autocomplete_fields = ["school"]
    fields = ["school", "first_year", "last_year", "opened_on"]
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
        "schedule_code",
        "status",
        "first_year_label",
        "last_year_label",
        "signed_on",
    ]
    list_before_template = FINDING
    list_filter = [FindingFilter, "schedule", "status", "first_year"]
    list_select_related = ["party", "schedule"]
    search_fields = ["search", "party__search", "debtor__search", "enrolments__school__uai"]
    autocomplete_fields = ["party", "debtor", "act", "committee_act"]
    readonly_fields = ["start_day", "end_day"]
    inlines = [EnrolmentInline, SubscriptionInline, DeliveredUnitsInline]
    fieldsets = [
        (None, {"fields": ["schedule", "reference", "policy", "status", "party", "debtor"]}),
        (
            "Durée",
            {
                "fields": ["first_year", "last_year", "signed_on", "ends_on"],
                "description": "Les années scolaires déclarées décident de ce qui est appelé.",
            },
        ),
        (
            "Votes et transmissions",
            {
                "fields": [
                    "act", "committee_act", "transmitted_on", "fixed_start", "start_day", "end_day",
                ],
            },
        ),
        ("Portée", {"fields": ["private_included"]}),
    ]  # fmt: skip

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("act", "committee_act")

    @display(description="barème", ordering="schedule__code")
    def schedule_code(self, convention):
        return convention.schedule.code

    @display(description="début d'effet")
    def start_day(self, convention):
        return _in_words(convention.start)

    @display(description="fin d'après le texte")
    def end_day(self, convention):
        return _in_words(convention.end)


def _in_words(day):
    if day is None:
        return "Choisissez le texte de la convention pour l'établir."
    return f"{long_date(day.day)} – {day.reason}" if day.day else day.reason

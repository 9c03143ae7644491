"""Staff pages of the decisions of a year, and of the issuers that have issued."""

from django.contrib import admin
from django.db import transaction
from unfold.decorators import display

from entsvc.french import euros
from entsvc.journal import record
from invoicing.models import Acceptance, Bordereau, DecidedDeduction, Exclusion, YearPool
from members.access import ScopedAdmin
from members.admin import IssuerAdmin
from members.models import Issuer


class DecisionAdmin(ScopedAdmin):
    """A reasoned decision: its author is the account that enters it."""

    list_filter = ["schedule", "school_year"]
    list_select_related = ["schedule"]

    def save_model(self, request, obj, form, change):
        obj.decided_by = request.user.get_username()
        super().save_model(request, obj, form, change)
        self._record(request, obj, "decision", "")

    def delete_model(self, request, obj):
        self._record(request, obj, "decision-deleted", " (supprimée)")
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request, queryset):
        for decision in queryset:
            self._record(request, decision, "decision-deleted", " (supprimée)")
        super().delete_queryset(request, queryset)

    def _record(self, request, obj, action, mark):
        record(
            actor=request.user.get_username(),
            action=action,
            target=obj,
            summary=f"{obj._meta.verbose_name}{mark} : {obj}",
        )


@admin.register(YearPool)
class YearPoolAdmin(DecisionAdmin):
    list_display = ["schedule", "school_year_label", "charge", "amount_euros", "reason", "decided_by"]

    @display(description="montant", ordering="amount")
    def amount_euros(self, pool):
        return euros(pool.amount)


@admin.register(DecidedDeduction)
class DecidedDeductionAdmin(DecisionAdmin):
    list_display = [
        "schedule", "school_year_label", "debtor", "label", "amount_euros", "reason", "decided_by",
    ]  # fmt: skip
    list_select_related = ["schedule", "debtor"]
    autocomplete_fields = ["debtor", "act"]

    @display(description="montant", ordering="amount")
    def amount_euros(self, deduction):
        return euros(deduction.amount)


@admin.register(Exclusion)
class ExclusionAdmin(DecisionAdmin):
    list_display = ["schedule", "school_year_label", "school", "reason", "decided_by"]
    list_select_related = ["schedule", "school"]
    autocomplete_fields = ["school"]


@admin.register(Acceptance)
class AcceptanceAdmin(DecisionAdmin):
    list_display = ["schedule", "school_year_label", "code", "debtor", "school", "reason", "decided_by"]
    list_select_related = ["schedule", "debtor", "school"]
    autocomplete_fields = ["debtor", "school"]


admin.site.unregister(Issuer)


@admin.register(Issuer)
class IssuingIssuerAdmin(IssuerAdmin):
    """What references and series of numbers are made of no longer changes once a titre bears it."""

    def get_readonly_fields(self, request, obj=None):
        issued = obj is not None and Bordereau.objects.filter(issuer=obj).exists()
        return ["code", "regime", "budget_code"] if issued else []

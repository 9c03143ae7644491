"""Staff pages of the decisions of a year, and of the issuers that have issued."""

from django.contrib import admin
from django.db import transaction
from unfold.decorators import display

from entsvc.french import euros
from entsvc.journal import record
from invoicing.models import (
    Acceptance,
    Adjustment,
    Bordereau,
    CallRules,
    DecidedDeduction,
    Exclusion,
    Titre,
    TitreLine,
    VotedAmount,
    YearPool,
)
from invoicing.statements import charge_label
from members.access import ScopedAdmin
from members.admin import IssuerAdmin
from members.models import Issuer
from tariffs.engine import ADJUSTMENT


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
    list_display = [
        "schedule", "school_year_label", "charge_words", "amount_euros", "reason", "decided_by",
    ]  # fmt: skip

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.annotate(label_of_charge=charge_label("schedule", "school_year", "charge"))

    @display(description="ligne tarifaire", ordering="charge")
    def charge_words(self, pool):
        return pool.label_of_charge or pool.charge

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


@admin.register(VotedAmount)
class VotedAmountAdmin(DecisionAdmin):
    list_display = [
        "schedule", "school_year_label", "debtor", "amount_euros", "act", "reason", "decided_by",
    ]  # fmt: skip
    list_select_related = ["schedule", "debtor", "act"]
    autocomplete_fields = ["debtor", "act"]

    @display(description="montant voté", ordering="amount")
    def amount_euros(self, voted):
        return euros(voted.amount)


@admin.register(Adjustment)
class AdjustmentAdmin(DecisionAdmin):
    """Once a titre bears it an adjustment no longer changes: another one offsets it."""

    list_display = [
        "schedule", "school_year_label", "debtor", "label", "amount_euros", "reason", "decided_by",
    ]  # fmt: skip
    list_select_related = ["schedule", "debtor"]
    autocomplete_fields = ["debtor"]

    @display(description="montant", ordering="amount")
    def amount_euros(self, adjustment):
        return euros(adjustment.amount)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and not (obj and is_billed(obj))

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not (obj and is_billed(obj))

    def get_actions(self, request):
        """Delete one at a time: each is looked at."""
        return {
            name: act for name, act in super().get_actions(request).items() if name != "delete_selected"
        }


@admin.register(CallRules)
class CallRulesAdmin(ScopedAdmin):
    list_display = ["schedule", "after_year_end", "needs_statement", "small_amounts"]
    list_select_related = ["schedule"]

    def get_readonly_fields(self, request, obj=None):
        return ["schedule"] if obj else []

    def has_delete_permission(self, request, obj=None):
        return False

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        told = [f"{form.fields[name].label} : {_told(obj, name)}" for name in form.changed_data]
        record(
            actor=request.user.get_username(),
            action="call-rules",
            target=obj,
            summary=f"{obj} : {' ; '.join(told) or 'inchangé'}"[:300],
        )


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


def is_billed(adjustment: Adjustment) -> bool:
    """Tell whether a titre in force bears this adjustment."""
    lines = TitreLine.objects.filter(
        titre__in=Titre.objects.in_force(),
        charge=ADJUSTMENT,
        charge_label=adjustment.label,
        titre__debtor=adjustment.debtor_id,
        titre__campaign__schedule=adjustment.schedule_id,
        titre__campaign__school_year=adjustment.school_year,
    )
    return lines.exists()


def _told(rules: CallRules, name: str) -> str:
    """Return a rule as the journal tells it."""
    value = getattr(rules, name)
    if isinstance(value, bool):
        return "oui" if value else "non"
    return str(getattr(rules, f"get_{name}_display", lambda: value)())


admin.site.unregister(Issuer)


@admin.register(Issuer)
class IssuingIssuerAdmin(IssuerAdmin):
    """What references and series of numbers are made of no longer changes once a titre bears it."""

    def get_readonly_fields(self, request, obj=None):
        issued = obj is not None and Bordereau.objects.filter(issuer=obj).exists()
        return ["code", "regime", "budget_code"] if issued else []

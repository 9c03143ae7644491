"""Staff pages of series: how each is numbered, set before its first number, and where it stands."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from unfold.decorators import display

from entsvc.french import integer
from invoicing.models import ClosedExercice, Counter, NumberingPolicy
from invoicing.numbering import IssueRefused, is_begun, lock_counter
from members.access import ScopedAdmin, ScopedReadOnlyAdmin

LAW = (
    "Les titres sont pris dans une série annuelle continue, une par budget (instruction 11-008-M0 du "
    "21 mars 2011). Sans réglage, la série est la nôtre et part de 1. Elle se règle avant son premier "
    "numéro et ne change plus ensuite ; seule une autre plage réservée peut s'y ajouter."
)

MAIN_BUDGET = "00"
SERIES = ("issuer", "budget", "exercice", "kind")


def budget_in_words(series: Counter | NumberingPolicy | ClosedExercice) -> str:
    """Return the name of the budget of a series: that of its issuer, else its code in words."""
    issuer = series.issuer
    if series.budget == issuer.budget_code and issuer.budget_label:
        return issuer.budget_label
    return "Budget principal" if series.budget == MAIN_BUDGET else f"Budget annexe {series.budget}"


class NumberingPolicyForm(forms.ModelForm):
    """The numbering of a series, checked while nobody else takes a number of it."""

    class Meta:
        model = NumberingPolicy
        fields = [
            "issuer", "budget", "exercice", "kind", "mode", "first_number", "last_number", "reference",
        ]  # fmt: skip
        help_texts = {
            "budget": "Chaque budget annexe a sa propre série.",
            "mode": "Externe : les pièces sortent en « projet / état liquidatif » sous notre référence, "
            "jusqu'à ce que le numéro de la chaîne de l'État ou de la suite comptable soit relu.",
            "first_number": "À la reprise, le numéro qui suit le dernier de l'ancien outil.",
            "last_number": "Pour une plage réservée seulement.",
            "reference": "Courrier ou courriel par lequel le comptable a accepté cette numérotation.",
        }

    def clean(self) -> dict[str, Any]:
        """Lock the series: no number is taken until its numbering is saved."""
        cleaned = super().clean()
        known = {name: getattr(self.instance, name) for name in SERIES} if self.instance.pk else {}
        series = {name: cleaned.get(name) for name in SERIES} | known
        if all(value is not None for value in series.values()):
            try:
                lock_counter(**series)
            except IssueRefused as error:
                raise forms.ValidationError(error.messages) from error
        return cleaned


@admin.register(NumberingPolicy)
class NumberingPolicyAdmin(ScopedAdmin):
    form = NumberingPolicyForm
    list_display = [
        "__str__",
        "budget_name",
        "mode",
        "first_number",
        "last_number",
        "begun",
        "reference",
    ]
    list_filter = ["issuer", "exercice", "kind", "mode"]
    list_select_related = ["issuer"]
    fieldsets = [(None, {"fields": NumberingPolicyForm.Meta.fields, "description": LAW})]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        counters = Counter.objects.filter(**{name: OuterRef(name) for name in SERIES})
        policies = super().get_queryset(request)
        return policies.annotate(given=Subquery(counters.values("last_number")[:1]))

    def get_readonly_fields(self, request: HttpRequest, obj: NumberingPolicy | None = None) -> list:
        return list(SERIES) if obj else []

    @display(description="budget", ordering="budget")
    def budget_name(self, policy):
        return budget_in_words(policy)

    @display(description="dernier numéro donné")
    def begun(self, policy):
        return integer(policy.given) if policy.given else "aucun"

    def has_change_permission(self, request: HttpRequest, obj: NumberingPolicy | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and is_begun(obj))

    def has_delete_permission(self, request: HttpRequest, obj: NumberingPolicy | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and is_begun(obj))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


@admin.register(Counter)
class CounterAdmin(ScopedReadOnlyAdmin):
    list_display = ["issuer", "budget_name", "exercice", "kind", "last_number", "last_date"]
    list_filter = ["issuer", "exercice"]
    list_select_related = ["issuer"]

    @display(description="budget", ordering="budget")
    def budget_name(self, counter):
        return budget_in_words(counter)

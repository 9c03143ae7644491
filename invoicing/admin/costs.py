"""Staff pages of the statements of expenses and of the subsidies."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from entsvc.downloads import as_attachment, attachment
from entsvc.french import euros
from entsvc.staff import ConfirmedAction
from invoicing.admin.while_open import WhileOpen
from invoicing.costs import StatementWrong
from invoicing.importers.expenses import IMPORTER, name_of
from invoicing.models import CostStatement, Expense, OwnShare, Subsidy
from invoicing.statements import (
    StatementRefused,
    charge_label,
    close,
    cost_of,
    draw,
    findings,
    give_visa,
    withdraw_visa,
)
from invoicing.subsidies import DeductionRefused, deduct, standing_in_words
from members.access import ScopedAdmin, ScopedInline
from tariffs.models import Charge

State = CostStatement.State
# What may be done of a statement, by its state; a stale page is answered in words by the step itself.
STEPS = {
    State.PREPARED: ("import_expenses", "visa"),
    State.VISAED: ("reopen", "close_it"),
    State.CLOSED: (),
}


class ReasonForm(forms.Form):
    """Why, in a line."""

    reason = forms.CharField(
        label="Motif ou référence", max_length=300, widget=UnfoldAdminTextInputWidget
    )


class EurosWhenRead:
    """Amounts are typed in a form, and read with their sign where they can't be changed."""

    amounts = ("amount",)

    def get_fields(self, request, obj=None):
        """Read the amounts in euros where the page only shows them."""
        fields = super().get_fields(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fields
        return [f"{name}_euros" if name in self.amounts else name for name in fields]

    def get_readonly_fields(self, request, obj=None):
        """Add what no form knows."""
        fields = super().get_readonly_fields(request, obj)
        return [*fields, *(f"{name}_euros" for name in self.amounts)]


def in_euros(name: str, label: str) -> Callable[[Any, Model], str]:
    """Return the column that reads an amount in euros, under a label."""

    @display(description=label)
    def column(self, row):
        value = getattr(row, name)
        return "" if value is None else euros(value)

    return column


class StatementInline(EurosWhenRead, WhileOpen, ScopedInline):
    """Rows that change while their statement is prepared only."""

    amount_euros = in_euros("amount", "montant")

    def is_open(self, obj):
        return obj is None or obj.state == CostStatement.State.PREPARED


class ExpenseInline(StatementInline):
    model = Expense
    amount_euros = in_euros("amount", "montant TTC")
    fields = [
        "category", "degree", "supplier", "label", "mandat", "paid_on", "starts_on", "ends_on", "amount",
    ]  # fmt: skip


class OwnShareInline(StatementInline):
    model = OwnShare
    fields = ["category", "amount", "rate", "reason"]


@admin.register(CostStatement)
class CostStatementAdmin(ConfirmedAction, ScopedAdmin):
    list_display = [
        "schedule_name", "school_year_label", "charge_words", "degree", "state_label", "pool_euros",
    ]  # fmt: skip
    list_filter = ["schedule", "school_year"]
    list_select_related = ["schedule"]
    fields = [
        "schedule", "school_year", "charge", "degree", "starts_on", "ends_on", "state_label",
        "pool_euros", "still_wrong", "visa_by", "visa_at", "closed_by", "closed_at",
    ]  # fmt: skip
    readonly_fields = [
        "state_label", "pool_euros", "still_wrong", "visa_by", "visa_at", "closed_by", "closed_at",
    ]  # fmt: skip
    inlines = [ExpenseInline, OwnShareInline]
    actions_detail = ["import_expenses", "visa", "reopen", "close_it", "pdf"]

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("schedule")
        return rows.annotate(label_of_charge=charge_label("schedule", "school_year", "charge"))

    def get_fields(self, request, obj=None):
        fields = super().get_fields(request, obj)
        return ["charge_words" if name == "charge" and obj else name for name in fields]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name != "charge":
            return field
        return forms.ChoiceField(
            label="Ligne tarifaire",
            choices=_shared_charges(request.user),
            widget=UnfoldAdminSelectWidget,
        )

    @display(description="barème", ordering="schedule")
    def schedule_name(self, statement):
        return statement.schedule.name

    @display(description="ligne tarifaire", ordering="charge")
    def charge_words(self, statement):
        return statement.label_of_charge or statement.charge

    def get_actions_detail(self, request, object_id):
        """Offer the steps of the state that the statement is in."""
        statement = self.get_object(request, object_id)
        possible = STEPS[statement.state] if statement else ()
        actions = super().get_actions_detail(request, object_id)
        return [found for found in actions if found.method.__name__ in (*possible, "pdf")]

    def has_change_permission(self, request, obj=None):
        open_ = obj is None or obj.state == CostStatement.State.PREPARED
        return open_ and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return False

    @display(description="état")
    def state_label(self, statement):
        return statement.state.label if statement.pk else "—"

    @display(description="montant net à répartir")
    def pool_euros(self, statement):
        if not statement.pk:
            return "—"
        try:
            pool = statement.pool if statement.pool is not None else cost_of(statement).pool
        except StatementWrong as error:
            return str(error)
        return euros(pool)

    @display(description="à corriger avant le visa")
    def still_wrong(self, statement):
        return " ".join(findings(statement)) if statement.pk and not statement.closed_at else ""

    def get_readonly_fields(self, request, obj=None):
        if obj is None:
            return self.readonly_fields
        return [*self.readonly_fields, "schedule", "school_year", "charge", "charge_words"]

    def has_visa_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.visa_statement")

    def has_close_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.close_statement")

    def has_import_permission(self, request, object_id=None):
        needed = ("invoicing.add_expense", "invoicing.change_expense", "entsvc.add_upload")
        return request.user.has_perms(needed)

    @action(
        description="Importer des dépenses",
        permissions=["import"],
        icon="upload_file",
    )
    def import_expenses(self, request: HttpRequest, object_id: str) -> HttpResponse:
        statement = self.visible_or_404(request, object_id)
        page = reverse("admin:entsvc_importrecord_try", args=[IMPORTER.name])
        return redirect(f"{page}?{urlencode({'option_statement': name_of(statement)})}")

    @action(description="Viser", permissions=["visa"], icon="verified")
    def visa(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Viser l'état des dépenses",
            "Viser",
            lambda statement, actor, reason: give_visa(statement=statement, actor=actor),
        )

    @action(description="Rouvrir", permissions=["visa"], icon="undo")
    def reopen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Rouvrir l'état des dépenses",
            "Rouvrir",
            lambda statement, actor, reason: withdraw_visa(
                statement=statement, reason=reason, actor=actor
            ),
            with_reason=True,
        )

    @action(description="Clore", permissions=["close"], icon="lock")
    def close_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Clore l'état des dépenses",
            "Clore",
            lambda statement, actor, reason: close(statement=statement, actor=actor),
            warnings=["La clôture est définitive : le montant net sera réparti tel quel."],
        )

    @action(description="PDF", icon="picture_as_pdf")
    def pdf(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        statement = self.visible_or_404(request, object_id)
        name = f"etat-depenses-{statement.charge}-{statement.school_year_label}.pdf"
        if statement.document:
            return attachment(request, statement.document, name)
        try:
            return as_attachment(draw(statement), f"PROJET-{name}")
        except StatementWrong as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_coststatement_change", object_id)

    def _step(self, request, object_id, title, button, step, *, with_reason=False, warnings=()):
        statement = self.visible_or_404(request, object_id)
        form = ReasonForm(request.POST or None) if with_reason else None
        if request.method == "POST" and (form is None or form.is_valid()):
            reason = form.cleaned_data["reason"] if form else ""
            try:
                statement = step(statement, request.user.get_username(), reason)
            except StatementRefused as error:
                for message in error.messages:
                    messages.error(request, message)
            else:
                messages.success(request, f"{statement} : {statement.state.label.lower()}.")
            return redirect("admin:invoicing_coststatement_change", object_id)
        facts = [
            f"État des dépenses : {statement}, {statement.state.label.lower()}.",
            f"Montant net à répartir : {self.pool_euros(statement)}",
            *findings(statement),
        ]
        return self.confirm(
            request, title, statement, form=form, facts=facts, warnings=list(warnings), button=button
        )


def _shared_charges(user) -> list[tuple[str, str]]:
    """Return the charges of the account's schedules that share out a pool, by code and in words."""
    charges = Charge.objects.filter(model=Charge.Model.ALLOCATION).select_related("version__schedule")
    if not user.is_superuser:
        charges = charges.filter(version__schedule__issuer__in=user.issuers.order_by("pk").values("pk"))
    found = {
        charge.code: f"{charge.label} ({charge.version.schedule.name})"
        for charge in charges.order_by("version__schedule__code", "version__label", "pk")
    }
    return [("", "Choisir une ligne"), *found.items()]


@admin.register(Subsidy)
class SubsidyAdmin(EurosWhenRead, ConfirmedAction, ScopedAdmin):
    list_display = ["giver", "label", "schedule_name", "school_year_label", "benefits", "standing"]
    amounts = ("pledged", "notified", "received")
    pledged_euros = in_euros("pledged", "montant promis")
    notified_euros = in_euros("notified", "montant notifié")
    received_euros = in_euros("received", "montant reçu")
    list_filter = ["schedule", "school_year"]
    list_select_related = ["schedule", "debtor", "statement__schedule", "deduction"]
    search_fields = ["giver", "label", "debtor__search"]
    autocomplete_fields = ["debtor", "act"]
    actions_detail = ["deduct_it"]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        names = (f"statement__{name}" for name in ("schedule", "school_year", "charge"))
        return rows.annotate(label_of_charge=charge_label(*names))

    @display(description="barème", ordering="schedule")
    def schedule_name(self, subsidy):
        return subsidy.schedule.name

    @display(description="vient en moins de")
    def benefits(self, subsidy):
        if subsidy.debtor:
            return f"Appel de {subsidy.debtor.name}"
        return f"État des dépenses : {subsidy.label_of_charge or subsidy.statement.charge}"

    @display(description="où elle en est")
    def standing(self, subsidy):
        return standing_in_words(subsidy)

    def _is_frozen(self, obj):
        return obj is not None and obj.statement_id is not None and bool(obj.statement.visa_at)

    def has_change_permission(self, request, obj=None):
        return not self._is_frozen(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return not self._is_frozen(obj) and super().has_delete_permission(request, obj)

    def has_deduct_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.add_decideddeduction")

    @action(description="Déduire de l'appel", permissions=["deduct"], icon="remove_circle")
    def deduct_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        subsidy = self.visible_or_404(request, object_id)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actor = request.user.get_username()
            try:
                deduction = deduct(subsidy=subsidy, actor=actor, **form.cleaned_data)
            except DeductionRefused as error:
                messages.error(request, str(error))
                return redirect("admin:invoicing_subsidy_change", object_id)
            messages.success(
                request, f"{euros(deduction.amount)} viendront en moins du prochain calcul."
            )
            return redirect("admin:invoicing_decideddeduction_change", deduction.pk)
        facts = [f"Subvention : {subsidy}.", f"{standing_in_words(subsidy).capitalize()}."]
        return self.confirm(
            request, "Déduire de l'appel", subsidy, form=form, facts=facts, button="Déduire"
        )

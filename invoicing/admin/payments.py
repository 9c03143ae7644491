"""Staff pages of payments: recorded on the page of their titre, cancelled on their own."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import action, display

from entsvc.french import euros, short_date
from entsvc.staff import ConfirmedAction
from invoicing.forms import CancellationForm
from invoicing.models import Payment
from invoicing.payments import PaymentRefused, cancel_payment
from members.access import ScopedReadOnlyAdmin


@admin.register(Payment)
class PaymentAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["titre", "kind", "received_on", "amount_euros", "reference", "recorded_by"]
    list_filter = ["titre__issuer", "kind", "received_on"]
    list_select_related = ["titre"]
    search_fields = ["titre__reference", "titre__debtor_name", "reference"]
    ordering = ["-recorded_at", "pk"]
    fields = [
        "titre", "kind", "received_on", "amount_euros", "reference", "cancels", "source",
        "recorded_by", "recorded_at",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["cancel"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("titre__payload")

    @display(description="montant", ordering="amount")
    def amount_euros(self, payment):
        return euros(payment.amount)

    def has_cancel_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.record_payment")

    @action(description="Annuler cet encaissement", permissions=["cancel"], icon="undo")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        payment = self.visible_or_404(request, object_id)
        form = CancellationForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actor = request.user.get_username()
            try:
                cancel_payment(payment=payment, actor=actor, **form.cleaned_data)
            except PaymentRefused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, "L'encaissement est annulé : les deux lignes sont conservées.")
                return redirect("admin:invoicing_titre_change", payment.titre_id)
        facts = [
            f"{payment.titre} : {euros(payment.amount)}, reçu le {short_date(payment.received_on)}, "
            f"référence {payment.reference}.",
            "L'annulation porte sur tout le montant, à la date d'aujourd'hui.",
        ]
        return self.confirm(
            request, "Annuler un encaissement", payment, form=form, facts=facts, button="Annuler"
        )

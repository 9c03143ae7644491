"""Staff pages of titres and their bordereaux: shown as issued, and never written."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.french import euros, plural
from entsvc.journal import record
from entsvc.staff import ConfirmedAction, ReadOnlyInline
from invoicing.forms import PaymentForm
from invoicing.models import Bordereau, Counter, Payment, Titre, TitreDocument, TitreLine
from invoicing.payments import PaymentRefused, in_words, record_payment, standing
from invoicing.rendering import render_missing, without_document
from members.access import ScopedAdmin, ScopedReadOnlyAdmin


class TitreLineInline(ReadOnlyInline):
    model = TitreLine
    fields = ["charge_label", "uai", "school", "commune", "explanation", "amount"]


class TitreDocumentInline(ReadOnlyInline):
    model = TitreDocument
    fields = ["role", "document"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("document")


class PaymentInline(ReadOnlyInline):
    model = Payment
    fields = ["kind", "received_on", "amount_euros", "reference", "recorded_by"]
    readonly_fields = ["amount_euros"]
    show_change_link = True

    @display(description="montant")
    def amount_euros(self, payment):
        return euros(payment.amount)


class TitreFacts:
    """What lists and pages of titres show alike."""

    @display(description="total", ordering="total")
    def total_euros(self, titre):
        return euros(titre.total)


@admin.register(Titre)
class TitreAdmin(ConfirmedAction, TitreFacts, ScopedAdmin):
    list_display = [
        "reference", "debtor_name", "campaign", "total_euros", "issued_on", "bordereau",
        "external_reference",
    ]  # fmt: skip
    list_filter = ["issuer", "exercice", "kind", "campaign"]
    list_select_related = ["bordereau__issuer", "campaign__schedule"]
    search_fields = ["reference", "debtor_name", "siret", "external_reference", "lines__uai"]
    fields = [
        "reference", "kind", "number", "exercice", "issued_on", "bordereau", "campaign", "debtor",
        "siret", "debtor_name", "subject", "total_euros", "payment_state", "external_reference",
    ]  # fmt: skip
    readonly_fields = [name for name in fields if name != "external_reference"]
    inlines = [TitreLineInline, TitreDocumentInline, PaymentInline]
    actions_detail = ["download_pdf", "add_payment"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        corrections = Titre.objects.defer("payload").order_by("pk")
        titres = super().get_queryset(request).defer("payload")
        return titres.prefetch_related("payments", Prefetch("corrections", corrections))

    @display(description="payé")
    def payment_state(self, titre):
        return in_words(standing(titre))

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_record_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.record_payment")

    @action(description="Saisir un encaissement", permissions=["record"], icon="payments")
    def add_payment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        found = standing(titre)
        form = PaymentForm(request.POST or None, initial={"amount": found.remaining or None})
        if request.method == "POST" and form.is_valid():
            actor = request.user.get_username()
            try:
                payment = record_payment(titre=titre, actor=actor, **form.cleaned_data)
            except PaymentRefused as error:
                form.add_error(None, str(error))
            else:
                told = in_words(standing(self.visible_or_404(request, object_id)))
                messages.success(request, f"Encaissement de {euros(payment.amount)} saisi. {told}")
                return redirect("admin:invoicing_titre_change", object_id)
        facts = [f"{titre.reference}, {titre.debtor_name} : {euros(titre.total)}.", in_words(found)]
        return self.confirm(
            request, "Saisir un encaissement", titre, form=form, facts=facts, button="Saisir"
        )

    def save_model(self, request, obj, form, change):
        if not form.changed_data:
            return
        obj.save(update_fields=form.changed_data)
        record(
            actor=request.user.get_username(),
            action="external-reference",
            target=obj,
            summary=f"{obj.reference} : numéro du comptable « {obj.external_reference} »",
        )

    @action(description="Télécharger le PDF", icon="picture_as_pdf")
    def download_pdf(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        titre = self.visible_or_404(request, object_id)
        link = titre.documents.filter(role=TitreDocument.Role.PDF).first()
        if link is None:
            messages.error(request, "Ce titre n'a pas encore son PDF : produisez-le au bordereau.")
            return redirect("admin:invoicing_titre_change", object_id)
        try:
            return attachment(link.document, f"{titre.reference}.pdf")
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_titre_change", object_id)


class BordereauTitreInline(TitreFacts, ReadOnlyInline):
    model = Titre
    fields = ["reference", "debtor_name", "siret", "total_euros"]
    readonly_fields = fields
    show_change_link = True
    per_page = 50

    def get_queryset(self, request):
        return super().get_queryset(request).defer("payload").order_by("number")


@admin.register(Bordereau)
class BordereauAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["__str__", "issued_on", "count", "total_euros", "signatory", "issued_by"]
    list_filter = ["issuer", "exercice"]
    list_select_related = ["issuer"]
    fields = [
        "issuer", "exercice", "number", "issued_on", "issued_by", "signatory", "count",
        "total_euros", "drawn",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [BordereauTitreInline]
    actions_detail = ["draw_missing"]

    @display(description="total", ordering="total")
    def total_euros(self, bordereau):
        return euros(bordereau.total)

    @display(description="PDF produits")
    def drawn(self, bordereau):
        left = without_document(bordereau.titres.all()).count()
        return f"{bordereau.count - left} sur {bordereau.count}"

    def has_issue_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.issue_titre")

    @action(description="Produire les PDF manquants", permissions=["issue"], icon="print")
    def draw_missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bordereau = self.visible_or_404(request, object_id)
        if request.method != "POST":
            left = without_document(bordereau.titres.all()).count()
            return self.confirm(
                request,
                "Produire les PDF manquants",
                bordereau,
                facts=[f"{plural(left, 'PDF manquant', 'PDF manquants')} sur {bordereau.count}."],
                button="Produire",
            )
        done = sum(1 for _ in render_missing(bordereau.titres.all()))
        messages.success(request, f"{plural(done, 'PDF produit', 'PDF produits')}.")
        return redirect("admin:invoicing_bordereau_change", object_id)


@admin.register(Counter)
class CounterAdmin(ScopedReadOnlyAdmin):
    list_display = ["issuer", "budget", "exercice", "kind", "last_number", "last_date"]
    list_filter = ["issuer", "exercice"]
    list_select_related = ["issuer"]

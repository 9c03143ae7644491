"""Staff pages of the market catalogue, of quotes step by step, and of what the supplier billed."""

from contextlib import suppress

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import DecimalField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from unfold.decorators import action, display

from entsvc import scans
from entsvc.downloads import attachment
from entsvc.fields import EurosField
from entsvc.french import euros, price
from entsvc.once import asked_once, shown_once
from entsvc.staff import WIDGETS, ConfirmedAction, ReadOnlyInline
from invoicing import quotes
from invoicing.admin.while_open import WhileOpen
from invoicing.apart import CampaignRefused, is_billed, obstacles, unserved
from invoicing.models import (
    Catalogue,
    CatalogueItem,
    Quote,
    QuoteEvent,
    QuoteLine,
    ServedLine,
    SupplierInvoice,
    Titre,
)
from invoicing.numbering import IssueRefused
from invoicing.quote_forms import (
    AcceptForm,
    CopyForm,
    InvoiceForm,
    OrderForm,
    ReasonForm,
    SignedStepForm,
)
from invoicing.quotes import QuoteRefused, State, is_quoted
from members.access import ScopedAdmin, ScopedInline, ScopedReadOnlyAdmin

OPEN = {State.SENT, State.EXPIRED}
UNDER_WAY = {State.ORDERED, State.SERVED}
MAY_DROP = {State.SENT, State.EXPIRED, State.ACCEPTED, *UNDER_WAY}


class CatalogueItemInline(WhileOpen, ScopedInline):
    model = CatalogueItem
    fields = ["code", "label", "unit_label", "unit_plural", "unit_price"]
    formfield_overrides = {**WIDGETS, DecimalField: {"form_class": EurosField}}
    per_page = 50

    def is_open(self, obj):
        return not is_quoted(obj)


@admin.register(Catalogue)
class CatalogueAdmin(ScopedAdmin):
    list_display = ["market", "label", "supplier", "schedule", "starts_on", "ends_on"]
    list_filter = ["schedule"]
    list_select_related = ["schedule"]
    search_fields = ["market", "label", "supplier"]
    fields = ["schedule", "market", "supplier", "label", "starts_on", "ends_on"]
    inlines = [CatalogueItemInline]

    def get_readonly_fields(self, request, obj=None):
        """Keep only the end of its validity open once a quote that was sent rests on it."""
        frozen = asked_once(request, ("quoted", obj and obj.pk), lambda: is_quoted(obj))
        return [name for name in self.fields if name != "ends_on"] if frozen else []

    def has_delete_permission(self, request, obj=None):
        frozen = asked_once(request, ("quoted", obj and obj.pk), lambda: is_quoted(obj))
        return not frozen and super().has_delete_permission(request, obj)


@admin.register(CatalogueItem)
class CatalogueItemAdmin(ScopedReadOnlyAdmin):
    """Every price, to look for one; a quote chooses among those that hold today."""

    list_display = ["code", "label", "price_of_unit", "catalogue"]
    list_filter = ["catalogue"]
    list_select_related = ["catalogue"]
    search_fields = ["code", "label"]

    def get_search_results(self, request, queryset, search_term):
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        if request.path.endswith("/autocomplete/"):
            today = timezone.localdate()
            found = found.filter(catalogue__starts_on__lte=today).exclude(catalogue__ends_on__lt=today)
        return found, may_repeat

    def has_delete_permission(self, request, obj=None):
        """Let a version that no quote rests on be deleted with its prices."""
        allowed = request.user.has_perm("invoicing.delete_catalogueitem")
        return allowed and (obj is None or not is_quoted(obj.catalogue))

    def get_actions(self, request):
        """Delete prices in their version."""
        return {n: a for n, a in super().get_actions(request).items() if n != "delete_selected"}

    @display(description="prix unitaire TTC", ordering="unit_price")
    def price_of_unit(self, item):
        return f"{price(item.unit_price)} / {item.unit_label}"


class QuoteLineInline(WhileOpen, ScopedInline):
    model = QuoteLine
    fields = ["item", "quantity", "amount_euros"]
    readonly_fields = ["amount_euros"]
    autocomplete_fields = ["item"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("item")

    @display(description="montant TTC")
    def amount_euros(self, line):
        return euros(line.amount) if line.pk else "—"

    def is_open(self, obj):
        return obj is None or obj.sent_on is None


class QuoteEventInline(ReadOnlyInline):
    model = QuoteEvent
    per_page = None
    fields = ["kind", "on", "reference", "comment", "recorded_by"]


class SupplierInvoiceInline(ReadOnlyInline):
    model = SupplierInvoice
    per_page = None
    fields = ["number", "dated", "served_on", "amount_euros", "mandat", "paid_on"]
    readonly_fields = ["amount_euros"]
    show_change_link = True
    linked = "number"

    @display(description="montant TTC")
    def amount_euros(self, invoice):
        return euros(invoice.amount)


class QuoteSteps:
    """The pages of the steps of a quote: each is offered where it applies."""

    actions_detail = ["send", "accept", "refuse", "order", "add_invoice", "bill", "copy_it", "drop"]

    def _stands(self, request, object_id, states, right="invoicing.change_quote"):
        """Tell whether an account may take a step, of a quote where one is named."""
        if not request.user.has_perm(right):
            return False
        if object_id is None:
            return True
        quote = self.get_object(request, object_id)
        return quote is not None and quotes.state_of(quote) in states

    def has_send_permission(self, request, object_id=None):
        return self._stands(request, object_id, {State.DRAFT})

    def has_answer_permission(self, request, object_id=None):
        return self._stands(request, object_id, OPEN)

    def has_order_permission(self, request, object_id=None):
        return self._stands(request, object_id, {State.ACCEPTED})

    def has_drop_permission(self, request, object_id=None):
        return self._stands(request, object_id, MAY_DROP)

    def has_copy_permission(self, request, object_id=None):
        return self._stands(request, object_id, set(State) - {State.DRAFT})

    def has_invoice_permission(self, request, object_id=None):
        return self._stands(request, object_id, UNDER_WAY, "invoicing.add_supplierinvoice")

    def has_bill_permission(self, request, object_id=None):
        return self._stands(request, object_id, UNDER_WAY, "invoicing.compute_run")

    @action(description="Envoyer", permissions=["send"], icon="send")
    def send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request, object_id, "Envoyer le devis", "Numéroter et produire le PDF", SignedStepForm,
            quotes.send, warnings=["Une fois envoyé, le devis ne change plus : on le copie."],
        )  # fmt: skip

    @action(description="Accepté", permissions=["answer"], icon="thumb_up")
    def accept(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sent = request.FILES.get("scan")
        if sent:
            with suppress(scans.RefusedFile):  # the form says it
                scans.checked_upload(sent)
        return self._step(
            request, object_id, "Le membre accepte", "Enregistrer l'accord", AcceptForm, quotes.accept
        )

    @action(description="Refusé", permissions=["answer"], icon="thumb_down")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request, object_id, "Le membre refuse", "Enregistrer le refus", ReasonForm, quotes.refuse
        )

    @action(description="Commander", permissions=["order"], icon="shopping_cart")
    def order(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request, object_id, "Commander au titulaire", "Produire le bon de commande", OrderForm,
            quotes.order,
        )  # fmt: skip

    @action(description="Abandonner", permissions=["drop"], icon="cancel")
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request, object_id, "Abandonner le devis", "Abandonner", ReasonForm, quotes.drop
        )

    @action(description="Copier", permissions=["copy"], icon="content_copy")
    def copy_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        quote = self.visible_or_404(request, object_id)
        form = CopyForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            new, lost = quotes.copy(quote=quote, actor=request.user.get_username(), **form.cleaned_data)
            for message in lost:
                messages.warning(request, message)
            return redirect("admin:invoicing_quote_change", new.pk)
        facts = [f"Un nouveau devis, aux prix qui valent aujourd'hui, à partir du {quote.number}."]
        return self.confirm(request, "Copier le devis", quote, form=form, facts=facts, button="Copier")

    @action(description="Facture du titulaire", permissions=["invoice"], icon="receipt")
    def add_invoice(self, request: HttpRequest, object_id: str) -> HttpResponse:
        quote = self.visible_or_404(request, object_id)
        form = InvoiceForm(request.POST or None, quote=quote)
        if request.method == "POST" and form.is_valid():
            try:
                invoice = quotes.record_invoice(
                    quote=quote,
                    invoice=form.save(commit=False),
                    served=form.served(),
                    actor=request.user.get_username(),
                )
            except QuoteRefused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"Facture {invoice} : {euros(invoice.amount)}.")
                return redirect("admin:invoicing_quote_change", quote.pk)
        facts = [f"{quote}, {quote.debtor} : {euros(quotes.total_of(quote))}.", "Le service est fait."]
        return self.confirm(
            request, "Facture du titulaire", quote, form=form, facts=facts, button="Enregistrer"
        )

    @action(description="Facturer au membre", permissions=["bill"], icon="request_quote")
    def bill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        quote = self.visible_or_404(request, object_id)
        wrong = [*obstacles(quote), *unserved(quote)]
        if request.method == "POST":
            try:
                run = quotes.bill(quote=quote, actor=request.user.get_username())
            except CampaignRefused as error:
                messages.error(request, str(error))
                return redirect("admin:invoicing_quote_change", quote.pk)
            messages.success(request, f"{run} : {euros(run.total)}. Relisez-le, puis émettez le titre.")
            return redirect("admin:invoicing_run_change", run.pk)
        facts = [
            f"{quote}, {quote.debtor} : {euros(quotes.total_of(quote))}.",
            "Les quantités servies sont calculées aux prix du catalogue, dans une campagne à part.",
        ]
        return self.confirm(
            request, "Facturer le devis", quote, facts=facts, warnings=wrong, button="Calculer"
        )

    def get_urls(self):
        own = [
            path(
                "<path:object_id>/pdf/<str:kind>/",
                self.admin_site.admin_view(self.document),
                name="invoicing_quote_document",
            )
        ]
        return own + super().get_urls()

    def document(self, request: HttpRequest, object_id: str, kind: str) -> HttpResponse:
        """Give back a stored document of a quote: the quote, the agreement signed, the order."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        quote = self.visible_or_404(request, object_id)
        for code, _, document in quotes.documents_of(quote):
            if code == kind:
                return attachment(request, document, f"{code}-{quote.number}.pdf")
        raise Http404

    def _step(self, request, object_id, title, button, form_class, step, *, warnings=()):
        quote = self.visible_or_404(request, object_id)
        form = form_class(request.POST or None, request.FILES or None, quote=quote)
        if request.method == "POST" and form.is_valid():
            try:
                step(quote=quote, actor=request.user.get_username(), **form.cleaned_data)
            except (QuoteRefused, IssueRefused) as error:
                for message in error.messages:
                    form.add_error(None, message)
            else:
                quote = self.get_queryset(request).get(pk=quote.pk)
                messages.success(request, f"{quote} : {quotes.state_of(quote).label.lower()}.")
                return redirect("admin:invoicing_quote_change", quote.pk)
        facts = [
            f"{quote}, {quote.debtor} : {euros(quotes.total_of(quote))}.",
            f"Valable jusqu'au {quote.valid_until:%d/%m/%Y}, {quotes.state_of(quote).label.lower()}.",
        ]
        return self.confirm(
            request, title, quote, form=form, facts=facts, warnings=list(warnings), button=button
        )


@admin.register(Quote)
class QuoteAdmin(QuoteSteps, ConfirmedAction, ScopedAdmin):
    list_display = ["named", "debtor", "subject", "sent_on", "valid_until", "total_euros", "state"]
    list_filter = ["schedule"]
    list_select_related = ["schedule", "debtor", "campaign"]
    search_fields = ["number", "subject", "debtor__search"]
    autocomplete_fields = ["debtor"]
    fields = [
        "schedule", "debtor", "subject", "valid_until", "total_euros", "state", "sent_on", "sent_by",
        "to_do", "papers", "titres",
    ]  # fmt: skip
    readonly_fields = ["total_euros", "state", "sent_on", "sent_by", "to_do", "papers", "titres"]
    inlines = [QuoteLineInline, QuoteEventInline, SupplierInvoiceInline]

    def get_queryset(self, request):
        rows = (
            super()
            .get_queryset(request)
            .select_related("schedule__issuer", "debtor", "campaign", "document")
        )
        return rows.prefetch_related("events", "supplier_invoices", "lines__item")

    def get_fields(self, request, obj=None):
        return self.fields if obj else ["schedule", "debtor", "subject", "valid_until"]

    def get_inlines(self, request, obj):
        return self.inlines if obj and obj.sent_on else [QuoteLineInline]

    def has_change_permission(self, request, obj=None):
        open_ = obj is None or obj.sent_on is None
        return open_ and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        open_ = obj is None or obj.sent_on is None
        return open_ and super().has_delete_permission(request, obj)

    def get_actions(self, request):
        """Delete one draft at a time."""
        return {n: a for n, a in super().get_actions(request).items() if n != "delete_selected"}

    @display(description="devis", ordering="number")
    def named(self, quote):
        return quote.number or "en préparation"

    @display(description="total TTC")
    def total_euros(self, quote):
        return euros(sum(line.amount for line in quote.lines.all())) if quote.pk else "—"

    @display(description="état")
    def state(self, quote):
        return quotes.state_of(quote).label

    @display(description="documents")
    @shown_once
    def papers(self, quote):
        links = [
            (reverse("admin:invoicing_quote_document", args=[quote.pk, code]), label)
            for code, label, _ in quotes.documents_of(quote)
        ]
        return format_html_join(" · ", '<a class="underline" href="{}">{}</a>', links) or "—"

    @display(description="titres")
    @shown_once
    def titres(self, quote):
        campaign = getattr(quote, "campaign", None)
        rows = Titre.objects.filter(campaign=campaign, campaign__isnull=False).order_by(
            "issued_on", "pk"
        )
        links = [
            (reverse("admin:invoicing_titre_change", args=[pk]), reference)
            for pk, reference in rows.order_by("issued_on", "pk").values_list("pk", "reference")
        ]
        return format_html_join(", ", '<a class="underline" href="{}">{}</a>', links) or "—"

    @display(description="reste à faire")
    @shown_once
    def to_do(self, quote):
        if quote.sent_on is None:
            return " ".join(quotes.findings(quote, timezone.localdate())) or "Rien : prêt à envoyer."
        if quotes.state_of(quote) in (State.BILLED, State.REFUSED, State.DROPPED):
            return "—"
        return " ".join(obstacles(quote)) or "Rien : prêt à facturer."


class ServedLineInline(ScopedInline):
    model = ServedLine
    fields = ["line", "quantity"]
    readonly_fields = ["line"]

    def has_add_permission(self, request, obj=None):
        return False


@admin.register(SupplierInvoice)
class SupplierInvoiceAdmin(ScopedAdmin):
    """What the supplier billed, to complete with its mandat: added from the page of its quote."""

    list_display = ["number", "quote", "dated", "amount_euros", "mandat", "paid_on"]
    list_filter = ["quote__schedule"]
    list_select_related = ["quote"]
    search_fields = ["number", "mandat", "quote__number"]
    fields = [
        "quote", "number", "dated", "served_on", "proof", "amount", "expected_euros", "gap_reason",
        "mandat", "paid_on",
    ]  # fmt: skip
    readonly_fields = ["quote", "expected_euros"]
    inlines = [ServedLineInline]

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return not self._is_billed(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return not self._is_billed(obj) and super().has_delete_permission(request, obj)

    def _is_billed(self, invoice):
        if invoice is None or not hasattr(invoice.quote, "campaign"):
            return False
        return is_billed(invoice.quote.campaign)

    @display(description="montant TTC", ordering="amount")
    def amount_euros(self, invoice):
        return euros(invoice.amount)

    @display(description="quantités servies au prix du catalogue")
    def expected_euros(self, invoice):
        return euros(invoice.expected)

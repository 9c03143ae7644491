"""Staff pages of the receipts that no reference ties to a titre: attributed or set aside, once."""

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import action, display

from entsvc.french import euros, short_date
from entsvc.staff import ConfirmedAction
from invoicing.collection_forms import AttributionForm, DismissalForm
from invoicing.models import PendingReceipt, Titre
from invoicing.payments import PaymentRefused, in_words, standing
from invoicing.receipts import ReceiptRefused, State, attribute, dismiss
from members.access import ScopedReadOnlyAdmin


class StateFilter(admin.SimpleListFilter):
    """Those still to attribute, unless others are asked for."""

    title = "décision"
    parameter_name = "decision"
    ALL = "toutes"

    def lookups(self, request, model_admin):
        return [*State.choices, (self.ALL, "Tous")]

    def value(self):
        return super().value() or State.WAITING

    def queryset(self, request, queryset):
        value = self.value()
        if value not in (self.ALL, *State.values):
            raise IncorrectLookupParameters
        return queryset if value == self.ALL else queryset.filter(state=value)

    def choices(self, changelist):
        for value, words in self.lookup_choices:
            yield {
                "selected": self.value() == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": words,
            }


@admin.register(PendingReceipt)
class PendingReceiptAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = [
        "reference", "received_on", "amount_euros", "payer", "wording", "suggested_titre", "state",
    ]  # fmt: skip
    list_filter = ["issuer", StateFilter, "received_on"]
    list_select_related = ["suggested"]
    search_fields = ["reference", "wording", "payer", "siret"]
    fields = [
        "issuer", "received_on", "amount_euros", "reference", "wording", "payer", "siret",
        "suggested_titre", "state", "payment", "reason", "decided_by", "decided_at", "source",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["attribute_it", "dismiss_it"]

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("suggested", "source")
        return rows.defer("suggested__payload", "source__report")

    def get_actions_detail(self, request, object_id):
        """Offer to decide what is still to be decided."""
        pending = self.get_object(request, object_id)
        waits = pending is not None and pending.state == State.WAITING
        return super().get_actions_detail(request, object_id) if waits else []

    @display(description="montant", ordering="amount")
    def amount_euros(self, pending):
        return euros(pending.amount)

    @display(description="titre proposé")
    def suggested_titre(self, pending):
        return str(pending.suggested) if pending.suggested else "aucun"

    def has_decide_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.record_payment")

    @action(description="Attribuer", permissions=["decide"], icon="add_link")
    def attribute_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        pending = self.visible_or_404(request, object_id)
        form = AttributionForm(request.POST or None, pending=pending)
        if request.method == "POST" and form.is_valid():
            actor, titre = request.user.get_username(), form.cleaned_data["titre"]
            try:
                attribute(pending=pending, titre=titre, actor=actor)
            except (ReceiptRefused, PaymentRefused) as error:
                form.add_error(None, str(error))
            else:
                told = in_words(standing(Titre.objects.defer("payload").get(pk=titre.pk)))
                messages.success(request, f"Encaissement attribué à {titre.reference}. {told}")
                return redirect("admin:invoicing_pendingreceipt_changelist")
        return self.confirm(
            request,
            "Attribuer un encaissement",
            pending,
            form=form,
            facts=[*_facts(pending), *_suggestion(pending)],
            button="Attribuer",
        )

    @action(description="Écarter", permissions=["decide"], icon="block")
    def dismiss_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        pending = self.visible_or_404(request, object_id)
        form = DismissalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actor = request.user.get_username()
            try:
                dismiss(pending=pending, actor=actor, **form.cleaned_data)
            except ReceiptRefused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, "L'encaissement est écarté : il ne sera plus proposé.")
                return redirect("admin:invoicing_pendingreceipt_changelist")
        return self.confirm(
            request,
            "Écarter un encaissement",
            pending,
            form=form,
            facts=[*_facts(pending), "Aucun titre ne sera payé par lui."],
            warnings=["Un encaissement écarté le reste : il se saisit alors sur la page du titre."],
            button="Écarter",
        )


def _facts(pending: PendingReceipt) -> list[str]:
    facts = [
        f"{euros(pending.amount)}, reçu le {short_date(pending.received_on)}, référence "
        f"{pending.reference}."
    ]
    if pending.wording:
        facts.append(f"Libellé : {pending.wording}.")
    payer = ", ".join(filter(None, [pending.payer, pending.siret and f"SIRET {pending.siret}"]))
    if payer:
        facts.append(f"Payeur : {payer}.")
    return facts


def _suggestion(pending: PendingReceipt) -> list[str]:
    titre = pending.suggested
    if titre is None:
        return ["Aucun titre n'est proposé : donnez sa référence."]
    return [f"Titre proposé, à vérifier : {titre}. {in_words(standing(titre))}"]

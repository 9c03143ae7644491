"""Staff pages of what is delivered under agreements: recorded with its proof, billed apart at need."""

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action, display

from conventions.models import Delivery
from entsvc.admin.documents import WithDocument
from entsvc.downloads import attachment
from entsvc.french import euros
from entsvc.staff import ConfirmedAction
from invoicing import apart, deliveries, long_collection
from invoicing.apart import CampaignRefused, is_billed
from invoicing.models import BilledDelivery
from invoicing.quote_forms import BillDeliveriesForm, DeliveryForm
from members.access import ScopedAdmin, visible
from tariffs.adoption import NotAdopted
from tariffs.models import Schedule


@admin.register(Delivery)
class DeliveryAdmin(WithDocument, ConfirmedAction, ScopedAdmin):
    form = DeliveryForm
    list_display = ["delivered_on", "convention", "code", "quantity", "subject", "billing"]
    list_filter = ["convention__schedule", "code", "apart"]
    list_select_related = ["convention__party"]
    search_fields = ["subject", "convention__search", "convention__debtor__search"]
    autocomplete_fields = ["convention"]
    date_hierarchy = "delivered_on"
    actions_list = ["bill_apart"]
    actions_detail = ["sheet"]

    def get_fields(self, request, obj=None):
        own = ["convention", "code", "delivered_on", "quantity", "subject", "proof", "apart"]
        fixed = obj is not None and not self.has_change_permission(request, obj)
        return [*own, "billing" if fixed else "file"]

    def get_readonly_fields(self, request, obj=None):
        return ["billing"]

    def get_queryset(self, request):
        tied = Exists(BilledDelivery.objects.filter(delivery=OuterRef("pk")).order_by())
        rows = super().get_queryset(request).annotate(is_tied=tied)
        return rows.select_related("convention__debtor", "convention__party", "convention__schedule")

    def has_change_permission(self, request, obj=None):
        return not self._is_billed(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """Refuse while a campaign apart bills it: unticked and saved, it is of no campaign any more."""
        tied = obj is not None and bool(apart.campaigns_of([obj]))
        return not tied and super().has_delete_permission(request, obj)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, **kwargs)
        form.schedules = visible(Schedule.objects.order_by("code"), request.user)
        return form

    def get_actions(self, request):
        """Delete one at a time: each is a proof."""
        return {n: a for n, a in super().get_actions(request).items() if n != "delete_selected"}

    def _is_billed(self, delivery):
        campaign = apart.campaigns_of([delivery]).get(delivery.pk) if delivery else None
        return campaign is not None and is_billed(campaign)

    def save_model(self, request, obj, form, change):
        self.keep_document(obj, form)
        named = self._named_by(Delivery.objects.get(pk=obj.pk)) if change else ""
        super().save_model(request, obj, form, change)
        if not obj.apart:
            deliveries.release(obj)
        if named and form.changed_data:
            messages.warning(request, named)

    def delete_model(self, request, obj):
        named = self._named_by(obj)
        super().delete_model(request, obj)
        if named:
            messages.warning(request, named)

    def _named_by(self, delivery):
        """Say what to do of a delivery that a titre of the yearly call prints, if one does."""
        twice = apart.named_by_a_yearly_titre(Delivery.objects.filter(pk=delivery.pk))
        return "".join(
            f"Le titre {reference} facture {what} telle qu'elle était : réduisez-le, ou appelez la "
            "différence par une campagne complémentaire."
            for what, reference in twice.items()
        )

    @display(description="facturation")
    def billing(self, delivery):
        if not delivery.apart:
            return "appel annuel"
        return "campagne à part" if delivery.is_tied else "à facturer à part"

    @action(description="Pièce (PDF)", permissions=["view"], icon="picture_as_pdf")
    def sheet(self, request: HttpRequest, object_id: str) -> HttpResponse:
        delivery = self.visible_or_404(request, object_id)
        if delivery.document is None:
            messages.info(request, "Aucune pièce n'est déposée pour cette prestation.")
            return redirect("admin:conventions_delivery_change", delivery.pk)
        return attachment(request, delivery.document, f"prestation-{delivery.delivered_on:%Y-%m-%d}.pdf")

    def has_compute_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.compute_run")

    @action(description="Facturer à part", permissions=["compute"], icon="request_quote")
    def bill_apart(self, request: HttpRequest) -> HttpResponse:
        waiting = self.get_queryset(request).filter(is_tied=False, apart=True)
        form = BillDeliveriesForm(request.POST or None, waiting=waiting.order_by("delivered_on", "pk"))
        if request.method == "POST" and form.is_valid():
            rows, actor = list(form.cleaned_data["deliveries"]), request.user.get_username()
            if long_collection.is_long_to_bill(rows):
                return redirect("work", long_collection.bill_later(rows=rows, actor=actor).pk)
            try:
                runs = deliveries.bill(deliveries=rows, actor=actor)
            except (CampaignRefused, NotAdopted) as error:
                form.add_error(None, str(error))
            else:
                for run in runs:
                    messages.success(request, f"{run} : {euros(run.total)}. Relisez-le, puis émettez.")
                if len(runs) > 1:
                    return redirect("admin:invoicing_run_changelist")
                return redirect("admin:invoicing_run_change", runs[0].pk)
        context = {
            **self.admin_site.each_context(request),
            "title": "Facturer des prestations à part",
            "opts": self.model._meta,
            "back": reverse("admin:conventions_delivery_changelist"),
            "form": form,
            "facts": [
                "Les prestations choisies sont calculées dans une campagne à part, sans attendre l'appel"
                " annuel, qui ne les comptera pas.",
                "Seules sont proposées celles marquées « facturée à part » et pas encore facturées.",
            ],
            "warnings": [],
            "button": "Calculer",
        }
        return TemplateResponse(request, "admin/entsvc/confirm.html", context)

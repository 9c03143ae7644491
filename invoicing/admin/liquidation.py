"""The état liquidatif on the page of a campaign: read first, then made; and those made before."""

from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import action, display

from entsvc.staff import ReadOnlyInline
from invoicing.importers.accountant_numbers import IMPORTER as NUMBERS
from invoicing.liquidation import later, pages
from invoicing.liquidation.forms import EtatForm
from invoicing.liquidation.sending import EtatRefused, answered, prepare, produce
from invoicing.models import Campaign, Channel, Sending


class EtatInline(ReadOnlyInline):
    model = Sending
    fields = ["file_name", "rank", "made_at", "made_by", "answered"]
    readonly_fields = fields
    linked = "file_name"
    verbose_name_plural = "états liquidatifs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return answered(super().get_queryset(request)).defer("attachments").order_by("-rank")

    @display(description="réponse")
    def answered(self, sending):
        return pages.answer_of(sending)


class SendingEtat:
    """What the page of a sending shows and offers of an état."""

    facts = ("workbook_sha256", "asked")

    def has_workbook_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request) and self._is_etat(request, object_id)

    def has_numbers_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        may = {"entsvc.add_upload", *NUMBERS.permissions}
        return request.user.has_perms(may) and self._is_etat(request, object_id)

    def _is_etat(self, request: HttpRequest, object_id: str | None) -> bool:
        return self.channel_of(request, object_id) == Channel.Kind.STATE

    @display(description="empreinte SHA-256 du classeur")
    def workbook_sha256(self, sending):
        return sending.workbook.sha256

    @display(description="pièces demandées")
    def asked(self, sending):
        return len(sending.attachments)

    @action(description="Classeur", permissions=["workbook"], icon="table")
    def download_workbook(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sending = self.visible_or_404(request, object_id)
        return self.given(request, sending, sending.workbook, sending.workbook_name)

    @action(description="Relire les numéros", permissions=["numbers"], icon="upload_file")
    def read_numbers(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.visible_or_404(request, object_id)
        return redirect("admin:entsvc_importrecord_try", NUMBERS.name)


class CampaignEtat:
    """What the page of a campaign gains for an issuer of the State's chain."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        of_issuer = Channel.objects.filter(issuer=OuterRef("schedule__issuer"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                of_the_state=Exists(of_issuer.filter(kind=Channel.Kind.STATE)),
                has_etats=Exists(Sending.objects.filter(campaign=OuterRef("pk"))),
            )
        )

    def get_inlines(self, request: HttpRequest, obj: Campaign | None) -> list[type[ReadOnlyInline]]:
        return [EtatInline] if obj and obj.has_etats else []

    def has_etat_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not request.user.has_perm("invoicing.issue_titre"):
            return False
        campaign = self.get_object(request, object_id) if object_id is not None else None
        return campaign is None or campaign.of_the_state

    @action(description="État liquidatif", permissions=["etat"], icon="request_quote")
    def produce_etat(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.visible_or_404(request, object_id)
        form = EtatForm(request.POST or None)
        try:
            if request.method == "POST" and form.is_valid():
                return self._produced(request, campaign, form.cleaned_data["rank"])
            prepared = prepare(campaign)
        except EtatRefused as error:
            messages.warning(request, " ".join([str(error), *error.findings]))
            return redirect("admin:invoicing_campaign_change", campaign.pk)
        form = EtatForm(initial={"rank": prepared.etat.rank})
        told = pages.told(prepared)
        return self.confirm(request, "Produire l'état liquidatif", campaign, form=form, **told)

    def _produced(self, request: HttpRequest, campaign: Campaign, rank: int) -> HttpResponse:
        actor = request.user.get_username()
        if later.is_long(campaign):
            work = later.produce_later(campaign=campaign, rank=rank, actor=actor)
            return redirect("work", work.pk)
        sending = produce(campaign=campaign, rank=rank, actor=actor)
        messages.success(request, f"{sending.file_name} produit, avec son classeur.")
        return redirect("admin:invoicing_sending_change", sending.pk)

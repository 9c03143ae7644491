"""Staff pages of the channels, and of the files made for the accountant."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.models import StoredDocument
from entsvc.staff import LINK, ConfirmedAction, ReadOnlyInline
from invoicing.answers import AnswerRefused
from invoicing.importers.accountant_numbers import IMPORTER as NUMBERS
from invoicing.liquidation.pages import answer_of
from invoicing.liquidation.sending import answered
from invoicing.models import Channel, Sending
from invoicing.pes import pages
from invoicing.pes.answering import AnswerUnplaced, plan, record
from invoicing.pes.forms import AcknowledgementForm
from members.access import ScopedAdmin, ScopedReadOnlyAdmin, visible
from members.models import Issuer

LAW = (
    "Un organisme local tenu dans Hélios n'a qu'une voie vers Chorus Pro : le fichier PES de ses "
    "bordereaux, que sa trésorerie prend en charge. docs/canaux.md dit à qui demander chaque valeur."
)


@admin.register(Channel)
class ChannelAdmin(ScopedAdmin):
    list_display = [
        "issuer", "kind", "body_code", "bank_reference", "payment_code", "invoice_frame",
    ]  # fmt: skip
    list_filter = ["kind"]
    list_select_related = ["issuer"]
    fieldsets = [
        (None, {"fields": ["issuer", "kind", "invoice_frame"], "description": LAW}),
        ("Hélios", {"fields": ["body_code", "bank_reference", "payment_code"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> list[str]:
        return ["issuer"] if obj else []


class SendingInline(ReadOnlyInline):
    model = Sending
    fields = ["file_name", "made_at", "made_by", "weight", "answer"]
    readonly_fields = fields
    linked = "file_name"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("document")
        return rows.defer("attachments", "answer_words")

    @display(description="taille")
    def weight(self, sending):
        return filesizeformat(sending.document.size)


class OfIssuer(admin.SimpleListFilter):
    """The issuer of a sending, by its bordereau or by its campaign."""

    title = "émetteur"
    parameter_name = "emetteur"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[int, str]]:
        issuers = visible(Issuer.objects.order_by("name"), request.user)
        return [(issuer.pk, issuer.name) for issuer in issuers]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not (self.value() or "").isdecimal():
            return queryset
        wanted = int(self.value())
        by_campaign = Q(campaign__schedule__issuer=wanted)
        return queryset.filter(Q(bordereau__issuer=wanted) | by_campaign)


@admin.register(Sending)
class SendingAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["file_name", "about", "made_at", "made_by", "answered"]
    list_filter = [OfIssuer, "channel", "answer"]
    list_select_related = ["bordereau__issuer", "campaign__schedule"]
    search_fields = ["file_name"]
    fields = [
        "file_name", "about", ("rank", "channel"), ("made_at", "made_by"), ("weight", "schema"),
        "sha256", "attached", ("answered", "answered_at"), "answer_words",
    ]  # fmt: skip
    of_etat = [
        "file_name", "about", ("rank", "channel"), ("made_at", "made_by"), "weight", "sha256",
        "workbook_sha256", "asked", "answered",
    ]  # fmt: skip
    readonly_fields = [
        "about", "weight", "sha256", "workbook_sha256", "attached", "asked", "answered"
    ]  # fmt: skip
    actions_detail = ["download", "download_workbook", "read_answer", "read_numbers"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        return answered(rows).select_related(
            "document", "workbook", "bordereau__issuer", "campaign__schedule"
        )

    def get_fields(self, request: HttpRequest, obj: Sending | None = None) -> list[Any]:
        return self.of_etat if obj and obj.campaign_id else self.fields

    def has_acquittal_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("invoicing.issue_titre") and not self._is_etat(request, object_id)

    def has_workbook_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request) and self._is_etat(request, object_id)

    def has_numbers_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        may = {"entsvc.add_upload", *NUMBERS.permissions}
        return request.user.has_perms(may) and self._is_etat(request, object_id)

    def _is_etat(self, request: HttpRequest, object_id: str | None) -> bool:
        sending = self.get_object(request, object_id) if object_id is not None else None
        return bool(sending and sending.campaign_id)

    @display(description="de")
    def about(self, sending):
        row = sending.bordereau or sending.campaign
        name = row._meta.model_name
        return format_html(LINK, reverse(f"admin:invoicing_{name}_change", args=[row.pk]), row)

    @display(description="réponse")
    def answered(self, sending):
        return answer_of(sending)

    @display(description="taille")
    def weight(self, sending):
        return filesizeformat(sending.document.size)

    @display(description="empreinte SHA-256")
    def sha256(self, sending):
        return sending.document.sha256

    @display(description="empreinte SHA-256 du classeur")
    def workbook_sha256(self, sending):
        return sending.workbook.sha256

    @display(description="pièces jointes")
    def attached(self, sending):
        return len(sending.attachments)

    @display(description="pièces demandées")
    def asked(self, sending):
        return len(sending.attachments)

    @action(description="Télécharger", icon="download")
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        sending = self.visible_or_404(request, object_id)
        return self._given(request, sending, sending.document, sending.file_name)

    @action(description="Classeur", permissions=["workbook"], icon="table")
    def download_workbook(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sending = self.visible_or_404(request, object_id)
        return self._given(request, sending, sending.workbook, sending.workbook_name)

    def _given(
        self, request: HttpRequest, sending: Sending, document: StoredDocument, name: str
    ) -> HttpResponse:
        try:
            return attachment(request, document, name)
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_sending_change", sending.pk)

    @action(description="Relire les numéros", permissions=["numbers"], icon="upload_file")
    def read_numbers(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.visible_or_404(request, object_id)
        return redirect("admin:entsvc_importrecord_try", NUMBERS.name)

    @action(description="Lire l'acquittement", permissions=["acquittal"], icon="mark_email_read")
    def read_answer(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sending = self.visible_or_404(request, object_id)
        form = AcknowledgementForm(request.POST or None, request.FILES or None)
        facts = [f"Réponse d'Hélios au fichier {sending.file_name}, {sending.bordereau}."]
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            try:
                planned = plan(sending, given["file"], taken=given["taken"])
                if not given["trial"]:
                    record(planned, on=given["on"], actor=request.user.get_username())
                    messages.success(request, pages.recorded(planned))
                    return redirect("admin:invoicing_sending_change", sending.pk)
                facts = pages.planned(planned)
            except (AnswerUnplaced, AnswerRefused) as error:
                form.add_error(None, str(error))
        return self.confirm(
            request, "Lire un acquittement", sending, form=form, facts=facts, button="Lire le fichier"
        )

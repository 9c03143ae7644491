"""Staff pages of the channels, and of the files made for the accountant."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.staff import ConfirmedAction, ReadOnlyInline
from invoicing.answers import AnswerRefused
from invoicing.models import Channel, Sending
from invoicing.pes import pages
from invoicing.pes.answering import AnswerUnplaced, plan, record
from invoicing.pes.forms import AcknowledgementForm
from members.access import ScopedAdmin, ScopedReadOnlyAdmin

LAW = (
    "Un organisme local tenu dans Hélios n'a qu'une voie vers Chorus Pro : le fichier PES de ses "
    "bordereaux, que sa trésorerie prend en charge. docs/canaux.md dit à qui demander chaque valeur."
)


@admin.register(Channel)
class ChannelAdmin(ScopedAdmin):
    list_display = ["issuer", "kind", "body_code", "bank_reference", "payment_code"]
    list_filter = ["kind"]
    list_select_related = ["issuer"]
    fieldsets = [
        (None, {"fields": ["issuer", "kind"], "description": LAW}),
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


@admin.register(Sending)
class SendingAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["file_name", "bordereau", "made_at", "made_by", "answer"]
    list_filter = ["bordereau__issuer", "answer"]
    list_select_related = ["bordereau__issuer"]
    search_fields = ["file_name"]
    fields = [
        "file_name", "bordereau", ("rank", "channel"), ("made_at", "made_by"), ("weight", "schema"),
        "sha256", "attached", ("answer", "answered_at"), "answer_words",
    ]  # fmt: skip
    readonly_fields = ["weight", "sha256", "attached"]
    actions_detail = ["download", "read_answer"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("document")

    def has_issue_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("invoicing.issue_titre")

    @display(description="taille")
    def weight(self, sending):
        return filesizeformat(sending.document.size)

    @display(description="empreinte SHA-256")
    def sha256(self, sending):
        return sending.document.sha256

    @display(description="pièces jointes")
    def attached(self, sending):
        return len(sending.attachments)

    @action(description="Télécharger", icon="download")
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        sending = self.visible_or_404(request, object_id)
        try:
            return attachment(request, sending.document, sending.file_name)
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_sending_change", object_id)

    @action(description="Lire l'acquittement", permissions=["issue"], icon="mark_email_read")
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

"""Staff pages of the journal of sendings: what each channel was given, and what came back."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.models import StoredDocument
from entsvc.once import asked_once
from entsvc.staff import LINK, ConfirmedAction, ReadOnlyInline
from invoicing.admin.chorus import OfIssuer, SendingChorus
from invoicing.admin.liquidation import SendingEtat
from invoicing.answers import AnswerRefused
from invoicing.liquidation.pages import answer_of
from invoicing.liquidation.sending import answered
from invoicing.models import Channel, Sending
from invoicing.pes import pages
from invoicing.pes.answering import AnswerUnplaced, plan, record
from invoicing.pes.forms import AcknowledgementForm, RetourForm
from invoicing.pes.retour_answers import plan_retour, record_retour
from members.access import ScopedReadOnlyAdmin, visible
from members.models import Issuer

RETOUR = (
    "Ce que le comptable dit de chaque titre : pris en charge, rejeté et pourquoi, en instance. "
    "Les encaissements que ce fichier porte ne sont pas repris d'ici : ils viennent de leur relevé."
)
HELIOS, STATE, CHORUS = Channel.Kind.HELIOS, Channel.Kind.STATE, Channel.Kind.CHORUS_PRO


class SendingInline(ReadOnlyInline):
    model = Sending
    fields = ["file_name", "made_at", "made_by", "weight", "answered"]
    readonly_fields = fields
    linked = "file_name"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("document", "deposit")
        return rows.defer("attachments", "answer_words")

    @display(description="taille")
    def weight(self, sending):
        return filesizeformat(sending.document.size)

    @display(description="réponse")
    def answered(self, sending):
        return _answer(sending)


class SendingOfIssuer(OfIssuer):
    """The issuer of a sending, by its bordereau or by its campaign."""

    paths = ("bordereau__issuer", "campaign__schedule__issuer")


class SendingPes:
    """What the page of a file made for Hélios offers."""

    def has_acknowledge_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        may = request.user.has_perm("invoicing.issue_titre")
        return may and self.channel_of(request, object_id) in (HELIOS, None)

    @action(description="Lire l'acquittement", permissions=["acknowledge"], icon="mark_email_read")
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


class RetourPage:
    """What the list of sendings offers to whoever receives the answers of Hélios."""

    actions_list = ["read_retour"]

    def has_retour_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("invoicing.issue_titre") and self._under_helios(request).exists()

    def _under_helios(self, request: HttpRequest) -> QuerySet[Issuer]:
        known = Channel.objects.filter(kind=HELIOS).order_by().values("issuer")
        return visible(Issuer.objects.filter(pk__in=known), request.user)

    @action(description="Lire un PES retour", permissions=["retour"], icon="mark_email_read")
    def read_retour(self, request: HttpRequest) -> HttpResponse:
        form = RetourForm(request.POST or None, request.FILES or None)
        facts = [RETOUR]
        if request.method == "POST" and form.is_valid():
            told, sha256 = form.cleaned_data["file"]
            trial = form.cleaned_data["trial"]
            try:
                planned = plan_retour(told, self._under_helios(request))
                if not trial:
                    record_retour(planned, sha256=sha256, actor=request.user.get_username())
                facts = pages.planned_retour(planned, trial=trial)
            except (AnswerUnplaced, AnswerRefused) as error:
                form.add_error(None, str(error))
            else:
                form = RetourForm() if trial else None
        context = {
            **self.admin_site.each_context(request),
            "title": "Lire un PES retour",
            "opts": self.model._meta,
            "back": reverse("admin:invoicing_sending_changelist"),
            "form": form,
            "facts": facts,
            "warnings": [],
            "button": "Lire le fichier" if form else "",
        }
        return TemplateResponse(request, "admin/entsvc/confirm.html", context)


@admin.register(Sending)
class SendingAdmin(
    RetourPage, SendingPes, SendingEtat, SendingChorus, ConfirmedAction, ScopedReadOnlyAdmin
):
    list_display = ["file_name", "about", "channel", "made_at", "made_by", "answered"]
    list_filter = [SendingOfIssuer, "channel", "answer"]
    list_select_related = ["bordereau__issuer", "campaign__schedule", "deposit"]
    search_fields = ["file_name"]
    made = ["file_name", "about", ("rank", "channel"), ("made_at", "made_by")]
    shown = {
        HELIOS: [
            *made, ("weight", "schema"), "sha256", "attached", ("answered", "answered_at"),
            "answer_words",
        ],
        STATE: [*made, "weight", "sha256", "workbook_sha256", "asked", "answered"],
        CHORUS: [
            *made, "weight", "sha256", "answered", ("asked_at", "asked_by"), ("flow", "read_at"),
            "told", "report",
        ],
    }  # fmt: skip
    readonly_fields = [
        "about", "answered", "weight", "sha256", "attached", *SendingEtat.facts, *SendingChorus.facts
    ]  # fmt: skip
    actions_detail = [
        "download", "download_workbook", "read_answer", "read_numbers", "give_up", "settle",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = answered(super().get_queryset(request))
        return rows.select_related(
            "document", "workbook", "bordereau__issuer", "campaign__schedule", "deposit"
        )

    def get_fields(self, request: HttpRequest, obj: Sending | None = None) -> list[Any]:
        return self.shown[obj.channel] if obj else self.made

    def channel_of(self, request: HttpRequest, object_id: str | None) -> str | None:
        """Return the channel of a sending; None when none is asked, or it is not there."""
        if object_id is None:
            return None
        sending = asked_once(
            request, ("sending", object_id), lambda: self.get_object(request, object_id)
        )
        return sending.channel if sending else None

    @display(description="de")
    def about(self, sending):
        row = sending.bordereau or sending.campaign
        name = row._meta.model_name
        return format_html(LINK, reverse(f"admin:invoicing_{name}_change", args=[row.pk]), row)

    @display(description="réponse")
    def answered(self, sending):
        return _answer(sending)

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
        return self.given(request, sending, sending.document, sending.file_name)

    def given(
        self, request: HttpRequest, sending: Sending, document: StoredDocument, name: str
    ) -> HttpResponse:
        """Give a stored file, or say on the page that it is lost."""
        try:
            return attachment(request, document, name)
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_sending_change", sending.pk)


def _answer(sending: Sending) -> str:
    """Return where a sending stands: what Chorus Pro said, the numbers read back, or Hélios's answer."""
    deposit = getattr(sending, "deposit", None)
    return deposit.told_state if deposit else answer_of(sending)

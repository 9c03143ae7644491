"""Staff pages of friendly reminders: their levels, and the letters written."""

import io
import zipfile

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import as_attachment, attachment
from entsvc.french import euros, plural
from entsvc.journal import record
from entsvc.staff import ConfirmedAction
from invoicing.models import Reminder, ReminderStep
from invoicing.reminder_words import FIELDS
from members.access import ScopedAdmin, ScopedReadOnlyAdmin

LARGEST_ZIP = 500


@admin.register(Reminder)
class ReminderAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["titre", "level", "written_on", "remaining_euros", "written_by"]
    list_filter = ["titre__issuer", "level", "written_on"]
    list_select_related = ["titre"]
    search_fields = ["titre__reference", "titre__debtor_name", "titre__siret"]
    ordering = ["-written_at", "pk"]
    fields = ["titre", "level", "written_on", "remaining_euros", "written_by", "written_at"]
    readonly_fields = fields
    actions = ["download_all"]
    actions_list = ["write"]
    actions_detail = ["download_letter"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("document").defer("titre__payload")

    @display(description="reste à payer", ordering="remaining")
    def remaining_euros(self, reminder):
        return euros(reminder.remaining)

    def has_write_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.write_reminder")

    @action(description="Écrire les relances", permissions=["write"], icon="forward_to_inbox")
    def write(self, request: HttpRequest) -> HttpResponse:
        return redirect("collection:reminders")

    @action(description="Télécharger le courrier (PDF)", icon="picture_as_pdf")
    def download_letter(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        reminder = self.visible_or_404(request, object_id)
        try:
            return attachment(request, reminder.document, _name(reminder))
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_reminder_change", object_id)

    @admin.action(description="Télécharger les courriers (ZIP)", permissions=["view"])
    def download_all(self, request: HttpRequest, queryset) -> HttpResponse | None:
        if queryset.count() > LARGEST_ZIP:
            messages.error(request, f"Au plus {LARGEST_ZIP} courriers à la fois : filtrez la liste.")
            return None
        stream = io.BytesIO()
        try:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                for reminder in queryset:
                    archive.writestr(_name(reminder), documents.read(reminder.document))
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return None
        references = list(queryset.order_by("pk").values_list("titre__reference", flat=True))
        record(
            actor=request.user.get_username(),
            action="download",
            target="relances",
            summary=f"Téléchargé : {plural(len(references), 'courrier')} de relance (ZIP)",
            data={"titres": references},
        )
        return as_attachment(stream.getvalue(), "relances.zip", "application/zip")


@admin.register(ReminderStep)
class ReminderStepAdmin(ScopedAdmin):
    list_display = ["issuer", "level", "days", "title"]
    list_filter = ["issuer"]
    list_select_related = ["issuer"]
    fields = ["issuer", "level", "days", "title", "body"]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "body":
            known = ", ".join(f"{{{name}}} ({words})" for name, words in FIELDS.items())
            field.help_text = f"Une ligne vide sépare deux paragraphes. Champs possibles : {known}."
        return field


def _name(reminder: Reminder) -> str:
    return f"{reminder.titre.reference}-relance-{reminder.level}.pdf"

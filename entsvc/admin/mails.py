"""Staff page of the mails: what was sent to whom, and what could not be."""

from django.contrib import admin, messages
from unfold.decorators import display

from entsvc import afterwards, mail
from entsvc.french import plural
from entsvc.models import OutgoingMail
from entsvc.staff import ReadOnlyAdmin


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """Mails of all issuers together: for those who see all of them. A secret text is never shown."""

    list_display = ["posted_at", "recipient", "subject", "shown_state", "attempts", "sent_at", "error"]
    list_filter = ["state", "template"]
    search_fields = ["recipient", "subject"]
    actions = ["send_again"]
    fields = [
        "recipient", "subject", "shown_state", "posted_at", "sent_at", "attempts", "due_at", "error",
        "shown_text",
    ]  # fmt: skip
    readonly_fields = ["shown_state", "shown_text"]

    def has_view_permission(self, request, obj=None):
        return request.user.is_active and request.user.is_superuser

    @display(
        description="état",
        ordering="state",
        label={"Envoyé": "success", "Abandonné": "danger", "À envoyer": "warning"},
    )
    def shown_state(self, row):
        return row.get_state_display()

    @display(description="texte")
    def shown_text(self, row):
        return "Secret : il contient un lien de connexion." if row.useful_until else row.text

    @admin.action(description="Envoyer de nouveau ceux qui sont abandonnés")
    def send_again(self, request, queryset):
        again = mail.retry(queryset)
        if not again:
            messages.warning(request, "Aucun de ces courriels n'est abandonné et à renvoyer.")
            return
        afterwards.after_response(mail.deliver)
        messages.success(request, f"{plural(again, 'courriel repart', 'courriels repartent')}.")

"""Staff pages of the channels: by what way each issuer's titres leave."""

from django.contrib import admin
from django.http import HttpRequest

from invoicing.models import Channel
from members.access import ScopedAdmin

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

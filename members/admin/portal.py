"""Staff pages of /espace/: who may open a member's pages, and who did."""

from django.contrib import admin
from django.forms import BaseInlineFormSet

from entsvc.staff import ReadOnlyAdmin, StaffInline
from members.models import Contact, PortalAccess


class ContactFormSet(BaseInlineFormSet):
    """All the accesses of a member: the page shows them all, so that none is there twice."""

    def clean(self):
        super().clean()
        seen = set()
        for form in self.forms:
            email = form.cleaned_data.get("email", "").lower() if form.is_valid() else ""
            if not email or form.cleaned_data.get("DELETE"):
                continue
            if email in seen:
                form.add_error("email", Contact.TWICE)
            seen.add(email)


class ContactInline(StaffInline):
    """The addresses that open a member's pages besides its own."""

    model = Contact
    formset = ContactFormSet
    fields = ["email", "quality"]
    verbose_name_plural = "accès à l'espace, en plus du courriel du membre"
    hide_title = False


@admin.register(PortalAccess)
class PortalAccessAdmin(ReadOnlyAdmin):
    """Kept for a year; a visit to several members is a row for each."""

    list_display = ["at", "member", "email", "way", "device", "network"]
    list_filter = ["way"]
    list_select_related = ["member"]
    search_fields = ["email", "member__name", "member__siret"]
    fields = list_display

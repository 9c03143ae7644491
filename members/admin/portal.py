"""Staff pages of /espace/: who may open a member's pages, and who did."""

from django.contrib import admin
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from entsvc.staff import ReadOnlyAdmin, StaffInline
from entsvc.uploads import issuers_of
from members.models import Contact, Member, PortalAccess
from members.portal import reach


def may_write_addresses(request: HttpRequest, member: Member | None) -> bool:
    """Tell whether an account may write who opens a member's pages; read once for a page."""
    if member is None:
        return True
    known = request.__dict__.setdefault("_may_write_addresses", {})
    if member.pk not in known:
        known[member.pk] = reach.may_write(member, issuers_of(request.user))
    return known[member.pk]


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

    def has_add_permission(self, request, obj):
        return super().has_add_permission(request, obj) and may_write_addresses(request, obj)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and may_write_addresses(request, obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and may_write_addresses(request, obj)


@admin.register(PortalAccess)
class PortalAccessAdmin(ReadOnlyAdmin):
    """Kept for a year; a visit to several members is a row for each."""

    list_display = ["at", "member", "email", "way", "device", "network"]
    list_filter = ["way"]
    list_select_related = ["member"]
    search_fields = ["email", "member__name", "member__siret"]
    fields = list_display

"""Staff pages of the figures that a text sets from a date."""

from django import forms
from django.contrib import admin
from unfold.widgets import UnfoldAdminSelectWidget

from entsvc.models import DatedFigure
from members.admin.accounts import DatedTextAdmin
from members.models import Member


@admin.register(DatedFigure)
class DatedFigureAdmin(DatedTextAdmin):
    """As for texts: an account writes the figures of its issuers, those of a regime are only read."""

    list_display = ["code", "scope", "applies_to", "valid_from", "value", "unit", "source"]
    list_filter = ["scope", "code"]
    search_fields = ["code", "source"]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name != "applies_to":
            return field
        return forms.ChoiceField(
            label=field.label,
            required=False,
            choices=[("", "Tous les débiteurs"), *Member.Kind.choices],
            widget=UnfoldAdminSelectWidget,
        )

"""Staff pages of the figures that a text sets from a date."""

from django import forms
from django.contrib import admin
from django.utils.formats import number_format
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from entsvc.models import DatedFigure
from members.admin.accounts import DatedTextAdmin
from members.models import Member

FIGURES = {
    "prescription-emission": "Délai pour émettre un titre",
    "prescription-recouvrement": "Délai pour recouvrer un titre",
    "seuil-mise-en-recouvrement": "Seuil de mise en recouvrement",
}


class FigureFilter(admin.SimpleListFilter):
    """Figures of one kind, by its French name."""

    title = "chiffre"
    parameter_name = "code"

    def lookups(self, request, model_admin):
        return list(FIGURES.items())

    def queryset(self, request, queryset):
        return queryset.filter(code=self.value()) if self.value() else queryset


@admin.register(DatedFigure)
class DatedFigureAdmin(DatedTextAdmin):
    """As for texts: an account writes the figures of its issuers, those of a regime are only read."""

    list_display = ["name", "of_whom", "for_whom", "valid_from", "told", "source"]
    list_filter = ["scope", FigureFilter]
    search_fields = ["code", "source"]

    @display(description="chiffre", ordering="code")
    def name(self, figure):
        return FIGURES.get(figure.code, figure.code)

    @display(description="concerne", ordering="applies_to")
    def for_whom(self, figure):
        return dict(Member.Kind.choices).get(figure.applies_to, figure.applies_to) or "Tous"

    @display(description="valeur", ordering="value")
    def told(self, figure):
        value = figure.value
        decimals = 0 if value == value.to_integral_value() else 2
        return f"{number_format(value, decimals)} {figure.unit}"

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "code":
            return forms.ChoiceField(
                label="Chiffre", choices=list(FIGURES.items()), widget=UnfoldAdminSelectWidget
            )
        if db_field.name != "applies_to":
            return field
        return forms.ChoiceField(
            label=field.label,
            required=False,
            choices=[("", "Tous les débiteurs"), *Member.Kind.choices],
            widget=UnfoldAdminSelectWidget,
        )

"""Staff pages of schools."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError

from entsvc.staff import StaffAdmin
from members import identifiers
from members.admin.counts import CountsOfSchool, HeadcountInline, UsageInline
from members.models import School


class Presence(admin.SimpleListFilter):
    """The schools that the annuaire no longer names, or those that it still does."""

    title = "présence dans l'annuaire"
    parameter_name = "annuaire"

    def lookups(self, request, model_admin):
        return [("absentes", "Absentes"), ("presentes", "Présentes")]

    def queryset(self, request, queryset):
        if self.value() is None:
            return queryset
        return queryset.filter(absent_since__isnull=self.value() != "absentes")


class SchoolForm(forms.ModelForm):
    """A school typed by hand has the codes that an annuaire would give it."""

    def clean_uai(self):
        return self.cleaned_data["uai"].upper()

    def clean_commune_code(self):
        return _checked(identifiers.check_commune_code, self.cleaned_data["commune_code"])

    def clean_departement_code(self):
        return _checked(identifiers.check_departement_code, self.cleaned_data["departement_code"])


@admin.register(School)
class SchoolAdmin(CountsOfSchool, StaffAdmin):
    form = SchoolForm
    list_display = [
        "uai", "name", "degree", "level", "sector", "commune_name", "departement_code", "state",
        "absent_since",
    ]  # fmt: skip
    list_filter = ["degree", "level", "sector", Presence, "state", "rpi", "departement_code"]
    search_fields = ["search"]
    inlines = [HeadcountInline, UsageInline]
    fieldsets = [
        (None, {
            "fields": [
                "uai", "name", "kind", "degree", "level", "sector", "state", "opened_on",
                "absent_since",
            ],
            "description": "L'import de l'annuaire tient ces cases à jour ; une case vide du fichier "
            "n'efface rien de ce qui est saisi ici.",
        }),
        ("Lieu", {
            "fields": [
                "address", "postal_code", "commune_code", "commune_name", "departement_code",
                "academy_code",
            ],
            "description": "Le département s'écrit comme 80, 02, 2A ou 974 : il dit quel émetteur "
            "suit l'école.",
        }),
        ("Premier degré", {
            "fields": ["circumscription_code", "circumscription", "rpi", "rpi_code"],
            "description": "Le code du RPI est celui de l'annuaire, comme 031037 : trois caractères de "
            "département, puis un numéro.",
        }),
        ("Identifiant d'établissement", {"fields": ["siren_siret"]}),
    ]  # fmt: skip


def _checked(check, text):
    try:
        return check(text) if text else ""
    except ValueError as error:
        raise ValidationError(str(error)) from error

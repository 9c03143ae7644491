"""What a mayor's office fills in: a signed paper, and the days it bears."""

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from conventions import objections
from conventions.models import Amendment, Objection
from entsvc.scans import PdfField
from members.models import School

MOST_WORDS = Amendment._meta.get_field("reason").max_length
PDF = {"accept": "application/pdf,.pdf"}


class DayField(forms.DateField):
    """A day that is past, typed or picked."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        formats = ["%Y-%m-%d", "%d/%m/%Y"]
        messages = {
            "required": "Donnez cette date.",
            "invalid": "Écrivez cette date comme 15/10/2020.",
        }
        super().__init__(widget=widget, input_formats=formats, error_messages=messages, **kwargs)

    def clean(self, value: Any) -> date | None:
        """Refuse a day to come."""
        day = super().clean(value)
        if day and day > timezone.localdate():
            raise forms.ValidationError("Cette date est à venir : donnez la date réelle.")
        return day


class OneLineField(forms.CharField):
    """Words that a text prints between its own: their line breaks become spaces."""

    def to_python(self, value: Any) -> str:
        """Return the words on one line."""
        return " ".join(super().to_python(value).split())


class ReasonForm(forms.Form):
    """Why a member asks for another list, in its own words."""

    motif = OneLineField(
        label="Pourquoi ce changement ? (facultatif)",
        required=False,
        max_length=MOST_WORDS,
        help_text=f"En {MOST_WORDS} caractères au plus. Le service qui examine la demande les lit, et "
        "l'avenant à signer les reprend.",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "max_length": "Ce motif est trop long : %(show_value)d caractères, "
            "pour %(limit_value)d au plus.",
        },
    )


class ScanForm(forms.Form):
    """A signed paper, scanned."""

    scan = PdfField(
        label="Le document signé, en PDF",
        help_text="Un seul fichier PDF, toutes les pages à la suite, "
        f"de {settings.LARGEST_SCAN_MB} Mo au plus.",
        widget=forms.FileInput(attrs=PDF),
        error_messages={
            "required": "Choisissez le fichier PDF du document signé.",
            "empty": "Ce fichier est vide : numérisez de nouveau le document.",
        },
    )


class AmendmentScanForm(ScanForm):
    """A signed amendment: an earlier transmission counts when it is proved."""

    signed_on = DayField(label="Signé le")
    transmitted_on = DayField(
        label="Déjà transmis le (facultatif)",
        required=False,
        help_text="Si vous nous l'aviez envoyé auparavant d'une autre façon : cette date compte, avec "
        "sa preuve.",
    )
    proof = PdfField(
        label="Preuve de cette transmission, en PDF (facultatif)",
        required=False,
        widget=forms.FileInput(attrs=PDF),
        error_messages={"empty": "Ce fichier est vide : numérisez de nouveau la preuve."},
    )

    field_order = ["signed_on", "scan", "transmitted_on", "proof"]

    def clean(self) -> dict[str, Any]:
        """Ask for the day and its proof together."""
        data = super().clean()
        day, proof = data.get("transmitted_on"), data.get("proof")
        if day and not proof and "proof" not in self.errors:
            self.add_error("proof", "Joignez la preuve de cette transmission, ou effacez sa date.")
        if proof and not day and "transmitted_on" not in self.errors:
            self.add_error("transmitted_on", "Donnez la date que cette preuve établit.")
        return data


class ObjectionForm(forms.Form):
    """What a member objects to: a school of those it was shown, or one that is missing."""

    kind = forms.ChoiceField(
        label="Ce que vous contestez",
        widget=forms.RadioSelect,
        error_messages={"required": "Choisissez ce que vous contestez."},
    )
    school = forms.ChoiceField(
        label="L'école",
        required=False,
        help_text="Pour un nombre d'élèves ou une école à retirer.",
        error_messages={"invalid_choice": "Choisissez une école de la liste."},
    )
    claimed = forms.IntegerField(
        label="Le nombre exact, selon vous (facultatif)",
        required=False,
        min_value=0,
        max_value=99_999,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        error_messages={
            "invalid": "Écrivez un nombre entier, comme 118.",
            "min_value": "Un nombre d'élèves n'est pas négatif.",
            "max_value": "Ce nombre d'élèves est trop grand.",
        },
    )
    words = forms.CharField(
        label="Expliquez en quelques mots",
        max_length=objections.LONGEST,
        help_text="Pour une école manquante, donnez son nom et sa commune, ou son UAI. Pour un "
        "effectif, dites d'où vient votre nombre.",
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": "Dites ce que vous contestez, en quelques mots."},
    )

    def __init__(self, *args: Any, named: dict[str, dict], active: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(k.value, k.label) for k in Objection.Kind if active or k != Objection.Kind.ACTIVE]
        self.fields["kind"].choices = kinds
        self.fields["school"].choices = [
            ("", "—"),
            *((uai, f"{school['name'] or uai}, {school['commune']}") for uai, school in named.items()),
        ]

    def clean(self) -> dict[str, Any]:
        """Ask for the school where there must be one; find it."""
        data = super().clean()
        uai, kind = data.get("school"), data.get("kind")
        if kind in Objection.OF_A_SCHOOL and not uai and "school" not in self.errors:
            self.add_error("school", "Choisissez l'école concernée.")
        about = kind in Objection.OF_A_SCHOOL or kind == Objection.Kind.OTHER
        data["school"] = School.objects.filter(uai=uai).first() if uai and about else None
        return data

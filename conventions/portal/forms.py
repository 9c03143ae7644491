"""What a mayor's office fills in: a signed paper, and the days it bears."""

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from conventions.models import Amendment
from entsvc.scans import PdfField

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

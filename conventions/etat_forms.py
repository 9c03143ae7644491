"""What staff give to open an état contradictoire, to put off its last day, to answer an objection."""

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from conventions.etats import PROPOSED
from conventions.models import Objection
from entsvc.french import long_date
from entsvc.history import REASON_LENGTH
from members.models import School

DAY = {"required": "Donnez la date.", "invalid": "Écrivez la date comme 03/03/2025."}
ACCEPT, REJECT = "accepter", "rejeter"


class OpeningForm(forms.Form):
    """Until when members may object."""

    until = forms.DateField(
        label="Contestations jusqu'au (inclus)",
        widget=UnfoldAdminSingleDateWidget,
        help_text="Quinze jours sont proposés. Ce délai pourra être prolongé, jamais raccourci.",
        error_messages=DAY,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = timezone.localdate() + PROPOSED

    def clean_until(self) -> date:
        """Refuse a day that is past."""
        until = self.cleaned_data["until"]
        if until < timezone.localdate():
            raise forms.ValidationError("Ce jour est passé : donnez un jour à venir.")
        return until


class ExtensionForm(forms.Form):
    """A later last day, and why."""

    until = forms.DateField(
        label="Prolonger jusqu'au (inclus)", widget=UnfoldAdminSingleDateWidget, error_messages=DAY
    )
    reason = forms.CharField(
        label="Motif",
        max_length=REASON_LENGTH,
        widget=UnfoldAdminTextInputWidget,
        help_text="Gardé au journal.",
        error_messages={"required": "Donnez le motif de la prolongation."},
    )

    def __init__(self, *args: Any, after: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.after = after

    def clean_until(self) -> date:
        """Refuse to bring the day forward."""
        until = self.cleaned_data["until"]
        if until <= self.after:
            raise forms.ValidationError(
                f"Les membres ont déjà jusqu'au {long_date(self.after)} : le délai ne se raccourcit pas."
            )
        return until


class AnswerForm(forms.Form):
    """Accept or reject an objection, with what is accepted and words for the member."""

    decision = forms.ChoiceField(
        label="Réponse",
        choices=[(ACCEPT, "Accepter"), (REJECT, "Rejeter")],
        widget=UnfoldAdminRadioSelectWidget,
        error_messages={"required": "Choisissez d'accepter ou de rejeter."},
    )
    granted = forms.IntegerField(
        label="Nombre retenu",
        required=False,
        min_value=0,
        max_value=99_999,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
        help_text="Pour accepter. L'appel reste bloqué jusqu'à ce que l'effectif de l'école dise ce "
        "nombre.",
        error_messages={"invalid": "Écrivez un nombre entier, comme 118."},
    )
    uai = forms.CharField(
        label="UAI de l'école à ajouter",
        required=False,
        max_length=8,
        widget=UnfoldAdminTextInputWidget,
        help_text="Pour accepter. L'appel reste bloqué jusqu'à ce qu'une convention la nomme.",
    )
    words = forms.CharField(
        label="Mots pour le membre",
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="Obligatoires pour rejeter. Le membre les reçoit par courriel.",
    )

    def __init__(self, *args: Any, objection: Objection, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if objection.kind in Objection.NUMBERS:
            self.fields["granted"].initial = objection.claimed
        else:
            del self.fields["granted"]
        if objection.kind == Objection.Kind.MISSING:
            self.fields["uai"].initial = objection.school.uai if objection.school else ""
        else:
            del self.fields["uai"]

    def clean(self) -> dict[str, Any]:
        """Ask for what each answer needs; find the school."""
        data = super().clean()
        accepted = data.get("decision") == ACCEPT
        if data.get("decision") == REJECT and not data.get("words", "").strip():
            self.add_error("words", "Donnez le motif du rejet : le membre le lira.")
        numbered = "granted" in self.fields and "granted" not in self.errors
        if accepted and numbered and data.get("granted") is None:
            self.add_error("granted", "Donnez le nombre retenu.")
        data["school"] = None
        if accepted and "uai" in self.fields:
            uai = data.get("uai", "").strip().upper()
            data["school"] = School.objects.filter(uai=uai).first()
            if data["school"] is None:
                self.add_error("uai", "Aucune école connue n'a cet UAI : importez-la, ou corrigez-le.")
        return data

"""What an officer gives to make a file, and to read back what Hélios answered."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldBooleanWidget,
)

from invoicing.pes.retour import Retour, read_retour
from invoicing.pes.returns import LARGEST, Acknowledgement, Unreadable, read_acknowledgement

Said = TypeVar("Said")


class ProduceForm(forms.Form):
    """The rank of the file that the page offers to make: a second click finds it made."""

    rank = forms.IntegerField(widget=forms.HiddenInput)


class AnswerForm(forms.Form):
    """An answer of Hélios, and whether to write what it says."""

    trial = forms.BooleanField(
        label="Montrer sans enregistrer",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="Décochez et redonnez le fichier pour enregistrer.",
    )

    def read_file(self, read: Callable[[bytes], Said], named: str) -> Said:
        """Read the file given; refuse one that is too large, or that is something else."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST:
            raise forms.ValidationError(f"Ce fichier est trop gros pour {named}.")
        try:
            return read(file.read())
        except Unreadable as error:
            raise forms.ValidationError(str(error)) from error


class AcknowledgementForm(AnswerForm):
    """The file of an acknowledgement, its day, and whether to write what it says."""

    field_order = ["file", "on", "taken", "trial"]
    file = forms.FileField(
        label="Acquittement",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".xml"}),
        help_text="Fichier PES_ACQUIT rendu par votre tiers de télétransmission.",
    )
    on = forms.DateField(label="Reçu le", widget=UnfoldAdminSingleDateWidget)
    taken = forms.BooleanField(
        label="Noter aussi les titres pris en charge",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Seulement si le comptable l'a dit : accepté par Hélios n'est pas pris en charge.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()

    def clean_file(self) -> Acknowledgement:
        """Read the file; refuse what is no acknowledgement."""
        return self.read_file(read_acknowledgement, "un acquittement")


class RetourForm(AnswerForm):
    """The file of a PES retour, and whether to write what it says."""

    field_order = ["file", "trial"]
    file = forms.FileField(
        label="PES retour",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".xml"}),
        help_text="Fichier PES_Retour des recettes, rendu par votre tiers de télétransmission.",
    )

    def clean_file(self) -> tuple[Retour, str]:
        """Read the file and return it with its SHA-256; refuse what is no PES retour."""
        return self.read_file(_with_fingerprint, "un PES retour")


def _with_fingerprint(content: bytes) -> tuple[Retour, str]:
    return read_retour(content), hashlib.sha256(content).hexdigest()

"""What an officer gives to decide a receipt, to read what is left to collect, to write reminders."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from invoicing.matching import Names
from invoicing.models import PendingReceipt, Titre
from members.models import Issuer


class AttributionForm(forms.Form):
    """The titre that a receipt pays, named as the accountant would."""

    titre = forms.CharField(
        label="Titre",
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="Sa référence, celle de paiement (RF…), son numéro et son exercice (12/2025) ou "
        "le numéro du comptable.",
    )

    def __init__(self, *args: Any, pending: PendingReceipt, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pending = pending
        if pending.suggested:
            self.fields["titre"].initial = pending.suggested.reference

    def clean_titre(self) -> Titre:
        """Return the titre named, among those of the issuer of the receipt."""
        match = Names.of([self.pending.issuer_id]).find(self.cleaned_data["titre"])
        if match.titre is None:
            problem = match.problem or "Aucun titre de cet émetteur n'a ce nom."
            raise forms.ValidationError(f"{problem} Donnez sa référence entière.")
        return Titre.objects.defer("payload").get(pk=match.titre.key)


class DismissalForm(forms.Form):
    """Why a receipt pays none of our titres."""

    reason = forms.CharField(label="Motif", max_length=300, widget=UnfoldAdminTextInputWidget)


class IssuerForm(forms.Form):
    """Whose titres."""

    emetteur = forms.ModelChoiceField(
        Issuer.objects.none(), label="Émetteur", to_field_name="code", widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, issuers: QuerySet[Issuer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["emetteur"].queryset = issuers


class BalanceForm(IssuerForm):
    """Whose titres, and at which day."""

    le = forms.DateField(label="À la date du", widget=UnfoldAdminSingleDateWidget)

    def clean_le(self) -> Any:
        """Refuse a day to come: nobody knows what it will be."""
        day = self.cleaned_data["le"]
        if day > timezone.localdate():
            raise forms.ValidationError("Cette date est à venir : choisissez aujourd'hui ou avant.")
        return day

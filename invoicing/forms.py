"""What an officer gives to issue a run, or to record and cancel a payment."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from entsvc.fields import EurosField
from invoicing.models import Run
from members.models import Issuer, Signatory


def signatories_in_office(issuer: int, since: date) -> QuerySet[Signatory]:
    """Return the signatories of an issuer in office on a day or after it, the latest first."""
    in_office = Q(valid_to__isnull=True) | Q(valid_to__gte=since)
    return Signatory.objects.filter(in_office, issuer=issuer).order_by("-valid_from", "pk")


class IssueForm(forms.Form):
    """Date, signatory and exercice of the titres of a run; an older run is issued knowingly."""

    on = forms.DateField(label="Date d'émission", widget=UnfoldAdminSingleDateWidget)
    signatory = forms.ModelChoiceField(
        Signatory.objects.none(), label="Signataire", widget=UnfoldAdminSelectWidget
    )
    exercice = forms.IntegerField(
        label="Exercice",
        required=False,
        min_value=2000,
        max_value=2099,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Laissez vide : l'exercice est celui de la date.",
    )
    older = forms.BooleanField(
        label="J'émets un calcul qui n'est pas le dernier",
        widget=UnfoldBooleanWidget,
        error_messages={"required": "Cochez cette case, ou émettez le dernier calcul."},
    )

    def __init__(self, *args: Any, run: Run, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        self.fields["on"].initial = today
        field = self.fields["signatory"]
        field.queryset = signatories_in_office(run.campaign.schedule.issuer_id, today)
        field.initial = field.queryset.first()
        self.latest = run.campaign.runs.aggregate(number=Max("number"))["number"]
        self.is_latest = run.number == self.latest
        if self.is_latest:
            del self.fields["older"]

    def issue_with(self) -> dict[str, Any]:
        """Return what `issue` takes."""
        return {name: value for name, value in self.cleaned_data.items() if name != "older"}


class SupplementForm(forms.Form):
    """Why a supplementary campaign opens."""

    reason = forms.CharField(
        label="Motif",
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="École oubliée, membre tardif, effectifs rectifiés…",
    )


class UnbilledForm(forms.Form):
    """The issuer and the exercice of which to list what is still to call."""

    issuer = forms.ModelChoiceField(
        Issuer.objects.none(), label="Émetteur", widget=UnfoldAdminSelectWidget
    )
    exercice = forms.IntegerField(
        label="Au 31 décembre", min_value=2000, max_value=2099, widget=UnfoldAdminIntegerFieldWidget
    )

    def __init__(self, *args: Any, issuers: QuerySet[Issuer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["issuer"].queryset = issuers
        self.fields["issuer"].initial = issuers.first()
        self.fields["exercice"].initial = timezone.localdate().year


class PaymentForm(forms.Form):
    """What the accountant received for a titre."""

    amount = EurosField(
        label="Montant reçu, en euros",
        min_value=Decimal("0.01"),
        max_digits=12,
        decimal_places=2,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )
    received_on = forms.DateField(label="Encaissé le", widget=UnfoldAdminSingleDateWidget)
    reference = forms.CharField(
        label="Référence du comptable", max_length=100, widget=UnfoldAdminTextInputWidget
    )


class CancellationForm(forms.Form):
    """Why a payment is cancelled."""

    reason = forms.CharField(label="Motif", max_length=100, widget=UnfoldAdminTextInputWidget)

"""What staff give at each step of a quote, and to bill deliveries at once."""

from datetime import date
from typing import Any

from django import forms
from django.db import DataError
from django.db.models import QuerySet
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from conventions.models import Convention, Delivery
from entsvc import school_year
from entsvc.french import short_date
from entsvc.scans import PdfField
from invoicing import apart
from invoicing.apart import served_of
from invoicing.forms import EurosField, signatories_in_office
from invoicing.models import Quote, QuoteLine, SupplierInvoice
from members.models import Signatory
from tariffs.engine import UNITS
from tariffs.models import Charge, Schedule

PAID_BY = "Laissez vide tant qu'elle n'est pas payée : le titre attend le mandat."


class StepForm(forms.Form):
    """The day of a step."""

    on = forms.DateField(label="Date", widget=UnfoldAdminSingleDateWidget)

    def __init__(self, *args: Any, quote: Quote, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()


class SignedStepForm(StepForm):
    """The day of a step and who signs its document."""

    signatory = forms.ModelChoiceField(
        Signatory.objects.none(), label="Signataire", widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, quote: Quote, **kwargs: Any) -> None:
        super().__init__(*args, quote=quote, **kwargs)
        field = self.fields["signatory"]
        field.queryset = signatories_in_office(quote.schedule.issuer_id, timezone.localdate())
        field.initial = field.queryset.first()


class OrderForm(SignedStepForm):
    """The order to the supplier."""

    reference = forms.CharField(
        label="Numéro du bon de commande",
        max_length=50,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )


class AcceptForm(StepForm):
    """What the member sent back."""

    reference = forms.CharField(
        label="Numéro d'engagement",
        max_length=50,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Celui du membre, rappelé sur le titre pour Chorus Pro.",
    )
    scan = PdfField(
        label="Devis signé (PDF)",
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "application/pdf"}),
        error_messages={"empty": "Ce fichier est vide."},
    )
    comment = forms.CharField(
        label="Commentaire",
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Sans document : où l'accord est conservé.",
    )


class ReasonForm(StepForm):
    """Why a quote goes no further."""

    comment = forms.CharField(label="Motif", max_length=300, widget=UnfoldAdminTextInputWidget)


class CopyForm(forms.Form):
    """Until when the copy of a quote holds."""

    valid_until = forms.DateField(label="Valable jusqu'au", widget=UnfoldAdminSingleDateWidget)


class InvoiceForm(forms.ModelForm):
    """What the supplier billed: the invoice, and the quantity served of each line of the quote."""

    class Meta:
        model = SupplierInvoice
        fields = ["number", "dated", "served_on", "proof", "amount", "gap_reason", "mandat", "paid_on"]
        widgets = {
            "number": UnfoldAdminTextInputWidget,
            "dated": UnfoldAdminSingleDateWidget,
            "served_on": UnfoldAdminSingleDateWidget,
            "proof": UnfoldAdminTextInputWidget,
            "gap_reason": UnfoldAdminTextInputWidget,
            "mandat": UnfoldAdminTextInputWidget,
            "paid_on": UnfoldAdminSingleDateWidget,
        }
        help_texts = {"mandat": PAID_BY}

    def __init__(self, *args: Any, quote: Quote, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = EurosField(
            label="Montant TTC, en euros",
            min_value=0,
            max_digits=14,
            decimal_places=2,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        )
        served = served_of(quote)
        self.lines = list(quote.lines.select_related("item").order_by("pk"))
        for line in self.lines:
            self.fields[f"served_{line.pk}"] = forms.IntegerField(
                label=f"Quantité servie : {line.item}",
                min_value=0,
                max_value=2**31 - 1,
                initial=max(line.quantity - served.get(line.pk, 0), 0),
                widget=UnfoldAdminIntegerFieldWidget,
                help_text=f"{line.quantity} au devis.",
            )

    def clean(self) -> dict[str, Any]:
        """Refuse half of a payment."""
        found = super().clean()
        if bool(found.get("mandat")) != bool(found.get("paid_on")):
            self.add_error("paid_on", "Donnez ensemble le numéro du mandat et le jour du paiement.")
        return found

    def served(self) -> dict[QuoteLine, int]:
        """Return the quantities served, by line."""
        return {line: self.cleaned_data[f"served_{line.pk}"] for line in self.lines}


class DeliveryForm(forms.ModelForm):
    """A delivery and the sheet that proves it; `schedules` are those of the account."""

    schedules: QuerySet[Schedule] = Schedule.objects.order_by("code")

    code = forms.ChoiceField(label="Prestation", widget=UnfoldAdminSelectWidget)
    file = PdfField(
        label="Pièce (PDF)",
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "application/pdf"}),
        help_text="La feuille d'émargement, si elle est numérisée.",
        error_messages={"empty": "Ce fichier est vide."},
    )

    class Meta:
        model = Delivery
        fields = ["convention", "code", "delivered_on", "quantity", "subject", "proof", "apart"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "code" in self.fields:
            self.fields["code"].choices = _unit_charges(self.schedules, self.instance.code)

    def clean(self) -> dict[str, Any]:
        """Refuse a line that the tariff of the agreement does not have."""
        found = super().clean()
        convention, code = found.get("convention"), found.get("code")
        self._check_tied(convention, found.get("delivered_on"))
        if convention and code:
            known = Charge.objects.filter(
                version__schedule=convention.schedule_id, metric=UNITS, code=code
            )
            if not known.exists():
                self.add_error("code", f"Le barème {convention.schedule.code} n'a pas cette ligne.")
        return found

    def _check_tied(self, convention: Convention | None, day: date | None) -> None:
        """Refuse another year or schedule to a delivery that a campaign apart bills."""
        campaign = apart.campaigns_of([self.instance]).get(self.instance.pk)
        if campaign is None or convention is None or day is None:
            return
        year = school_year.containing(day)
        if (convention.schedule_id, year) != (campaign.schedule_id, campaign.school_year):
            self.add_error(
                None,
                f"{campaign} facture cette prestation : elle reste de ce barème et de cette année. "
                "Décochez d'abord « facturée à part » et enregistrez.",
            )


class DeliveriesField(forms.ModelMultipleChoiceField):
    """Deliveries, each told by what staff know it by."""

    def clean(self, value: Any) -> QuerySet[Delivery]:
        """Refuse keys that no row can have, as those of rows that are not offered."""
        try:
            return super().clean(value)
        except (OverflowError, DataError) as error:
            raise forms.ValidationError("Choisissez parmi les prestations proposées.") from error

    def label_from_instance(self, obj: Delivery) -> str:
        """Return the day, the payer, how many and for what."""
        debtor, day = obj.convention.debtor, short_date(obj.delivered_on)
        return f"{day}, {debtor} : {obj.quantity} {obj.code}, {obj.subject}"


class BillDeliveriesForm(forms.Form):
    """Which of the deliveries waiting to be billed apart."""

    deliveries = DeliveriesField(
        Delivery.objects.none(),
        label="Prestations à facturer",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choisissez au moins une prestation."},
    )

    def __init__(self, *args: Any, waiting: QuerySet[Delivery], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["deliveries"].queryset = waiting
        self.fields["deliveries"].initial = waiting


def _unit_charges(schedules: QuerySet[Schedule], current: str) -> list[tuple[str, str]]:
    """Return the lines of the tariffs of some schedules that are billed by the unit, once each."""
    rows = Charge.objects.filter(metric=UNITS, version__schedule__in=schedules.order_by().values("pk"))
    rows = rows.order_by("code", "-version")
    known = {code: f"{label} ({code})" for code, label in rows.values_list("code", "label")}
    if current:
        known.setdefault(current, current)
    return [("", "Choisissez"), *sorted(known.items(), key=lambda pair: pair[1])]

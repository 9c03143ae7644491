"""What an officer gives to annul, reduce or issue again a titre, or to ask for a mandat."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from entsvc.french import euros
from entsvc.money import round_cents
from invoicing.correction_payload import PartOff
from invoicing.follow_up_forms import keep_choosing
from invoicing.forms import EurosField, signatories_in_office
from invoicing.models import Titre
from invoicing.reissue import Candidate
from members.models import Member, Signatory

ROWS = 4
CHARGE = "rubrique:"


class CorrectionForm(forms.Form):
    """The error committed, the date, and who signs."""

    reason_code = forms.ChoiceField(
        label="Motif",
        choices=[("", "Choisissez…"), *Titre.Reason.choices],
        widget=UnfoldAdminSelectWidget,
    )
    reason = forms.CharField(
        label="Erreur commise",
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Imprimée sur le document : dites ce qui était faux et ce qui le prouve.",
    )
    on = forms.DateField(label="Date", widget=UnfoldAdminSingleDateWidget)
    signatory = forms.ModelChoiceField(
        Signatory.objects.none(), label="Signataire", widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, titre: Titre, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        self.fields["on"].initial = today
        field = self.fields["signatory"]
        field.queryset = signatories_in_office(titre.issuer_id, today)
        field.initial = field.queryset.first()

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the rules take."""
        return self.cleaned_data


class BulkAnnulForm(CorrectionForm):
    """One error, one date and one signatory for all the titres chosen in a list."""

    def __init__(self, data: QueryDict, *, titre: Titre) -> None:
        super().__init__(data if "on" in data else None, titre=titre)
        self.fields["reason"].help_text = "Imprimée sur chaque document : la même pour tous ces titres."
        keep_choosing(self, data)


class ReductionForm(CorrectionForm):
    """What is taken off: lines of the titre, or free amounts on its charges, two fields a row."""

    headings = ("Ligne ou rubrique à réduire", "À retirer, en euros")

    def __init__(self, *args: Any, titre: Titre, **kwargs: Any) -> None:
        super().__init__(*args, titre=titre, **kwargs)
        self.lines = {str(line.pk): line for line in titre.lines.order_by("position")}
        charges = {line.charge: line.charge_label for line in self.lines.values()}
        choices = [
            ("", "Aucune"),
            ("Une ligne", [(key, _told(line)) for key, line in self.lines.items()]),
            (
                "Une rubrique, pour un montant libre",
                [(f"{CHARGE}{code}", label) for code, label in charges.items()],
            ),
        ]
        rows: dict[str, forms.Field] = {}
        for rank in range(1, ROWS + 1):
            what, amount = (f"{heading} ({rank})" for heading in self.headings)
            rows[f"what_{rank}"] = forms.ChoiceField(
                label=what,
                choices=choices,
                required=rank == 1,
                widget=UnfoldAdminSelectWidget(attrs={"aria-label": what}),
            )
            rows[f"amount_{rank}"] = EurosField(
                label=amount,
                max_digits=12,
                decimal_places=2,
                required=rank == 1,
                widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "aria-label": amount}),
            )
        self.fields = {**rows, **self.fields}

    @property
    def pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Return the rows of what is taken off."""
        return [(self[f"what_{rank}"], self[f"amount_{rank}"]) for rank in range(1, ROWS + 1)]

    def visible_fields(self) -> list[forms.BoundField]:
        """Return the others: the rows are shown as a table."""
        paired = {field.name for pair in self.pairs for field in pair}
        return [field for field in super().visible_fields() if field.name not in paired]

    def clean(self) -> dict[str, Any]:
        """Refuse half a row."""
        for rank in range(1, ROWS + 1):
            what, amount = f"what_{rank}", f"amount_{rank}"
            if what in self.errors or amount in self.errors:
                continue
            given = self.cleaned_data.get(what), self.cleaned_data.get(amount)
            if given[0] and given[1] is None:
                self.add_error(amount, ValidationError("Donnez le montant à retirer."))
            if given[1] is not None and not given[0]:
                self.add_error(what, ValidationError("Dites de quelle ligne ou rubrique."))
        return self.cleaned_data

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the rules take, the rows as `parts`."""
        data, rows = self.cleaned_data, range(1, ROWS + 1)
        parts = [
            PartOff(data[f"amount_{rank}"], self.lines.get(what), what.removeprefix(CHARGE))
            for rank in rows
            if (what := data[f"what_{rank}"])
        ]
        names = ("reason_code", "reason", "on", "signatory")
        return {**{name: data[name] for name in names}, "parts": parts}


def to_take_off(titre: Titre, asked: Mapping[str, str]) -> dict[str, Any]:
    """Return what a réduction first proposes, where the page that leads to it names a school.

    Of a school taken off, each line whole. Of a count that changed (`avant`, `apres`), the lines that
    bear it, down to what it makes now; their amount is left to the officer where no price tells it.
    """
    was, now = (_number(asked.get(name, "")) for name in ("avant", "apres"))
    rows: dict[str, Any] = {}
    lines = titre.lines.filter(uai=asked.get("ecole") or None, amount__gt=0).order_by("position")
    for rank, line in enumerate((line for line in lines if was in (None, line.quantity)), start=1):
        if rank > ROWS:
            break
        rows[f"what_{rank}"] = str(line.pk)
        if was is None:
            rows[f"amount_{rank}"] = line.amount
        elif now is not None and line.unit_price is not None:
            off = line.amount - round_cents(now * line.unit_price)
            rows[f"amount_{rank}"] = off if off > 0 else None
    return rows


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


class ReissueForm(CorrectionForm):
    """Who is billed by the new titre, among the calls that may make one."""

    def __init__(self, *args: Any, titre: Titre, candidates: list[Candidate], **kwargs: Any) -> None:
        super().__init__(*args, titre=titre, **kwargs)
        keys = [item.call.debtor_id for item in candidates]
        totals = {item.call.debtor_id: item.call.total for item in candidates}
        field = DebtorField(
            Member.objects.filter(pk__in=keys).order_by("siret"),
            label="Débiteur du nouveau titre",
            empty_label=None,
            widget=UnfoldAdminSelectWidget,
        )
        field.totals = totals
        self.fields = {"debtor": field, **self.fields}


class DebtorField(forms.ModelChoiceField):
    """A debtor, told with what its call amounts to."""

    totals: dict[int, Any] = {}

    def label_from_instance(self, member: Member) -> str:
        """Name the debtor and the amount of its call."""
        return f"{member.name} ({member.siret}) : {euros(self.totals[member.pk])}"


class MandatForm(CorrectionForm):
    """How much is to be given back."""

    def __init__(self, *args: Any, titre: Titre, **kwargs: Any) -> None:
        super().__init__(*args, titre=titre, **kwargs)
        amount = EurosField(
            label="Montant à annuler, en euros",
            max_digits=12,
            decimal_places=2,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        )
        self.fields = {"amount": amount, **self.fields}


class PaidMandatForm(forms.Form):
    """The mandat that answered a request, and when it was paid."""

    mandat = forms.CharField(label="Numéro du mandat", max_length=30, widget=UnfoldAdminTextInputWidget)
    paid_on = forms.DateField(
        label="Payé le",
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text="Laissez vide tant que le comptable ne l'a pas payé : revenez ici ensuite.",
    )


class ComputeForm(forms.Form):
    """Tells a click on « Calculer » from one on « Annuler et ré-émettre »."""

    compute = forms.BooleanField(widget=forms.HiddenInput, initial=True)


def _told(line: Any) -> str:
    where = ", ".join(name for name in (line.school, line.uai) if name) or line.charge_label
    return f"{where} : {line.explanation}"

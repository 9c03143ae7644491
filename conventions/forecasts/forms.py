"""What staff give to prepare provisional amounts, besides the hypothesis."""

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from conventions.forecasts.payload import Wording
from conventions.forecasts.preparing import is_in_office
from conventions.life_forms import WRONG_DAY
from conventions.what_if_forms import APPROXIMATE
from entsvc import school_year
from members.models import Issuer, Signatory

AHEAD = 2  # school years that may be announced beyond the one that is read
LONGEST_SENTENCE = 500  # with more, an ordinary letter would not hold on its page


class ForecastForm(forms.Form):
    """The year and the budget announced, and what the letters add."""

    year = forms.ChoiceField(
        label="Année scolaire annoncée",
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": "Choisissez une année scolaire de la liste."},
    )
    exercice = forms.IntegerField(
        label="Budget",
        min_value=school_year.FIRST,
        max_value=school_year.LAST + 1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="L'année du budget que le membre vote, celle où il sera appelé.",
    )
    written_on = forms.DateField(
        label="Date des lettres", widget=UnfoldAdminDateWidget, error_messages=WRONG_DAY
    )
    signatory = forms.ModelChoiceField(
        label="Signataire",
        queryset=Signatory.objects.none(),
        widget=UnfoldAdminSelectWidget,
        empty_label=None,
        error_messages={"required": "Choisissez un signataire."},
    )
    contact = forms.CharField(
        label="À qui répondre, et avant quand",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Par exemple : service ENT, ent@syndicat.fr, avant le 31 décembre 2025.",
    )
    sentence = forms.CharField(
        label="Une phrase de plus",
        required=False,
        max_length=LONGEST_SENTENCE,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Ajoutée à toutes les lettres, sous l'annonce du montant.",
    )
    approximate = forms.BooleanField(
        label="Annoncer aussi avec les effectifs approchés",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Sans cela, un membre dont un effectif n'est pas un constat de rentrée n'a pas de "
        "lettre. Les lettres disent « effectifs approchés ».",
    )

    def __init__(
        self, *args: Any, issuer: Issuer, read_year: int, approximate: bool, **kwargs: Any
    ) -> None:
        today = timezone.localdate()
        rows = Signatory.objects.filter(issuer=issuer).order_by("-valid_from", "-pk")
        signing = [row for row in rows if is_in_office(row, today)]
        initial = {
            "year": school_year.label(read_year + 1),
            "exercice": read_year + 2,
            "written_on": today,
            "signatory": signing[0].pk if signing else None,
            "contact": _contact(issuer),
            "approximate": approximate,
        }
        super().__init__(*args, initial=initial, **kwargs)
        years = [school_year.label(read_year + step) for step in range(AHEAD + 1)]
        self.fields["year"].choices = [(label, label) for label in years]
        self.fields["signatory"].queryset = rows

    def clean(self) -> dict[str, Any]:
        """Refuse who does not sign on the day of the letters."""
        signatory, on = self.cleaned_data.get("signatory"), self.cleaned_data.get("written_on")
        if signatory and isinstance(on, date) and not is_in_office(signatory, on):
            self.add_error("signatory", "Ce signataire n'a pas qualité pour signer à cette date.")
        return self.cleaned_data

    def wording(self) -> Wording:
        """Return what the letters add."""
        names = ("exercice", "written_on", "signatory", "contact", "sentence")
        return Wording(**{name: self.cleaned_data[name] for name in names})

    def announced(self) -> int:
        """Return the school year announced."""
        return school_year.parse(self.cleaned_data["year"])

    def given(self, hypothesis: dict[str, str]) -> dict[str, str]:
        """Return a hypothesis as the address of a simulation says it, with the counts to admit."""
        kept = {name: value for name, value in hypothesis.items() if name != APPROXIMATE}
        return kept | ({APPROXIMATE: "on"} if self.cleaned_data["approximate"] else {})


def _contact(issuer: Issuer) -> str:
    return ", ".join(part for part in (issuer.contact, issuer.phone, issuer.email) if part)[:200]

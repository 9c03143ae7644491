"""What a simulation asks, read from the address of its page: a year, then what changes of a tariff."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from conventions.what_if_hypotheses import (
    EVERYBODY,
    NO_TARIFF,
    NOBODY,
    SUBSCRIBED,
    BandsWrong,
    Changes,
    amount_text,
    bands_text,
    changed,
    read_bands,
)
from entsvc import school_year
from entsvc.fields import EurosField
from entsvc.french import typography
from members.models import Member
from tariffs import engine
from tariffs.models import Schedule, Version

PRICE, BANDS, POOL, DROP, OPTION = "prix-", "tranches-", "enveloppe-", "retirer-", "option-"
APPROXIMATE = "approches"
MORE, LESS, SAME = "plus", "moins", "egal"
UNKNOWN = "inconnu"  # the type of a member whose type is not filled in
LONGEST_BANDS = 2000
WRONG_PRICE = "Écrivez un prix en euros, comme 45,50."
NEGATIVE = "Un prix ne peut pas être négatif."
WRONG_CHOICE = "Ce choix n'existe pas : choisissez dans la liste."


class TariffForm(forms.Form):
    """The version to start from and the school year whose members and counts are taken."""

    version = forms.ChoiceField(label="Tarif à simuler", widget=UnfoldAdminSelectWidget)
    annee = forms.ChoiceField(
        label="Membres et effectifs de",
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": "Choisissez une année scolaire de la liste."},
    )

    def __init__(self, *args: Any, versions: QuerySet[Version], years: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].choices = _by_schedule(versions)
        self.fields["annee"].choices = [(school_year.label(y), school_year.label(y)) for y in years]


@dataclass(frozen=True)
class Asked:
    """The fields of one charge: its price, bands or pool, and whether it is left out."""

    charge: engine.Charge
    value: forms.BoundField
    drop: forms.BoundField


class HypothesisForm(forms.Form):
    """What changes of a version: what the address does not say keeps the value of the version."""

    approches = forms.BooleanField(
        label="Admettre les effectifs approchés",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="Des deux côtés : sans cela, les membres dont un effectif n'est pas un constat de "
        "rentrée sont mis à part.",
    )

    def __init__(
        self, given: Mapping[str, str], *args: Any, charges: Iterable[engine.Charge], **kwargs: Any
    ) -> None:
        self.charges = tuple(charges)
        fields: dict[str, forms.Field] = {}
        initial: dict[str, str] = {}
        for charge in self.charges:
            name, field, value = _value(charge)
            fields[name], initial[name] = field, value
            fields[DROP + charge.code] = forms.BooleanField(
                label=typography(f"Retirer « {charge.label} »"),
                required=False,
                widget=UnfoldBooleanWidget,
            )
        for option in self.option_codes:
            fields[OPTION + option] = _option(option)
            initial[OPTION + option] = SUBSCRIBED
        names = {APPROXIMATE, *fields}
        said = {name: given[name] for name in names if given.get(name, "").strip()}
        super().__init__({**initial, **said}, *args, **kwargs)
        self.fields |= fields
        self.first = initial

    @property
    def option_codes(self) -> list[str]:
        """Return the options of the version, in the order of its charges."""
        return list(dict.fromkeys(charge.subscription for charge in self.charges if charge.subscription))

    def asked(self) -> list[Asked]:
        """Return the fields of each charge."""
        return [Asked(c, self[_value_name(c)], self[DROP + c.code]) for c in self.charges]

    def options(self) -> list[forms.BoundField]:
        """Return the field of each option."""
        return [self[OPTION + option] for option in self.option_codes]

    def clean(self) -> dict[str, Any]:
        """Read the bands, and refuse a tariff without any charge."""
        for charge in self.charges:
            name = _value_name(charge)
            if _kind(charge) == BANDS and name in self.cleaned_data:
                self._read_bands(name, charge)
        if not self.errors and not changed(self.charges, self.changes()):
            raise forms.ValidationError(NO_TARIFF)
        return self.cleaned_data

    def _read_bands(self, name: str, charge: engine.Charge) -> None:
        """Read the bands of a charge; those of the version, left alone, are taken as they are."""
        text = "\n".join(self.cleaned_data[name].splitlines())
        if text == self.first[name]:
            self.cleaned_data[name] = charge.bands
            return
        try:
            self.cleaned_data[name] = read_bands(text, charge.bands)
        except BandsWrong as error:
            self.add_error(name, error.messages)

    def changes(self) -> Changes:
        """Return what the simulation changes of the version, and nothing that it leaves alone."""
        values: dict[str, dict[str, Any]] = {PRICE: {}, BANDS: {}, POOL: {}}
        for charge in self.charges:
            kind, value = _kind(charge), self.cleaned_data.get(_value_name(charge))
            former = {PRICE: charge.unit_price, BANDS: charge.bands, POOL: charge.pool}[kind]
            if value not in (None, "", former):
                values[kind][charge.code] = value
        return Changes(
            prices=values[PRICE],
            bands=values[BANDS],
            pools=values[POOL],
            dropped=frozenset(c.code for c in self.charges if self.cleaned_data.get(DROP + c.code)),
            takers={
                option: self.cleaned_data[OPTION + option]
                for option in self.option_codes
                if self.cleaned_data.get(OPTION + option, SUBSCRIBED) != SUBSCRIBED
            },
            approximate=self.cleaned_data.get(APPROXIMATE, False),
        )

    def query(self) -> dict[str, str]:
        """Return what the address must say to try the same again, and nothing more."""
        changes = self.changes()
        said = {PRICE + code: amount_text(amount) for code, amount in changes.prices.items()}
        said |= {BANDS + code: bands_text(bands) for code, bands in changes.bands.items()}
        said |= {POOL + code: amount_text(amount) for code, amount in changes.pools.items()}
        said |= {DROP + code: "on" for code in sorted(changes.dropped)}
        said |= {OPTION + option: who for option, who in changes.takers.items()}
        return said | ({APPROXIMATE: "on"} if changes.approximate else {})


class MembersForm(forms.Form):
    """Which members the table shows."""

    q = forms.CharField(label="Nom ou SIRET", required=False, widget=UnfoldAdminTextInputWidget)
    type = forms.ChoiceField(label="Type", required=False, widget=UnfoldAdminSelectWidget)
    sens = forms.ChoiceField(
        label="Écart",
        required=False,
        choices=[("", "Tous"), (MORE, "Paient plus"), (LESS, "Paient moins"), (SAME, "Inchangés")],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, kinds: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["type"].choices = [("", "Tous"), *kinds]


class SaveForm(forms.Form):
    """The name of the draft version to write."""

    label = forms.CharField(
        label="Nom de la version brouillon", max_length=100, widget=UnfoldAdminTextInputWidget
    )


def _by_schedule(versions: Iterable[Version]) -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[Schedule, list[tuple[str, str]]] = {}
    for version in versions:
        years = sorted(adoption.school_year for adoption in version.adoption_set.all())
        said = ", ".join(school_year.label(year) for year in years)
        label = f"{version.schedule.code} : {version.label} ({said or 'brouillon'})"
        groups.setdefault(version.schedule, []).append((str(version.pk), label))
    return [(str(schedule), choices) for schedule, choices in groups.items()]


def _kind(charge: engine.Charge) -> str:
    if charge.bands or charge.model == engine.BANDED:
        return BANDS
    return POOL if charge.model == engine.ALLOCATION else PRICE


def _value_name(charge: engine.Charge) -> str:
    return _kind(charge) + charge.code


def _value(charge: engine.Charge) -> tuple[str, forms.Field, str]:
    """Return the name, the field and the first value of what a charge costs."""
    name = _value_name(charge)
    if _kind(charge) == BANDS:
        first = bands_text(charge.bands)
        field: forms.Field = forms.CharField(
            label=typography(f"Tranches de « {charge.label} »"),
            required=False,
            max_length=max(LONGEST_BANDS, len(first)),
            widget=UnfoldAdminTextareaWidget(attrs={"rows": max(len(charge.bands) + 1, 4), "cols": 40}),
            help_text="Une tranche par ligne : 1 à 200 : 187,62",
        )
        return name, field, first
    if _kind(charge) == POOL:
        words = f"Enveloppe de « {charge.label} »"
        return name, _amount(words, 14, 2), amount_text(charge.pool)
    words = f"Prix de « {charge.label} »"
    return name, _amount(words, 12, 4), amount_text(charge.unit_price)


def _amount(label: str, digits: int, places: int) -> EurosField:
    return EurosField(
        label=typography(label),
        required=False,
        max_digits=digits,
        decimal_places=places,
        min_value=Decimal(0),
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "maxlength": 30}),
        error_messages={"invalid": WRONG_PRICE, "min_value": NEGATIVE},
    )


def _option(option: str) -> forms.ChoiceField:
    kinds = [
        (code, f"Souscrite, et prise par tout membre du type {label}")
        for code, label in Member.Kind.choices
        if code != Member.Kind.RPI  # it never pays
    ]
    return forms.ChoiceField(
        label=f"Option {option}",
        required=False,
        choices=[
            (SUBSCRIBED, "Payée par ceux qui l'ont souscrite"),
            (NOBODY, "Plus proposée : retirée du tarif"),
            (EVERYBODY, "Généralisée : payée par tous les membres"),
            *kinds,
        ],
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": WRONG_CHOICE},
    )

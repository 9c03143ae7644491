"""Columns that two databases read alike: money in integer cents, school years as integers."""

import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.text import capfirst

from entsvc import school_year
from entsvc.canonical import fingerprint


class EurosField(forms.DecimalField):
    """An amount, shown as 1234,56 and typed so, as 1 234,56 or as 1234.56."""

    def prepare_value(self, value: Any) -> Any:
        """Show the French comma, without the spaces that would be in the way of who corrects it."""
        return str(value).replace(".", ",") if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Decimal | None:
        """Read the French comma and spaces."""
        if isinstance(value, str):
            value = "".join(value.split()).replace(",", ".")
        return super().to_python(value)


NOTHING = Decimal("0.00")  # half of the amounts that a page of titres reads


class MoneyField(models.BigIntegerField):
    """Euros: a Decimal with two places in Python, a whole number of cents in the database.

    SQLite computes decimals as floats, so 0.10 + 0.20 <= 0.30 would be false there; integers make
    sums and CHECK constraints exact on both databases.
    """

    description = "Montant en euros"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        """Turn cents (int, or Decimal from an aggregate) into euros."""
        if value is None:
            return None
        return Decimal(value).scaleb(-2) if value else NOTHING

    def to_python(self, value: Any) -> Decimal | None:
        """Return euros as a Decimal with two places; refuse a fraction of a cent."""
        if value is None:
            return None
        try:
            amount = Decimal(str(value))
            exact = amount.quantize(Decimal("0.01"))
        except (InvalidOperation, ValueError) as error:
            raise ValidationError("Un montant en euros est attendu.") from error
        if exact != amount:
            raise ValidationError("Un montant a au plus deux décimales.")
        return exact

    def get_prep_value(self, value: Any) -> int | None:
        """Turn euros into cents; refuse a fraction of a cent."""
        if value is None or hasattr(value, "resolve_expression"):
            return value
        return int(self.to_python(value).scaleb(2))

    def value_to_string(self, obj: models.Model) -> str:
        """Serialise as euros."""
        value = self.value_from_object(obj)
        return "" if value is None else str(value)

    def formfield(self, **kwargs: Any) -> forms.Field:
        """Edit as euros with two places, written as people write them."""
        return EurosField(
            required=not self.blank,
            label=capfirst(kwargs.get("label", self.verbose_name)),
            help_text=self.help_text,
            decimal_places=2,
            max_digits=14,
            **{k: v for k, v in kwargs.items() if k in ("initial", "widget", "disabled")},
        )


class SchoolYearFormField(forms.CharField):
    """A school year typed as 2024-2025."""

    def prepare_value(self, value: Any) -> Any:
        """Show 2024 as 2024-2025."""
        return school_year.label(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:
        """Read 2024-2025 as 2024."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return school_year.parse(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class SchoolYearField(models.PositiveSmallIntegerField):
    """A school year stored as its first calendar year; `<name>_label` reads "2024-2025"."""

    description = "Année scolaire"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "Écrite comme 2024-2025.")
        super().__init__(*args, **kwargs)

    @property
    def flatchoices(self) -> list[tuple[int, str]]:
        """Read "2024-2025" wherever a page shows the value without its form; any year may be typed."""
        return [
            (year, school_year.label(year)) for year in range(school_year.FIRST, school_year.LAST + 1)
        ]

    @property
    def validators(self) -> list:
        """Refuse years that can only be typing errors."""
        return [
            *super().validators,
            MinValueValidator(school_year.FIRST),
            MaxValueValidator(school_year.LAST),
        ]

    def contribute_to_class(self, cls: type, name: str, **kwargs: Any) -> None:
        """Add the `<name>_label` property to the model."""
        super().contribute_to_class(cls, name, **kwargs)

        def year_label(instance: models.Model) -> str:
            value = getattr(instance, name)
            return "" if value is None else school_year.label(value)

        year_label.short_description = self.verbose_name
        setattr(cls, f"{name}_label", property(year_label))

    def formfield(self, **kwargs: Any) -> forms.Field:
        """Edit as text."""
        return SchoolYearFormField(
            required=not self.blank,
            label=capfirst(kwargs.get("label", self.verbose_name)),
            help_text=self.help_text,
            **{k: v for k, v in kwargs.items() if k in ("initial", "widget", "disabled")},
        )


def search_key(text: str) -> str:
    """Return text without case nor accents, as search columns hold it."""
    plain = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE"))
    return " ".join(plain.encode("ascii", "ignore").decode().lower().replace("-", " ").split())


class SearchField(models.CharField):
    """The words of other columns without case nor accents: SQLite does not match évry with Évry."""

    derived = True  # written whatever the file of an import gives

    def __init__(self, *args: Any, from_fields: tuple[str, ...] = (), **kwargs: Any) -> None:
        self.from_fields = from_fields
        kwargs.update(max_length=500, editable=False, default="")
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple:
        """Keep migrations free of what the database does not see."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {k: v for k, v in kwargs.items() if k != "from_fields"}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        """Derive the value from the other columns."""
        words = " ".join(str(getattr(model_instance, name) or "") for name in self.from_fields)
        value = search_key(words)[: self.max_length]
        setattr(model_instance, self.attname, value)
        return value


class FingerprintField(models.CharField):
    """The SHA-256 of a JSON column, written with it: what shows that the column was changed since."""

    def __init__(self, *args: Any, of: str = "", **kwargs: Any) -> None:
        self.of = of
        kwargs.update(max_length=64, editable=False, blank=True, default="")
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple:
        """Name the column it is the fingerprint of."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "of": self.of}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        """Derive the value from the other column, when the row is written first."""
        if add:
            setattr(model_instance, self.attname, fingerprint(getattr(model_instance, self.of)))
        return getattr(model_instance, self.attname)

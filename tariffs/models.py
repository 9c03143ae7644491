"""A tariff is data: schedule → version → charge → band, adopted for a school year by an act.

Once adopted, a version no longer changes: the database itself refuses it (see `FrozenOnceAdopted`).
"""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from entsvc.fields import MoneyField, SchoolYearField
from entsvc.triggers import frozen_when, protected
from members.models import Act, Issuer, School
from tariffs.bands import band_problems
from tariffs.engine import DEDUCTION


class Schedule(models.Model):
    """A barème: what an issuer bills under one kind of agreement, and where it is accounted for."""

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    code = models.SlugField("code", max_length=30, unique=True)
    name = models.CharField("intitulé", max_length=200)
    subject = models.CharField(
        "objet des titres",
        max_length=160,
        help_text="Complété par l'année scolaire, par exemple : Participation à l'ENT-École.",
    )
    vat = models.CharField("mention de TVA", max_length=150, default="Hors du champ de la TVA")
    programme = models.CharField("programme ou fonds de concours", max_length=50, blank=True)
    account = models.CharField("compte ou nature", max_length=12, blank=True)
    function_code = models.CharField("fonction", max_length=10, blank=True)
    local_product = models.CharField("code produit local", max_length=4, blank=True)
    note = models.TextField("notes", blank=True, help_text="Décisions prises où les textes se taisent.")
    history = HistoricalRecords()

    class Meta:
        verbose_name = "barème"
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} – {self.name}"


NOT_NEGATIVE = MinValueValidator(Decimal("0"), message="Un prix ne peut pas être négatif.")
FROZEN = "Cette version est adoptée : elle ne change plus. Copiez-la pour préparer la suivante."


@frozen_when("EXISTS (SELECT 1 FROM tariffs_adoption a WHERE a.version_id = ROW.id)")
class Version(models.Model):
    """The prices of a schedule at one moment."""

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème")
    label = models.CharField("version", max_length=100)
    note = models.TextField("notes", blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "version de tarif"
        verbose_name_plural = "versions de tarif"
        ordering = ["schedule", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "label"],
                name="version_label_once",
                violation_error_message="Ce barème a déjà une version de ce nom.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.schedule.code}, {self.label}"

    @property
    def is_adopted(self) -> bool:
        """Tell whether an act adopted this version: it is then frozen."""
        return self.pk is not None and Adoption.objects.filter(version=self).exists()

    def clean(self) -> None:
        """Refuse any change to an adopted version."""
        if self.is_adopted:
            raise ValidationError(FROZEN)


@frozen_when("EXISTS (SELECT 1 FROM tariffs_adoption a WHERE a.version_id = ROW.version_id)")
class Charge(models.Model):
    """One thing billed: a metric, a charge model and a scope."""

    class Metric(models.TextChoices):
        PUPILS = "pupils", "Élèves"
        ACTIVE_PUPILS = "active_pupils", "Élèves actifs au-delà du seuil"
        SCHOOLS = "schools", "Écoles"
        UNITS = "units", "Unités commandées ou livrées"

    class Model(models.TextChoices):
        UNIT = "unit", "Prix unitaire × quantité"
        BANDED = "banded", "Prix de la tranche"
        ALLOCATION = "allocation", "Répartition d'une enveloppe"

    issuer_path = "version__schedule__issuer"

    version = models.ForeignKey(Version, models.CASCADE, verbose_name="version", related_name="charges")
    code = models.SlugField("code", max_length=20)
    label = models.CharField("libellé", max_length=150)
    unit_label = models.CharField(
        "unité", max_length=50, help_text="Au singulier, comme elle s'écrit sur le titre : école."
    )
    unit_plural = models.CharField("unité au pluriel", max_length=50)
    position = models.PositiveSmallIntegerField("ordre", default=1)
    metric = models.CharField("métrique", max_length=13, choices=Metric)
    model = models.CharField("modèle", max_length=10, choices=Model, default=Model.UNIT)
    unit_price = models.DecimalField(
        "prix unitaire TTC",
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[NOT_NEGATIVE],
    )
    pool = MoneyField(
        "enveloppe à répartir",
        null=True,
        blank=True,
        validators=[NOT_NEGATIVE],
        help_text="Fixée par le tarif ; laissez vide quand elle est saisie chaque année.",
    )
    degree = models.CharField("degré", max_length=8, choices=School.Degree, blank=True)
    sector = models.CharField("secteur", max_length=6, choices=School.Sector, blank=True)
    subscription = models.SlugField(
        "option souscrite",
        max_length=20,
        blank=True,
        help_text="Seules les conventions qui ont souscrit ce code sont concernées.",
    )
    notice = models.CharField(
        "avis",
        max_length=300,
        blank=True,
        help_text="Affiché sur chaque calcul où cette ligne est facturée.",
    )
    note = models.TextField("notes", blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "ligne tarifaire"
        verbose_name_plural = "lignes tarifaires"
        ordering = ["version", "position", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "code"],
                name="charge_code_once",
                violation_error_message="Cette version a déjà une ligne de ce code.",
            ),
            models.CheckConstraint(
                condition=Q(unit_price__isnull=True) | Q(unit_price__gte=0),
                name="charge_price_positive",
                violation_error_message="Un prix ne peut pas être négatif.",
            ),
            models.CheckConstraint(
                condition=Q(pool__isnull=True) | Q(pool__gte=0),
                name="charge_pool_positive",
                violation_error_message="Une enveloppe ne peut pas être négative.",
            ),
            models.CheckConstraint(
                condition=(Q(model="unit") & Q(unit_price__isnull=False))
                | (~Q(model="unit") & Q(unit_price__isnull=True)),
                name="charge_unit_price_for_unit",
                violation_error_message="Le prix unitaire va avec le modèle « prix unitaire ».",
            ),
            models.CheckConstraint(
                condition=Q(model="allocation") | Q(pool__isnull=True),
                name="charge_pool_for_allocation",
                violation_error_message="L'enveloppe va avec le modèle « répartition ».",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} – {self.label}"

    def clean(self) -> None:
        """Refuse what the model of the charge does not read, naming the field."""
        if self.version_id and self.version.is_adopted:
            raise ValidationError(FROZEN)
        problems: dict[str, Any] = {}
        if self.code.upper() == DEDUCTION:
            problems["code"] = f"Le code {DEDUCTION} est réservé aux déductions décidées."
        if self.model == self.Model.UNIT and self.unit_price is None:
            problems["unit_price"] = "Ce modèle demande un prix unitaire."
        if self.model != self.Model.UNIT and self.unit_price is not None:
            problems["unit_price"] = "Le prix unitaire va avec le modèle « prix unitaire »."
        if self.model != self.Model.ALLOCATION and self.pool is not None:
            problems["pool"] = "L'enveloppe va avec le modèle « répartition »."
        if problems:
            raise ValidationError(problems)


@frozen_when(
    "EXISTS (SELECT 1 FROM tariffs_adoption a JOIN tariffs_charge c ON c.version_id = a.version_id "
    "WHERE c.id = ROW.charge_id)"
)
class Band(models.Model):
    """A price for a range of quantities, both bounds included."""

    charge = models.ForeignKey(
        Charge, models.CASCADE, verbose_name="ligne tarifaire", related_name="bands"
    )
    lower = models.PositiveIntegerField("de")
    upper = models.PositiveIntegerField("à (compris)")
    price = MoneyField("prix TTC", validators=[NOT_NEGATIVE])
    note = models.CharField(
        "note de bord",
        max_length=300,
        blank=True,
        help_text="Affichée pour une école dont l'effectif est exactement la borne haute.",
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = "tranche"
        ordering = ["charge", "lower"]
        constraints = [
            models.CheckConstraint(
                condition=Q(upper__gte=F("lower")),
                name="band_in_order",
                violation_error_message="La fin de la tranche précède son début.",
            ),
            models.CheckConstraint(
                condition=Q(price__gte=0),
                name="band_price_positive",
                violation_error_message="Un prix ne peut pas être négatif.",
            ),
            models.UniqueConstraint(
                fields=["charge", "lower"],
                name="band_lower_once",
                violation_error_message="Deux tranches commencent au même effectif.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lower} à {self.upper}"

    def clean(self) -> None:
        """Refuse a band that ends before it begins, on its bound."""
        if None not in (self.lower, self.upper) and self.upper < self.lower:
            raise ValidationError({"upper": "La fin de la tranche précède son début."})


@protected(deletable=True)
class Adoption(models.Model):
    """The vote that makes a version the tariff of a school year.

    It can be withdrawn while no calculation rests on it, never changed.
    """

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème")
    school_year = SchoolYearField("année scolaire")
    version = models.ForeignKey(Version, models.RESTRICT, verbose_name="version")
    act = models.ForeignKey(Act, models.RESTRICT, verbose_name="acte", related_name="+")
    history = HistoricalRecords()

    class Meta:
        verbose_name = "adoption"
        ordering = ["schedule", "-school_year"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year"],
                name="adoption_once_per_year",
                violation_error_message="Un tarif est déjà adopté pour cette année scolaire.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.schedule.code} {self.school_year_label} : {self.version.label}"

    def clean(self) -> None:
        """Refuse a version of another schedule, or one that could not price what it says."""
        if not (self.version_id and self.schedule_id):
            return
        if self.version.schedule_id != self.schedule_id:
            raise ValidationError({"version": "Cette version est celle d'un autre barème."})
        problems = incomplete_charges(self.version)
        if problems:
            raise ValidationError({"version": problems})


def incomplete_charges(version: Version) -> list[str]:
    """Return what keeps a version from being adopted: no charge, or bands missing or not contiguous."""
    charges = list(version.charges.prefetch_related("bands").order_by("position", "code"))
    if not charges:
        return ["Cette version n'a aucune ligne tarifaire."]
    problems = []
    for charge in charges:
        bands = [(band.lower, band.upper) for band in charge.bands.all()]
        if charge.model == Charge.Model.BANDED and not bands:
            problems.append(f"La ligne {charge.code} n'a aucune tranche.")
        if charge.model != Charge.Model.BANDED and bands:
            problems.append(f"La ligne {charge.code} a des tranches que son modèle ne lit pas.")
        problems += band_problems(bands).values()
    return problems

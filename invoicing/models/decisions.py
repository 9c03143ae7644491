"""What staff decide about a year's calls: pools, deductions, exclusions, accepted anomalies.

Each is read by the next calculation and frozen in its basis: changing one never changes a former run.
"""

from django.db import models
from django.db.models import Q

from entsvc.fields import MoneyField, SchoolYearField
from members.models import Act, Member, School
from tariffs.models import Schedule


class Decision(models.Model):
    """A reasoned decision about the calls of a schedule for a school year."""

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    school_year = SchoolYearField("année scolaire")
    reason = models.CharField("motif ou référence", max_length=300)
    decided_by = models.CharField("décidé par", max_length=150, editable=False)
    decided_at = models.DateTimeField("décidé le", auto_now_add=True)

    issuer_path = "schedule__issuer"

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.schedule.code} {self.school_year_label} : {self.reason}"


class YearPool(Decision):
    """The net cost that an allocation shares out this year, with the reference that proves it."""

    charge = models.SlugField("ligne tarifaire", max_length=20, help_text="Code, comme COMMUN.")
    amount = MoneyField("montant net à répartir")

    class Meta:
        verbose_name = "enveloppe de l'année"
        verbose_name_plural = "enveloppes de l'année"
        ordering = ["-school_year", "schedule", "charge"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year", "charge"],
                name="year_pool_once",
                violation_error_message="L'enveloppe de cette ligne est déjà saisie pour l'année.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0),
                name="year_pool_not_negative",
                violation_error_message="Une enveloppe ne peut pas être négative.",
            ),
        ]


class DecidedDeduction(Decision):
    """A subsidy that a decision takes off a debtor's call (FEDER, subsidies of communes)."""

    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="payeur", related_name="+")
    label = models.CharField("libellé", max_length=150, help_text="Tel qu'imprimé sur le titre.")
    amount = MoneyField("montant")
    act = models.ForeignKey(
        Act, models.RESTRICT, verbose_name="acte", related_name="+", null=True, blank=True
    )

    class Meta:
        verbose_name = "déduction décidée"
        verbose_name_plural = "déductions décidées"
        ordering = ["-school_year", "schedule", "debtor", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="deduction_positive",
                violation_error_message="Le montant d'une déduction est positif.",
            )
        ]


class Exclusion(Decision):
    """A school left out of a year's calls, so that it does not hold up the others."""

    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école", related_name="+")

    class Meta:
        verbose_name = "école écartée"
        verbose_name_plural = "écoles écartées"
        ordering = ["-school_year", "schedule", "school"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year", "school"],
                name="exclusion_once",
                violation_error_message="Cette école est déjà écartée pour l'année.",
            )
        ]


class Acceptance(Decision):
    """An anomaly that may be accepted, accepted with a reason: for a debtor, a school, or all."""

    class Code(models.TextChoices):
        COUNT_NOT_BILLABLE = "count_not_billable", "Effectif approché"

    code = models.CharField("anomalie", max_length=30, choices=Code)
    debtor = models.ForeignKey(
        Member,
        models.RESTRICT,
        verbose_name="payeur",
        related_name="+",
        null=True,
        blank=True,
        help_text="Laissez vide pour tous les payeurs.",
    )
    school = models.ForeignKey(
        School,
        models.RESTRICT,
        verbose_name="école",
        related_name="+",
        null=True,
        blank=True,
        help_text="Laissez vide pour toutes les écoles.",
    )

    class Meta:
        verbose_name = "anomalie acceptée"
        verbose_name_plural = "anomalies acceptées"
        ordering = ["-school_year", "schedule", "code", "pk"]

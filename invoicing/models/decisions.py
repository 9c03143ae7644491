"""What staff decide about a year's calls: pools, deductions, exclusions, accepted anomalies.

Each is read by the next calculation and frozen in its basis: changing one never changes a former run.
"""

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

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
    history = HistoricalRecords(inherit=True)

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
    subsidy = models.OneToOneField(
        "invoicing.Subsidy",
        models.RESTRICT,
        verbose_name="subvention",
        related_name="deduction",
        null=True,
        blank=True,
        editable=False,
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
        DEDUCTION_ABOVE_CALL = "deduction_above_call", "Déduction au-delà du montant dû"
        VOTED_AMOUNT_DIFFERS = "voted_amount_differs", "Montant différent de celui voté"
        OBJECTION_UNANSWERED = "objection_unanswered", "Contestation sans réponse"
        OBJECTION_TO_MEND = "objection_to_mend", "Contestation acceptée, à corriger"

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


class Adjustment(Decision):
    """A line that a finance officer adds to a call by hand, with its reason, printed as it is."""

    # Printed whole in the words of a line, beside the amount.
    reason = models.CharField("motif", max_length=250, help_text="Tel qu'imprimé sur le titre.")
    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="payeur", related_name="+")
    label = models.CharField("libellé", max_length=150, help_text="Tel qu'imprimé sur le titre.")
    amount = MoneyField("montant", help_text="Négatif s'il vient en moins.")

    class Meta:
        verbose_name = "ajustement manuel"
        verbose_name_plural = "ajustements manuels"
        ordering = ["-school_year", "schedule", "debtor", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(amount=0),
                name="adjustment_not_zero",
                violation_error_message="Un ajustement n'est pas nul.",
            )
        ]


class VotedAmount(Decision):
    """What the committee voted to ask of a member for a year: a call that differs must be accepted."""

    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="payeur", related_name="+")
    amount = MoneyField("montant voté")
    act = models.ForeignKey(Act, models.RESTRICT, verbose_name="délibération", related_name="+")

    class Meta:
        verbose_name = "montant voté"
        verbose_name_plural = "montants votés"
        ordering = ["-school_year", "schedule", "debtor"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year", "debtor"],
                name="voted_amount_once",
                violation_error_message="Le montant voté pour ce membre est déjà saisi.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0),
                name="voted_amount_not_negative",
                violation_error_message="Un montant voté n'est pas négatif.",
            ),
        ]


class CallRules(models.Model):
    """What holds back the calls of a schedule, beyond their anomalies; without a row, nothing does."""

    class Small(models.TextChoices):
        ISSUE = "emettre", "Émettre quand même"
        DEFER = "regrouper", "Reporter : appelés avec la campagne suivante"
        SKIP = "abandonner", "Ne pas appeler"

    issuer_path = "schedule__issuer"

    schedule = models.OneToOneField(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    after_year_end = models.BooleanField(
        "appel après la fin de l'année scolaire",
        default=False,
        help_text="Aucun titre n'est émis avant le 1er septembre qui suit.",
    )
    needs_statement = models.BooleanField(
        "enveloppe tirée d'un état des dépenses clos",
        default=False,
        help_text="Une enveloppe saisie à la main ne suffit plus.",
    )
    small_amounts = models.CharField(
        "sous le seuil de recouvrement", max_length=10, choices=Small, default=Small.ISSUE
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = "règle d'appel"
        verbose_name_plural = "règles d'appel"
        ordering = ["schedule"]

    def __str__(self) -> str:
        return f"Appels de {self.schedule.code}"

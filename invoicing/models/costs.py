"""What a year's service cost and who helped to pay for it: statements of expenses, and subsidies."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from entsvc.fields import MoneyField, SchoolYearField
from entsvc.models import StoredDocument
from entsvc.triggers import frozen_when
from members.models import Act, Member
from tariffs.models import Schedule

CLOSED = "etat des depenses clos : il ne change plus"
# What was visaed is what is closed: a statement and the rows behind it are frozen from the visa on, but
# for what withdraws the visa or closes.
VISAED = "etat des depenses vise ou clos : il ne change plus"
STATEMENT_VISAED = (
    "EXISTS (SELECT 1 FROM invoicing_coststatement s WHERE s.id = ROW.statement_id "
    "AND s.visa_at IS NOT NULL)"
)


class Degree(models.TextChoices):
    """What an expense is for: the costs of the collèges stay out of the premier degré's pool [D16]."""

    FIRST = "1D", "Premier degré"
    SECOND = "2D", "Second degré"


class Category(models.TextChoices):
    """The five categories of net common cost (charter of 24 June 2014, Somme)."""

    RUNNING = "fonctionnement", "Fonctionnement, assistance et suivi de projet"
    CONTENTS = "contenus", "Contenus payants"
    PLATFORM = "plateforme", "Plateforme"
    ACCOUNTS = "comptes", "Comptes des élèves"
    ADMINISTRATION = "administration", "Administration"


@frozen_when("ROW.closed_at IS NOT NULL", CLOSED, reachable=True)
@frozen_when(
    "ROW.visa_at IS NOT NULL",
    VISAED,
    reachable=True,
    follow_up=("visa_by", "visa_at", "closed_by", "closed_at", "pool", "document"),
)
class CostStatement(models.Model):
    """The expenses of a school year that a charge shares out: prepared, visaed, then closed for good."""

    class State(models.TextChoices):
        PREPARED = "prepare", "En préparation"
        VISAED = "vise", "Visé"
        CLOSED = "clos", "Clos"

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    school_year = SchoolYearField("année scolaire")
    charge = models.SlugField("ligne tarifaire", max_length=20, help_text="Code, comme COMMUN.")
    degree = models.CharField("degré", max_length=2, choices=Degree)
    starts_on = models.DateField("dépenses payées à partir du")
    ends_on = models.DateField("jusqu'au")
    visa_by = models.CharField("visé par", max_length=150, blank=True, editable=False)
    visa_at = models.DateTimeField("visé le", null=True, blank=True, editable=False)
    closed_by = models.CharField("clos par", max_length=150, blank=True, editable=False)
    closed_at = models.DateTimeField("clos le", null=True, blank=True, editable=False)
    pool = MoneyField("montant net à répartir", null=True, blank=True, editable=False)
    document = models.ForeignKey(
        StoredDocument,
        models.RESTRICT,
        verbose_name="document",
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = "état des dépenses"
        verbose_name_plural = "états des dépenses"
        ordering = ["-school_year", "schedule", "charge"]
        permissions = [
            ("visa_statement", "Peut viser un état des dépenses"),
            ("close_statement", "Peut clore un état des dépenses"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year", "charge"],
                name="cost_statement_once",
                violation_error_message="L'état des dépenses de cette ligne existe déjà pour l'année.",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__gte=F("starts_on")),
                name="cost_statement_period_in_order",
                violation_error_message="La fin de la période précède son début.",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, pool__isnull=True)
                | Q(closed_at__isnull=False, visa_at__isnull=False, pool__isnull=False, pool__gte=0),
                name="cost_statement_visaed_before_it_closes",
                violation_error_message="Un état se clôt après son visa, avec son montant net.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schedule.code} {self.charge} {self.school_year_label}"

    @property
    def state(self) -> "CostStatement.State":
        """Return how far the statement has come."""
        if self.closed_at:
            return self.State.CLOSED
        return self.State.VISAED if self.visa_at else self.State.PREPARED


@frozen_when(STATEMENT_VISAED, VISAED)
class Expense(models.Model):
    """An expense paid to a supplier, with the mandat that proves it."""

    issuer_path = "statement__schedule__issuer"

    statement = models.ForeignKey(
        CostStatement, models.RESTRICT, verbose_name="état", related_name="expenses"
    )
    category = models.CharField("catégorie", max_length=15, choices=Category)
    degree = models.CharField(
        "degré",
        max_length=2,
        choices=Degree,
        help_text="Une dépense d'un autre degré que celui de l'état n'est pas répartie.",
    )
    supplier = models.CharField("fournisseur", max_length=200)
    label = models.CharField("objet", max_length=200)
    mandat = models.CharField("numéro de mandat", max_length=30)
    paid_on = models.DateField("payée le")
    starts_on = models.DateField("période du service, du", null=True, blank=True)
    ends_on = models.DateField("au", null=True, blank=True)
    amount = MoneyField("montant TTC")

    history = HistoricalRecords()

    class Meta:
        verbose_name = "dépense"
        ordering = ["statement", "category", "paid_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="expense_positive",
                violation_error_message="Le montant d'une dépense est positif.",
            ),
            models.CheckConstraint(
                condition=Q(starts_on__isnull=True)
                | Q(ends_on__isnull=True)
                | Q(ends_on__gte=F("starts_on")),
                name="expense_period_in_order",
                violation_error_message="La fin de la période précède son début.",
            ),
            models.UniqueConstraint(
                fields=["statement", "mandat", "category", "label", "amount"],
                name="expense_once",
                violation_error_message="Cette dépense est déjà saisie avec le même mandat.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.supplier}, mandat {self.mandat}"


@frozen_when(STATEMENT_VISAED, VISAED)
class OwnShare(models.Model):
    """The part of a category charged to the issuer's own budget: euros, or a percentage."""

    issuer_path = "statement__schedule__issuer"

    statement = models.ForeignKey(
        CostStatement, models.RESTRICT, verbose_name="état", related_name="own_shares"
    )
    category = models.CharField("catégorie", max_length=15, choices=Category)
    amount = MoneyField("montant", null=True, blank=True)
    rate = models.DecimalField(
        "taux (%)", max_digits=5, decimal_places=2, null=True, blank=True, help_text="De 0 à 100."
    )
    reason = models.CharField("motif ou référence", max_length=300)

    history = HistoricalRecords()

    class Meta:
        verbose_name = "part du budget propre"
        verbose_name_plural = "parts du budget propre"
        ordering = ["statement", "category"]
        constraints = [
            models.UniqueConstraint(
                fields=["statement", "category"],
                name="own_share_once",
                violation_error_message="La part de cette catégorie est déjà saisie.",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=False, amount__gte=0, rate__isnull=True)
                | Q(amount__isnull=True, rate__isnull=False, rate__gte=0, rate__lte=100),
                name="own_share_is_amount_or_rate",
                violation_error_message="Donnez un montant, ou un taux de 0 à 100, et un seul des deux.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_category_display()} : {self.reason}"


@frozen_when(f"ROW.statement_id IS NOT NULL AND {STATEMENT_VISAED}", VISAED)
class Subsidy(models.Model):
    """What a third party gives: pledged, then notified, then received; for a debtor or for a pool."""

    class Stage(models.TextChoices):
        PLEDGED = "promise", "Promise"
        NOTIFIED = "notifiee", "Notifiée"
        RECEIVED = "recue", "Reçue"

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    school_year = SchoolYearField("année scolaire")
    giver = models.CharField("financeur", max_length=200)
    label = models.CharField("libellé", max_length=150, help_text="Tel qu'imprimé sur le titre.")
    debtor = models.ForeignKey(
        Member,
        models.RESTRICT,
        verbose_name="vient en moins de l'appel de",
        related_name="+",
        null=True,
        blank=True,
    )
    statement = models.ForeignKey(
        CostStatement,
        models.RESTRICT,
        verbose_name="ou vient en moins de l'état des dépenses",
        related_name="subsidies",
        null=True,
        blank=True,
    )
    pledged = MoneyField("montant promis", null=True, blank=True)
    pledged_on = models.DateField("promise le", null=True, blank=True)
    notified = MoneyField("montant notifié", null=True, blank=True)
    notified_on = models.DateField("notifiée le", null=True, blank=True)
    received = MoneyField("montant reçu", null=True, blank=True)
    received_on = models.DateField("reçue le", null=True, blank=True)
    act = models.ForeignKey(
        Act, models.RESTRICT, verbose_name="acte", related_name="+", null=True, blank=True
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = "subvention"
        ordering = ["-school_year", "schedule", "giver", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(debtor__isnull=False, statement__isnull=True)
                | Q(debtor__isnull=True, statement__isnull=False),
                name="subsidy_benefits_one",
                violation_error_message="Une subvention vient en moins d'un appel ou d'un état des "
                "dépenses : choisissez l'un des deux.",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{stage: None, f"{stage}_on": None})
                    | Q(**{f"{stage}__isnull": False, f"{stage}__gt": 0, f"{stage}_on__isnull": False}),
                    name=f"subsidy_{stage}_has_its_date",
                    violation_error_message="Un montant de subvention est positif et a sa date.",
                )
                for stage in ("pledged", "notified", "received")
            ),
            models.CheckConstraint(
                condition=Q(pledged__isnull=False)
                | Q(notified__isnull=False)
                | Q(received__isnull=False),
                name="subsidy_has_an_amount",
                violation_error_message="Donnez au moins un montant, promis, notifié ou reçu.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.giver} : {self.label}"

    def clean(self) -> None:
        """Refuse a statement that is visaed: its net amount no longer changes."""
        if self.statement is not None and self.statement.visa_at:
            raise ValidationError(
                "Cet état des dépenses est visé ou clos : avant sa clôture, rouvrez-le pour y changer "
                "une subvention."
            )

    @property
    def stage(self) -> "Subsidy.Stage":
        """Return how far the subsidy has come."""
        if self.received is not None:
            return self.Stage.RECEIVED
        return self.Stage.PLEDGED if self.notified is None else self.Stage.NOTIFIED

    @property
    def counted(self) -> Decimal:
        """Return the euros that count: those received, else notified; a pledge is not one yet."""
        amounts = (self.received, self.notified, Decimal("0.00"))
        return next(amount for amount in amounts if amount is not None)

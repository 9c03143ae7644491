"""Campaign → run → call → line: what a calculation found, frozen with its basis."""

from functools import cached_property
from typing import Any

from django.db import models
from django.db.models import Q

from entsvc.bulk import BulkManager
from entsvc.fields import MoneyField, SchoolYearField
from entsvc.triggers import frozen_when, protected
from members.models import Member
from tariffs.models import Adoption, Schedule


class Campaigns(models.QuerySet):
    """Campaigns, the yearly ones told from what is billed apart."""

    def of_year(self, schedule: Any, year: int) -> "Campaigns":
        """Return the principal campaign of a schedule and school year and its supplementary ones."""
        return self.filter(schedule=schedule, school_year=year, apart=False)


@frozen_when(
    "EXISTS (SELECT 1 FROM invoicing_titre t WHERE t.campaign_id = ROW.id)",
    "campagne dont un titre est emis : elle ne change plus",
)
class Campaign(models.Model):
    """The calls of one schedule for one school year: rank 1 is the principal one.

    What is billed apart, a quote or some deliveries, is a campaign of its own: the yearly ones neither
    count nor complete it.
    """

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    school_year = SchoolYearField("année scolaire")
    rank = models.PositiveSmallIntegerField(
        "rang", default=1, help_text="1 pour la campagne principale, puis les complémentaires."
    )
    reason = models.CharField(
        "motif",
        max_length=300,
        blank=True,
        help_text="D'une campagne complémentaire : école oubliée, membre tardif…",
    )
    apart = models.BooleanField("facturée à part", default=False, editable=False)
    quote = models.OneToOneField(
        "invoicing.Quote",
        models.RESTRICT,
        verbose_name="devis",
        related_name="campaign",
        null=True,
        blank=True,
        editable=False,
    )

    objects = Campaigns.as_manager()

    class Meta:
        verbose_name = "campagne"
        ordering = ["-school_year", "schedule", "rank"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year", "apart", "rank"],
                name="campaign_once",
                violation_error_message="Cette campagne existe déjà.",
            ),
            models.CheckConstraint(
                condition=Q(rank__gte=1),
                name="campaign_rank_positive",
                violation_error_message="Le rang commence à 1.",
            ),
            models.CheckConstraint(
                condition=Q(rank=1, apart=False) | ~Q(reason=""),
                name="campaign_supplementary_says_why",
                violation_error_message="Une campagne complémentaire, ou à part, dit pourquoi.",
            ),
            models.CheckConstraint(
                condition=Q(quote__isnull=True) | Q(apart=True),
                name="campaign_of_a_quote_is_apart",
                violation_error_message="Un devis se facture à part.",
            ),
        ]

    def clean(self) -> None:
        """Check uniqueness even where the form does not show the rank."""
        self.validate_constraints()

    def __str__(self) -> str:
        suffix = "" if self.rank == 1 else f", complémentaire n° {self.rank - 1}"
        if self.apart:
            suffix = f", à part n° {self.rank} ({self.reason})"
        return f"{self.schedule.code} {self.school_year_label}{suffix}"

    @property
    def slug(self) -> str:
        """Return how its files are named: it tells the campaign from all others."""
        rank = f"-{self.rank}" if self.rank > 1 else ""
        apart = "-a-part" if self.apart else ""
        return f"{self.schedule.code}-{self.school_year_label}{apart}{rank}"

    @property
    def together(self) -> Campaigns:
        """Return the campaigns that must not bill the same twice: those of its year, or itself apart."""
        if self.apart:
            return Campaign.objects.filter(pk=self.pk)
        return Campaign.objects.of_year(self.schedule_id, self.school_year)


@protected()
class Run(models.Model):
    """One calculation, with the frozen basis it read: never changed, repeated by another run."""

    issuer_path = "campaign__schedule__issuer"

    campaign = models.ForeignKey(Campaign, models.RESTRICT, verbose_name="campagne", related_name="runs")
    adoption = models.ForeignKey(
        Adoption,
        models.RESTRICT,
        verbose_name="adoption du tarif",
        related_name="+",
        null=True,
        help_text="Vide pour un devis : ses prix sont ceux du catalogue.",
    )
    number = models.PositiveIntegerField("numéro du calcul")
    computed_at = models.DateTimeField("calculé le", auto_now_add=True)
    computed_by = models.CharField("calculé par", max_length=150)
    total = MoneyField("total")
    basis = models.JSONField("bases du calcul")
    basis_sha256 = models.CharField("empreinte des bases", max_length=64)

    class Meta:
        verbose_name = "calcul"
        ordering = ["-computed_at", "-pk"]
        permissions = [("compute_run", "Peut lancer un calcul")]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="run_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}, calcul {self.number}"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Return the facts of its basis, read alone where the basis was left in the database."""
        return self._part("facts")

    @cached_property
    def charges(self) -> list[dict[str, Any]]:
        """Return the frozen charges of its basis, likewise."""
        return self._part("charges")

    def _part(self, name: str) -> Any:
        if "basis" in self.get_deferred_fields():
            return Run.objects.values_list(f"basis__{name}", flat=True).get(pk=self.pk)
        return self.basis[name]


@protected()
class Call(models.Model):
    """What one debtor owes according to a run."""

    issuer_path = "run__campaign__schedule__issuer"

    run = models.ForeignKey(Run, models.RESTRICT, verbose_name="calcul", related_name="calls")
    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="payeur", related_name="+")
    siret = models.CharField("SIRET", max_length=14)
    name = models.CharField("nom", max_length=200)
    total = MoneyField("total")

    objects = BulkManager()

    class Meta:
        verbose_name = "appel"
        ordering = ["run", "siret"]
        constraints = [
            models.UniqueConstraint(fields=["run", "debtor"], name="call_once_per_debtor"),
            models.CheckConstraint(condition=Q(total__gte=0), name="call_total_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.siret})"


class LineFacts(models.Model):
    """A printed line: quantity × unit price = amount, and the words of it."""

    position = models.PositiveIntegerField("ordre")
    charge = models.CharField("ligne tarifaire", max_length=20)
    charge_label = models.CharField("libellé", max_length=150)
    agreement = models.CharField("convention", max_length=50, blank=True)
    uai = models.CharField("UAI", max_length=8, blank=True)
    school = models.CharField("école", max_length=200, blank=True)
    commune = models.CharField("commune", max_length=100, blank=True)
    quantity = models.PositiveIntegerField("quantité")
    unit = models.CharField("unité", max_length=50)
    unit_price = models.DecimalField("prix unitaire", max_digits=12, decimal_places=4, null=True)
    amount = MoneyField("montant")
    explanation = models.CharField("explication", max_length=300)

    objects = BulkManager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.explanation


@protected()
class CallLine(LineFacts):
    """A line of a call."""

    call = models.ForeignKey(Call, models.RESTRICT, verbose_name="appel", related_name="lines")

    class Meta:
        verbose_name = "ligne d'appel"
        verbose_name_plural = "lignes d'appel"
        ordering = ["call", "position"]


@protected()
class Anomaly(models.Model):
    """What stands in the way of a call, or of the whole run when it names no call."""

    run = models.ForeignKey(Run, models.RESTRICT, verbose_name="calcul", related_name="anomalies")
    call = models.ForeignKey(
        Call, models.RESTRICT, verbose_name="appel", related_name="anomalies", null=True
    )
    code = models.SlugField("code", max_length=30)
    uai = models.CharField("UAI", max_length=8, blank=True)
    message = models.TextField("message")
    blocking = models.BooleanField("bloquante", default=True)
    accepted = models.CharField("acceptée : motif", max_length=300, blank=True)

    objects = BulkManager()

    class Meta:
        verbose_name = "anomalie ou avis"
        verbose_name_plural = "anomalies et avis"
        ordering = ["run", "call", "pk"]

    def __str__(self) -> str:
        return self.message

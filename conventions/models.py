"""An agreement: who signs, who pays, which school years, which schools, options and units."""

from django.db import models
from django.db.models import F, Q

from conventions import effect
from conventions.effect import Day, Facts
from conventions.policies import POLICIES
from entsvc.fields import SchoolYearField, SearchField
from entsvc.french import long_date, lower_first
from members.models import Act, Member, School
from tariffs.models import Schedule


class Years(models.Model):
    """A span of school years, open while `last_year` is empty."""

    first_year = SchoolYearField("première année scolaire")
    last_year = SchoolYearField("dernière année scolaire", null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(last_year__isnull=True) | Q(last_year__gte=F("first_year")),
                name="%(class)s_years_in_order",
                violation_error_message="La dernière année précède la première.",
            )
        ]


class Convention(Years):
    """An agreement. The school years it declares, not its dates, decide what may be called."""

    class Status(models.TextChoices):
        DRAFT = "projet", "Projet"
        IN_FORCE = "en_vigueur", "En vigueur"

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    reference = models.CharField("référence", max_length=50)
    policy = models.CharField(
        "texte",
        max_length=40,
        blank=True,
        choices=[(policy.code, policy.name) for policy in POLICIES.values()],
        help_text="Ce que dit ce texte de son début et de sa fin s'affiche alors ci-dessous.",
    )
    status = models.CharField("état", max_length=10, choices=Status, default=Status.DRAFT)
    party = models.ForeignKey(Member, models.RESTRICT, verbose_name="signataire", related_name="+")
    debtor = models.ForeignKey(
        Member,
        models.RESTRICT,
        verbose_name="payeur",
        related_name="+",
        limit_choices_to={"siret__isnull": False},
        help_text="Le plus souvent le signataire ; une commune peut payer pour un regroupement.",
    )
    signed_on = models.DateField("signée le", null=True, blank=True)
    transmitted_on = models.DateField(
        "texte signé transmis au contrôle de légalité le", null=True, blank=True
    )
    fixed_start = models.DateField(
        "date d'effet fixée par la délibération du membre", null=True, blank=True
    )
    ends_on = models.DateField("prend fin le", null=True, blank=True)
    act = models.ForeignKey(
        Act,
        models.RESTRICT,
        verbose_name="délibération du membre",
        related_name="+",
        null=True,
        blank=True,
    )
    committee_act = models.ForeignKey(
        Act,
        models.RESTRICT,
        verbose_name="délibération concordante du comité",
        related_name="+",
        null=True,
        blank=True,
    )
    private_included = models.BooleanField(
        "écoles privées comprises",
        default=False,
        help_text="Sans cette mention, seules les écoles publiques sont concernées.",
    )
    search = SearchField(from_fields=("reference",))

    class Meta(Years.Meta):
        verbose_name = "convention"
        ordering = ["schedule", "reference"]
        constraints = [
            *Years.Meta.constraints,
            models.UniqueConstraint(
                fields=["schedule", "reference"],
                name="convention_reference_once",
                violation_error_message="Ce barème a déjà une convention de cette référence.",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True)
                | Q(signed_on__isnull=True)
                | Q(ends_on__gte=F("signed_on")),
                name="convention_ends_after_signature",
                violation_error_message="La convention prend fin avant d'être signée.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} – {self.party}"

    @property
    def facts(self) -> Facts:
        """Return the dates on which its start and its end rest."""
        acts = [act for act in (self.act, self.committee_act) if act]
        return Facts(
            signed_on=self.signed_on,
            vote_transmitted_on=self.act.transmitted_on if self.act else None,
            text_transmitted_on=self.transmitted_on,
            fixed_by_vote=self.fixed_start,
            votes=tuple(act.date for act in acts if act.date),
        )

    @property
    def start(self) -> Day | None:
        """Return the day it takes effect and why, None while its text is not named."""
        return effect.starts(POLICIES[self.policy], self.facts) if self.policy else None

    @property
    def end(self) -> Day | None:
        """Return its last day by its text and why, None while its text is not named."""
        return effect.ends(POLICIES[self.policy], self.facts) if self.policy else None

    @property
    def title(self) -> str:
        """Return how a titre or a message names the agreement, with its signature and its vote."""
        words = f"convention {self.reference}"
        if self.signed_on:
            words += f" signée le {long_date(self.signed_on)}"
        if self.party_id != self.debtor_id:
            words += f" (partie : {self.party})"
        return f"{words}, {lower_first(str(self.act))}" if self.act else words


class Enrolment(Years):
    """A school named by an agreement, from one school year to another."""

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.CASCADE, verbose_name="convention", related_name="enrolments"
    )
    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école", related_name="+")
    opened_on = models.DateField("accès ouvert le", null=True, blank=True)

    class Meta(Years.Meta):
        verbose_name = "école inscrite"
        verbose_name_plural = "écoles inscrites"
        ordering = ["convention", "school"]
        constraints = [
            *Years.Meta.constraints,
            models.UniqueConstraint(
                fields=["convention", "school", "first_year"],
                name="enrolment_once_per_start",
                violation_error_message="Cette école est déjà inscrite à partir de cette année.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.school} ({self.convention.reference})"


class Subscription(Years):
    """An option of the tariff that an agreement has subscribed."""

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.CASCADE, verbose_name="convention", related_name="subscriptions"
    )
    code = models.SlugField("code de l'option", max_length=20)

    class Meta(Years.Meta):
        verbose_name = "option souscrite"
        verbose_name_plural = "options souscrites"
        ordering = ["convention", "code"]
        constraints = [
            *Years.Meta.constraints,
            models.UniqueConstraint(
                fields=["convention", "code", "first_year"],
                name="subscription_once_per_start",
                violation_error_message="Cette option est déjà souscrite à partir de cette année.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} ({self.convention.reference})"


class DeliveredUnits(models.Model):
    """Units delivered under an agreement in a school year, such as half-days of support."""

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.CASCADE, verbose_name="convention", related_name="units"
    )
    school_year = SchoolYearField("année scolaire")
    code = models.SlugField("ligne tarifaire", max_length=20)
    quantity = models.PositiveIntegerField("quantité")

    class Meta:
        verbose_name = "unités livrées"
        verbose_name_plural = "unités livrées"
        ordering = ["convention", "school_year", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["convention", "school_year", "code"],
                name="delivered_units_once",
                violation_error_message="Ces unités sont déjà saisies pour cette année.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.code} ({self.convention.reference})"

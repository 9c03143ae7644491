"""What an agreement carries each school year: schools, options and delivered units."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from conventions.models.agreements import Convention
from conventions.models.amendments import Amendment
from conventions.models.years import Years
from entsvc.fields import SchoolYearField
from members.models import School


class Enrolment(Years):
    """A school named by an agreement, from one school year to another."""

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.CASCADE, verbose_name="convention", related_name="enrolments"
    )
    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école", related_name="+")
    amendment = models.ForeignKey(
        Amendment,
        models.RESTRICT,
        verbose_name="ajoutée par l'avenant",
        related_name="+",
        null=True,
        blank=True,
    )
    project_submitted_on = models.DateField("projet déposé le", null=True, blank=True)
    project_validated_on = models.DateField("projet validé par l'IEN le", null=True, blank=True)
    opened_on = models.DateField("accès ouvert le", null=True, blank=True)
    history = HistoricalRecords()

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
            models.CheckConstraint(
                condition=Q(project_validated_on__isnull=True)
                | Q(
                    project_submitted_on__isnull=False,
                    project_validated_on__gte=F("project_submitted_on"),
                ),
                name="project_validated_after_submission",
                violation_error_message="Un projet est validé après avoir été déposé.",
            ),
            models.CheckConstraint(
                condition=Q(project_submitted_on__isnull=True)
                | Q(opened_on__isnull=True)
                | Q(project_validated_on__isnull=False),
                name="project_validated_before_opening",
                violation_error_message="L'accès s'ouvre une fois le projet validé par l'IEN.",
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
    history = HistoricalRecords()

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
    history = HistoricalRecords()

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

    def clean(self) -> None:
        """Refuse a total where dated deliveries already make it."""
        if self.convention_id is None or self.school_year is None:
            return
        dated = self.convention.deliveries.yearly(self.school_year).filter(code=self.code)
        if dated.exists():
            raise ValidationError(
                {
                    "code": "Des prestations datées de cette ligne sont enregistrées pour l'année : "
                    "leur somme en est le total."
                }
            )

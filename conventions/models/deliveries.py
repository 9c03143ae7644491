"""What is delivered under an agreement, day by day, with the proof that it was."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from conventions.models.agreements import Convention
from conventions.models.enrolments import DeliveredUnits
from entsvc import school_year
from entsvc.models import StoredDocument

TYPED_TOO = (
    "Un total de {code} est déjà saisi pour {year} dans cette convention : retirez-le pour enregistrer "
    "des prestations datées, ou complétez-le."
)


class Deliveries(models.QuerySet):
    """Deliveries, told apart by school year and by the call that bills them."""

    def of_year(self, year: int) -> "Deliveries":
        """Return those of a school year: the day on which each was delivered tells it."""
        return self.filter(delivered_on__range=(school_year.first_day(year), school_year.last_day(year)))

    def yearly(self, year: int) -> "Deliveries":
        """Return those that the yearly call of a school year bills."""
        return self.of_year(year).filter(apart=False)


class Delivery(models.Model):
    """Units delivered on a day under an agreement, such as the half-days of a training."""

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.RESTRICT, verbose_name="convention", related_name="deliveries"
    )
    code = models.SlugField(
        "ligne tarifaire", max_length=20, help_text="Code du tarif, comme DEMIJOURNEE."
    )
    delivered_on = models.DateField("réalisée le")
    quantity = models.PositiveIntegerField("quantité", default=1)
    subject = models.CharField(
        "objet", max_length=200, help_text="Par exemple : prise en main par les enseignants, école X."
    )
    proof = models.CharField(
        "preuve du service fait",
        max_length=200,
        help_text="Par exemple : feuille d'émargement, 12 présents.",
    )
    document = models.ForeignKey(
        StoredDocument,
        models.RESTRICT,
        verbose_name="pièce",
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )
    apart = models.BooleanField(
        "facturée à part",
        default=False,
        help_text="Sans attendre l'appel annuel, qui ne la comptera pas.",
    )

    history = HistoricalRecords()
    objects = Deliveries.as_manager()

    class Meta:
        verbose_name = "prestation réalisée"
        verbose_name_plural = "prestations réalisées"
        ordering = ["-delivered_on", "convention", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gte=1),
                name="delivery_of_something",
                violation_error_message="Indiquez au moins une unité.",
            ),
            models.CheckConstraint(
                condition=~Q(proof=""),
                name="delivery_is_proved",
                violation_error_message="Le service fait se prouve : dites comment.",
            ),
            models.UniqueConstraint(
                fields=["convention", "code", "delivered_on", "subject"],
                name="delivery_once",
                violation_error_message="Cette prestation est déjà enregistrée ce jour-là.",
            ),
        ]

    def __str__(self) -> str:
        day = f"{self.delivered_on:%d/%m/%Y}"
        return f"{self.quantity} {self.code} le {day} ({self.convention.reference})"

    @property
    def school_year(self) -> int:
        """Return the school year in which it was delivered."""
        return school_year.containing(self.delivered_on)

    def clean(self) -> None:
        """Refuse a day to come or that the agreement does not cover, and a total typed beside it."""
        if self.delivered_on is None:
            return
        if self.delivered_on > timezone.localdate():
            raise ValidationError({"delivered_on": "Ce jour est à venir : le service n'est pas fait."})
        if self.convention_id is None:
            return
        year = self.school_year
        if not self.convention.covers(year):
            raise ValidationError(
                {"delivered_on": f"Cette convention ne couvre pas {school_year.label(year)}."}
            )
        totals = DeliveredUnits.objects.filter(
            convention=self.convention_id, school_year=year, code=self.code
        )
        if totals.exists():
            words = TYPED_TOO.format(code=self.code, year=school_year.label(year))
            raise ValidationError({"code": words})

"""Where the numbers of a series come from, exercice by exercice."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from entsvc.triggers import frozen_when
from invoicing.models.titres import Counter, Series
from members.models import Issuer

# The largest number that a reference can show: six digits, five after the letter of a correction.
WIDEST = {
    Series.TITRE: 999_999,
    Series.BORDEREAU: 999_999,
    Series.CORRECTION: 99_999,
    Series.CORRECTION_BORDEREAU: 999_999,
}


@frozen_when(
    "EXISTS (SELECT 1 FROM invoicing_counter k WHERE k.issuer_id = ROW.issuer_id "
    "AND k.budget = ROW.budget AND k.exercice = ROW.exercice AND k.kind = ROW.kind "
    "AND k.last_number > 0 AND (k.last_number >= ROW.first_number OR ROW.mode <> 'reservee' "
    "OR NOT EXISTS (SELECT 1 FROM invoicing_numberingpolicy p WHERE p.issuer_id = ROW.issuer_id "
    "AND p.budget = ROW.budget AND p.exercice = ROW.exercice AND p.kind = ROW.kind "
    "AND p.mode = 'reservee' AND p.first_number <= k.last_number)))",
    "serie commencee : sa numerotation ne change plus",
)
class NumberingPolicy(models.Model):
    """How a series is numbered; without a row, ours from 1. Set before its first number.

    A series whose numbers are reserved may have several ranges, used one after the other: the next one
    can still be added once the first is begun.
    """

    class Mode(models.TextChoices):
        OWN = "propre", "Notre série"
        RESERVED = "reservee", "Plage réservée auprès du comptable"
        EXTERNAL = "externe", "Numéro attribué par la chaîne comptable"

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    budget = models.CharField("budget", max_length=2, default="00")
    exercice = models.PositiveSmallIntegerField("exercice")
    kind = models.CharField("série", max_length=20, choices=Series)
    mode = models.CharField("numérotation", max_length=8, choices=Mode, default=Mode.OWN)
    first_number = models.PositiveIntegerField("premier numéro", default=1)
    last_number = models.PositiveIntegerField("dernier numéro", null=True, blank=True)
    reference = models.CharField("accord du comptable", max_length=200, blank=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = "numérotation d'une série"
        verbose_name_plural = "numérotations des séries"
        ordering = ["issuer", "budget", "-exercice", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice", "kind", "first_number"],
                name="numbering_policy_once",
                violation_error_message="La numérotation de cette série est déjà réglée.",
            ),
            models.CheckConstraint(
                condition=Q(
                    ~Q(kind=Series.CORRECTION),
                    Q(last_number__isnull=True) | Q(last_number__lte=WIDEST[Series.TITRE]),
                    first_number__lte=WIDEST[Series.TITRE],
                )
                | Q(
                    Q(last_number__isnull=True) | Q(last_number__lte=WIDEST[Series.CORRECTION]),
                    kind=Series.CORRECTION,
                    first_number__lte=WIDEST[Series.CORRECTION],
                ),
                name="numbering_policy_within_reference",
                violation_error_message="Une référence ne montre que 6 chiffres (5 pour une annulation "
                "ou une réduction) : ce numéro est trop grand.",
            ),
            models.CheckConstraint(
                condition=~Q(mode="externe")
                | Q(kind__in=[Series.TITRE, Series.CORRECTION], first_number=1),
                name="numbering_policy_external_pieces",
                violation_error_message="La chaîne comptable numérote des titres ou leurs corrections, "
                "et leur référence provisoire part de 1.",
            ),
            models.CheckConstraint(
                condition=Q(first_number__gte=1),
                name="numbering_policy_from_one",
                violation_error_message="Une série commence à 1 ou plus.",
            ),
            models.CheckConstraint(
                condition=Q(
                    mode="reservee", last_number__isnull=False, last_number__gte=F("first_number")
                )
                | (~Q(mode="reservee") & Q(last_number__isnull=True)),
                name="numbering_policy_range_in_order",
                violation_error_message="Une plage réservée, et elle seule, a un dernier numéro, "
                "qui ne précède pas le premier.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.issuer.code} {self.exercice}, {self.get_kind_display()}"

    def clean(self) -> None:
        """Refuse a second numbering of a series, but for one more reserved range after the others."""
        if self.issuer_id is None:
            return
        series = {"issuer": self.issuer_id, "budget": self.budget, "exercice": self.exercice}
        reserved = self.mode == self.Mode.RESERVED
        others = NumberingPolicy.objects.filter(**series, kind=self.kind).exclude(pk=self.pk)
        for other in others.order_by("first_number"):
            if not reserved or other.mode != self.Mode.RESERVED:
                raise ValidationError("La numérotation de cette série est déjà réglée.")
            if self.last_number and not (
                self.first_number > other.last_number or self.last_number < other.first_number
            ):
                raise ValidationError(
                    f"Cette plage recouvre celle de {other.first_number} à {other.last_number}."
                )
        begun = Counter.objects.filter(**series, kind=self.kind, last_number__gt=0).first()
        if begun and (not others or self.first_number <= begun.last_number):
            raise ValidationError(
                f"Cette série est commencée, elle en est au n° {begun.last_number} : sa numérotation ne "
                "change plus avant l'exercice suivant."
            )

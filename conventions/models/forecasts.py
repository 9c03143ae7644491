"""Provisional amounts: what members will probably owe, told for their budgets before any call."""

import uuid

from django.db import models
from django.db.models import F, Q

from entsvc.fields import MoneyField, SchoolYearField
from entsvc.models import StoredDocument
from entsvc.triggers import frozen_when, protected
from members.models import Member
from tariffs.models import Schedule

SENT = "montants envoyes : ils ne changent plus, preparez-en de nouveaux"
OF_A_SENT_ONE = (
    "EXISTS (SELECT 1 FROM conventions_forecast f WHERE f.id = ROW.forecast_id "
    "AND f.sent_at IS NOT NULL)"
)


@frozen_when("ROW.sent_at IS NOT NULL", SENT, reachable=True)
class Forecast(models.Model):
    """The provisional amounts of a schedule for a school year: a draft until they are sent.

    `payload` is what all letters have in common, frozen. `query` is the address of the simulation that
    they come from. `apart` are the members that get no letter, with the reasons, in words.
    """

    issuer_path = "schedule__issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    school_year = SchoolYearField("année annoncée")
    exercice = models.PositiveSmallIntegerField("budget")
    read_year = SchoolYearField("membres et effectifs de")
    written_on = models.DateField("date des lettres")
    query = models.TextField("hypothèse")
    payload = models.JSONField("ce que disent les lettres")
    apart = models.JSONField("sans lettre", default=list)
    fingerprint = models.CharField("empreinte", max_length=64)
    made_by = models.CharField("préparé par", max_length=150)
    made_at = models.DateTimeField("préparé le", auto_now_add=True)
    sent_by = models.CharField("envoyé par", max_length=150, blank=True)
    sent_at = models.DateTimeField("envoyé le", null=True, blank=True)

    class Meta:
        verbose_name = "montants prévisionnels"
        verbose_name_plural = "montants prévisionnels"
        ordering = ["-made_at", "-pk"]
        permissions = [("send_forecast", "Peut envoyer les montants prévisionnels")]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year"],
                condition=Q(sent_at__isnull=True),
                name="forecast_one_draft",
                violation_error_message="Des montants sont déjà en préparation pour cette année.",
            ),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True, sent_by="")
                | (Q(sent_at__isnull=False) & ~Q(sent_by="")),
                name="forecast_sent_by_someone",
                violation_error_message="Ce qui est envoyé dit par qui.",
            ),
            models.CheckConstraint(
                condition=Q(school_year__gte=F("read_year")),
                name="forecast_not_of_the_past",
                violation_error_message="L'année annoncée ne précède pas celle des effectifs.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schedule.code}, {self.school_year_label}, budget {self.exercice}"

    @property
    def is_sent(self) -> bool:
        """Tell whether members were told: it no longer changes."""
        return self.sent_at is not None


@frozen_when(OF_A_SENT_ONE, SENT)
class ForecastAmount(models.Model):
    """What one member will probably owe, with all that its letter says; the letter once it is drawn.

    `today` is what the tariff of today gives on the same facts, None where it is not sure.
    """

    issuer_path = "forecast__schedule__issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    forecast = models.ForeignKey(
        Forecast, models.CASCADE, verbose_name="montants prévisionnels", related_name="amounts"
    )
    member = models.ForeignKey(Member, models.RESTRICT, verbose_name="membre", related_name="+")
    siret = models.CharField("SIRET", max_length=14)
    name = models.CharField("nom", max_length=200)
    kind = models.CharField("type", max_length=12, choices=Member.Kind, blank=True)
    pupils = models.PositiveIntegerField("élèves", null=True)
    total = MoneyField("montant prévisionnel")
    today = MoneyField("au tarif d'aujourd'hui", null=True)
    payload = models.JSONField("ce que dit la lettre")
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="lettre", related_name="+", null=True
    )

    class Meta:
        verbose_name = "montant prévisionnel"
        verbose_name_plural = "montants prévisionnels par membre"
        ordering = ["forecast", "siret"]
        constraints = [
            models.UniqueConstraint(
                fields=["forecast", "member"],
                name="forecast_amount_once",
                violation_error_message="Ce membre a déjà son montant.",
            ),
            models.CheckConstraint(
                condition=Q(total__gt=0),
                name="forecast_amount_positive",
                violation_error_message="Un montant nul ne s'annonce pas.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.forecast}"


@protected()
class ForecastNotice(models.Model):
    """A member told by e-mail, once, at the addresses that opened its pages that day."""

    issuer_path = "amount__forecast__schedule__issuer"

    amount = models.OneToOneField(
        ForecastAmount, models.RESTRICT, verbose_name="montant prévisionnel", related_name="notice"
    )
    addresses = models.JSONField("adresses", help_text="Celles à qui le courriel est écrit.")
    told_by = models.CharField("écrit par", max_length=150)
    told_at = models.DateTimeField("écrit le", auto_now_add=True)

    class Meta:
        verbose_name = "envoi d'un montant prévisionnel"
        verbose_name_plural = "envois de montants prévisionnels"
        ordering = ["-told_at", "amount"]

    def __str__(self) -> str:
        return f"{self.amount}, écrit le {self.told_at:%d/%m/%Y}"

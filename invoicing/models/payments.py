"""What the accountant has received for a titre, and what was written to ask for the rest.

Payments and reminders are only ever added; a mistake is cancelled.
"""

import uuid

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from entsvc.fields import MoneyField
from entsvc.models import ImportRecord, StoredDocument
from entsvc.triggers import protected
from invoicing import reminder_words
from invoicing.models.titres import Titre
from members.models import Issuer


@protected()
class Payment(models.Model):
    """Money received for a titre, or the cancellation of a whole such row, which it names."""

    class Kind(models.TextChoices):
        RECEIPT = "encaissement", "Encaissement"
        CANCELLATION = "annulation", "Annulation d'encaissement"

    issuer_path = "titre__issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    titre = models.ForeignKey(Titre, models.RESTRICT, verbose_name="titre", related_name="payments")
    kind = models.CharField("nature", max_length=12, choices=Kind, default=Kind.RECEIPT)
    amount = MoneyField("montant")
    received_on = models.DateField("date")
    reference = models.CharField(
        "référence", max_length=100, help_text="Celle du comptable, ou le motif d'une annulation."
    )
    cancels = models.OneToOneField(
        "self",
        models.RESTRICT,
        verbose_name="encaissement annulé",
        related_name="cancellation",
        null=True,
    )
    recorded_by = models.CharField("saisi par", max_length=150)
    recorded_at = models.DateTimeField("saisi le", auto_now_add=True)
    source = models.ForeignKey(
        ImportRecord,
        models.RESTRICT,
        verbose_name="fichier",
        related_name="+",
        null=True,
        blank=True,
        help_text="Le fichier du comptable qui le dit ; vide s'il a été saisi.",
    )

    class Meta:
        verbose_name = "encaissement"
        ordering = ["titre", "received_on", "recorded_at", "pk"]
        permissions = [("record_payment", "Peut saisir des encaissements")]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="payment_amount_positive",
                violation_error_message="Le montant d'un encaissement est positif.",
            ),
            models.CheckConstraint(
                condition=Q(kind="encaissement", cancels__isnull=True)
                | Q(kind="annulation", cancels__isnull=False),
                name="payment_cancellation_names_its_payment",
                violation_error_message="Une annulation d'encaissement nomme l'encaissement annulé.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} – {self.reference}"


class PendingReceipt(models.Model):
    """A line of the accountant's file that no reference ties to a titre: someone decides."""

    class State(models.TextChoices):
        WAITING = "attente", "À attribuer"
        RECORDED = "saisi", "Attribué"
        DISMISSED = "ecarte", "Écarté"

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    received_on = models.DateField("date")
    amount = MoneyField("montant")
    reference = models.CharField("référence du comptable", max_length=100)
    wording = models.CharField("libellé", max_length=300, blank=True)
    payer = models.CharField("payeur", max_length=200, blank=True)
    siret = models.CharField("SIRET", max_length=14, blank=True)
    suggested = models.ForeignKey(
        Titre,
        models.RESTRICT,
        verbose_name="titre proposé",
        related_name="+",
        null=True,
        blank=True,
    )
    state = models.CharField("état", max_length=7, choices=State, default=State.WAITING)
    payment = models.OneToOneField(
        Payment, models.RESTRICT, verbose_name="encaissement", related_name="+", null=True, blank=True
    )
    reason = models.CharField("motif", max_length=300, blank=True)
    decided_by = models.CharField("décidé par", max_length=150, blank=True)
    decided_at = models.DateTimeField("décidé le", null=True, blank=True)
    source = models.ForeignKey(
        ImportRecord,
        models.RESTRICT,
        verbose_name="fichier",
        related_name="+",
        null=True,
        blank=True,
    )

    class Meta:
        verbose_name = "encaissement à attribuer"
        verbose_name_plural = "encaissements à attribuer"
        ordering = ["state", "received_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "received_on", "amount", "reference"],
                name="pending_receipt_once",
                violation_error_message="Cette ligne du comptable est déjà enregistrée.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="pending_receipt_positive",
                violation_error_message="Le montant d'un encaissement est positif.",
            ),
            models.CheckConstraint(
                condition=Q(state="attente", payment__isnull=True, decided_at__isnull=True)
                | Q(state="saisi", payment__isnull=False, decided_at__isnull=False)
                | (Q(state="ecarte", payment__isnull=True, decided_at__isnull=False) & ~Q(reason="")),
                name="pending_receipt_decided_says_how",
                violation_error_message="Une ligne attribuée nomme son encaissement, une ligne écartée "
                "son motif.",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class ReminderStep(models.Model):
    """One of an issuer's friendly reminders: how long after the due date, and what it says."""

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    level = models.PositiveSmallIntegerField("niveau")
    days = models.PositiveSmallIntegerField("jours après l'échéance")
    title = models.CharField("titre du courrier", max_length=100)
    body = models.TextField("texte")
    history = HistoricalRecords()

    class Meta:
        verbose_name = "niveau de relance"
        verbose_name_plural = "niveaux de relance"
        ordering = ["issuer", "level"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "level"],
                name="reminder_step_once",
                violation_error_message="Ce niveau de relance existe déjà.",
            ),
            models.CheckConstraint(
                condition=Q(level__gte=1),
                name="reminder_step_from_one",
                violation_error_message="Le premier niveau de relance est le 1.",
            ),
        ]

    def __str__(self) -> str:
        return f"Relance {self.level}, {self.issuer.code}"

    def clean(self) -> None:
        """Refuse a field that nothing will ever fill, and levels that do not follow one another."""
        reminder_words.check(self.body)
        steps = ReminderStep.objects.filter(issuer=self.issuer_id).exclude(pk=self.pk)
        for step in steps.exclude(level=self.level).order_by("level"):
            if (step.level < self.level) != (step.days < self.days):
                message = f"Le niveau {step.level} vient à {step.days} jours : un plus haut vient après."
                raise ValidationError({"days": message})


@protected()
class Reminder(models.Model):
    """A friendly reminder written to a debtor; collection itself belongs to the accountant."""

    issuer_path = "titre__issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    titre = models.ForeignKey(Titre, models.RESTRICT, verbose_name="titre", related_name="reminders")
    level = models.PositiveSmallIntegerField("niveau")
    written_on = models.DateField("date")
    remaining = MoneyField("reste à payer")
    written_by = models.CharField("écrite par", max_length=150)
    written_at = models.DateTimeField("enregistrée le", auto_now_add=True)
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="document", related_name="+"
    )

    class Meta:
        verbose_name = "relance"
        ordering = ["titre", "level"]
        permissions = [("write_reminder", "Peut écrire des relances")]
        constraints = [
            models.UniqueConstraint(
                fields=["titre", "level"],
                name="reminder_once",
                violation_error_message="Cette relance est déjà écrite.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.titre.reference}, relance {self.level}"

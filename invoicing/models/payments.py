"""What the accountant has received for a titre: rows are only ever added, a mistake is cancelled."""

import uuid

from django.db import models
from django.db.models import Q

from entsvc.fields import MoneyField
from entsvc.triggers import protected
from invoicing.models.titres import Titre


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

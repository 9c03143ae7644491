"""What happens to titres and bordereaux once issued: events and documents, only ever added."""

import uuid

from django.db import models
from django.db.models import Q

from entsvc.fields import MoneyField
from entsvc.models import StoredDocument
from entsvc.triggers import protected
from invoicing.models.titres import Bordereau, Titre
from members.models import Issuer


@protected()
class TitreEvent(models.Model):
    """What the accountant answered about a titre; the latest one tells where it stands."""

    class Kind(models.TextChoices):
        TAKEN = "pris-en-charge", "Pris en charge"
        REJECTED = "rejete", "Rejeté par le comptable"

    issuer_path = "titre__issuer"

    titre = models.ForeignKey(Titre, models.RESTRICT, verbose_name="titre", related_name="events")
    kind = models.CharField("événement", max_length=15, choices=Kind)
    on = models.DateField("date")
    comment = models.CharField("motif ou référence", max_length=300, blank=True)
    recorded_by = models.CharField("saisi par", max_length=150)
    recorded_at = models.DateTimeField("saisi le", auto_now_add=True)

    class Meta:
        verbose_name = "suite donnée par le comptable"
        verbose_name_plural = "suites données par le comptable"
        ordering = ["titre", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="pris-en-charge") | ~Q(comment=""),
                name="titre_rejection_says_why",
                violation_error_message="Un rejet dit pourquoi.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.on:%d/%m/%Y})"


@protected()
class BordereauEvent(models.Model):
    """A bordereau is prepared, then signed, then sent: each once, in that order."""

    class Kind(models.TextChoices):
        SIGNED = "signe", "Signé"
        SENT = "envoye", "Envoyé au comptable"

    issuer_path = "bordereau__issuer"

    bordereau = models.ForeignKey(
        Bordereau, models.RESTRICT, verbose_name="bordereau", related_name="events"
    )
    kind = models.CharField("événement", max_length=6, choices=Kind)
    on = models.DateField("date")
    signatory = models.CharField("signataire", max_length=410, blank=True)
    delegation = models.CharField("délégation", max_length=200, blank=True)
    comment = models.CharField("commentaire", max_length=300, blank=True)
    recorded_by = models.CharField("saisi par", max_length=150)
    recorded_at = models.DateTimeField("saisi le", auto_now_add=True)

    class Meta:
        verbose_name = "étape d'un bordereau"
        verbose_name_plural = "étapes d'un bordereau"
        ordering = ["bordereau", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["bordereau", "kind"],
                name="bordereau_step_once",
                violation_error_message="Cette étape est déjà enregistrée.",
            ),
            models.CheckConstraint(
                condition=Q(kind="envoye", signatory="") | (Q(kind="signe") & ~Q(signatory="")),
                name="bordereau_signature_names_its_signatory",
                violation_error_message="Une signature dit qui signe.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.on:%d/%m/%Y})"


@protected()
class BordereauDocument(models.Model):
    """The stored PDF of a bordereau, written once."""

    bordereau = models.OneToOneField(
        Bordereau, models.RESTRICT, verbose_name="bordereau", related_name="pdf"
    )
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="document", related_name="+"
    )

    class Meta:
        verbose_name = "document de bordereau"
        verbose_name_plural = "documents de bordereau"

    def __str__(self) -> str:
        return f"{self.bordereau}.pdf"


@protected(follow_up=("mandat", "paid_on"))
class MandatRequest(models.Model):
    """The request of a mandat at account 673: what offsets a titre of a closed exercice.

    `mandat` and `paid_on` follow, once the mandat that it asked for is issued and paid.
    """

    issuer_path = "titre__issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    titre = models.ForeignKey(
        Titre, models.RESTRICT, verbose_name="titre", related_name="mandat_requests"
    )
    amount = MoneyField("montant à annuler")
    account = models.CharField("compte", max_length=20)
    reason_code = models.CharField("motif", max_length=12, choices=Titre.Reason)
    reason = models.TextField("erreur commise")
    requested_on = models.DateField("date")
    requested_by = models.CharField("demandé par", max_length=150)
    requested_at = models.DateTimeField("enregistré le", auto_now_add=True)
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="document", related_name="+"
    )
    mandat = models.CharField("numéro du mandat", max_length=30, blank=True)
    paid_on = models.DateField("mandat payé le", null=True, blank=True)

    class Meta:
        verbose_name = "demande de mandat"
        verbose_name_plural = "demandes de mandat"
        ordering = ["-requested_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="mandat_request_positive",
                violation_error_message="Le montant d'une demande de mandat est positif.",
            ),
            models.CheckConstraint(
                condition=Q(paid_on__isnull=True) | ~Q(mandat=""),
                name="mandat_paid_by_its_number",
                violation_error_message="Un mandat payé a un numéro.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.titre.reference}, compte {self.account}"


@protected()
class ClosedExercice(models.Model):
    """An exercice closed with the report that proves its series complete: no number is taken after."""

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    budget = models.CharField("budget", max_length=2)
    exercice = models.PositiveSmallIntegerField("exercice")
    closed_at = models.DateTimeField("clos le", auto_now_add=True)
    closed_by = models.CharField("clos par", max_length=150)
    report = models.JSONField("compte rendu")
    sha256 = models.CharField("empreinte du compte rendu", max_length=64)
    journal_head = models.CharField("empreinte du journal", max_length=64)

    class Meta:
        verbose_name = "clôture d'exercice"
        verbose_name_plural = "clôtures d'exercice"
        ordering = ["issuer", "budget", "-exercice"]
        permissions = [("close_exercice", "Peut clore un exercice")]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice"],
                name="exercice_closed_once",
                violation_error_message="Cet exercice est déjà clos.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.issuer.code}, exercice {self.exercice}"

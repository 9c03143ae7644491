"""By what channel an issuer's titres leave, and the journal of what was sent."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from entsvc.models import StoredDocument
from entsvc.triggers import protected
from invoicing.models.titres import Bordereau
from members.models import Issuer


class Channel(models.Model):
    """How an issuer's titres reach their accountant and their debtors; one per issuer."""

    class Kind(models.TextChoices):
        HELIOS = "helios_pes", "Hélios, par un fichier PES v2"
        CHORUS_PRO = "chorus_pro", "Chorus Pro, par dépôt direct"
        STATE = "etat_liquidatif", "Chaîne de l'État, par un état liquidatif"
        PDF = "pdf", "PDF transmis à la main"

    issuer_path = "issuer"

    issuer = models.OneToOneField(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    kind = models.CharField(
        "canal",
        max_length=15,
        choices=Kind,
        help_text="Un organisme tenu dans Hélios ne dépose pas lui-même sur Chorus Pro : Hélios le fait "
        "une fois le titre pris en charge.",
    )
    body_code = models.CharField(
        "code de la collectivité",
        max_length=3,
        blank=True,
        validators=[RegexValidator(r"^[0-9]{3}$", "Ce code a trois chiffres.")],
        help_text="Celui d'Hélios (CodCol), trois chiffres : le comptable le donne.",
    )
    bank_reference = models.CharField(
        "identifiant créancier",
        max_length=35,
        blank=True,
        help_text="ICS, ou numéro d'émetteur (RefBdf), à demander au comptable.",
    )
    payment_code = models.CharField(
        "code PayFiP",
        max_length=6,
        blank=True,
        validators=[RegexValidator(r"^[0-9]{6}$", "Ce code a six chiffres.")],
        help_text="Celui de la collectivité, six chiffres ; vide sans paiement en ligne.",
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = "canal d'envoi"
        verbose_name_plural = "canaux d'envoi"
        ordering = ["issuer"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="helios_pes") | (~Q(body_code="") & ~Q(bank_reference="")),
                name="channel_helios_is_known_there",
                violation_error_message="Hélios exige le code de la collectivité et l'identifiant "
                "créancier : demandez-les au comptable.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.issuer.code} : {self.get_kind_display()}"


@protected(follow_up=("answer", "answer_words", "answered_at"))
class Sending(models.Model):
    """A file made for the accountant: kept with its bytes; a new one is a new row.

    `attachments` are the identifiers that it took: none serves again. `schema` says whether the schema
    that the operator provides was there to check it.
    """

    class Answer(models.TextChoices):
        NONE = "", "Sans réponse"
        TAKEN = "accepte", "Accepté par Hélios"
        REJECTED = "rejete", "Rejeté par Hélios"

    issuer_path = "bordereau__issuer"

    bordereau = models.ForeignKey(
        Bordereau, models.RESTRICT, verbose_name="bordereau", related_name="sendings"
    )
    rank = models.PositiveSmallIntegerField("envoi n°")
    channel = models.CharField("canal", max_length=15, choices=Channel.Kind)
    file_name = models.CharField("fichier", max_length=100)
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="contenu", related_name="+"
    )
    attachments = models.JSONField("identifiants des pièces jointes")
    schema = models.BooleanField("contrôlé par le schéma fourni")
    made_by = models.CharField("produit par", max_length=150)
    made_at = models.DateTimeField("produit le", auto_now_add=True)
    answer = models.CharField("réponse", max_length=10, choices=Answer, default=Answer.NONE, blank=True)
    answer_words = models.TextField("réponse en clair", blank=True)
    answered_at = models.DateTimeField("réponse lue le", null=True, blank=True)

    class Meta:
        verbose_name = "envoi"
        ordering = ["bordereau", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["bordereau", "rank"], name="sending_rank_once"),
            models.UniqueConstraint(fields=["file_name"], name="sending_file_name_once"),
        ]

    def __str__(self) -> str:
        return self.file_name

"""By what channel an issuer's titres leave, and the journal of what was sent."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from entsvc.models import StoredDocument
from entsvc.triggers import protected
from invoicing.facturx.profiles import Profile
from invoicing.models.runs import Campaign
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
    invoice_frame = models.CharField(
        "facture électronique (Factur-X)",
        max_length=2,
        blank=True,
        choices=Profile,
        help_text="Choisi, chaque titre émis ensuite a sa facture électronique dans ce cadre, dès que "
        "son PDF est produit ; vide, elle se produit à la demande. Chorus Pro en exige une.",
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
            ),
            models.CheckConstraint(
                condition=~Q(kind="chorus_pro") | ~Q(invoice_frame=""),
                name="channel_chorus_pro_takes_invoices",
                violation_error_message="Chorus Pro ne prend que des factures électroniques : "
                "choisissez leur cadre.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.issuer.code} : {self.get_kind_display()}"


@protected(follow_up=("answer", "answer_words", "answered_at"))
class Sending(models.Model):
    """What was made for the accountant: kept with its bytes; a new one is a new row.

    It is of a bordereau, or of a campaign: then it is an état liquidatif, a PDF to sign with its
    `workbook`, and its answer is derived, for the numbers read back are those of the titres.
    `attachments` are the identifiers that it took, none of which serves again: documents attached, or
    references of the pieces asked for. `schema` says whether the schema that the operator provides was
    there to check it.
    """

    class Answer(models.TextChoices):
        NONE = "", "Sans réponse"
        TAKEN = "accepte", "Accepté par Hélios"
        REJECTED = "rejete", "Rejeté par Hélios"

    issuer_path = ("bordereau__issuer", "campaign__schedule__issuer")

    bordereau = models.ForeignKey(
        Bordereau, models.RESTRICT, verbose_name="bordereau", related_name="sendings", null=True
    )
    campaign = models.ForeignKey(
        Campaign, models.RESTRICT, verbose_name="campagne", related_name="sendings", null=True
    )
    rank = models.PositiveSmallIntegerField("envoi n°")
    channel = models.CharField("canal", max_length=15, choices=Channel.Kind)
    file_name = models.CharField("fichier", max_length=100)
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="contenu", related_name="+"
    )
    workbook = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="classeur", related_name="+", null=True
    )
    attachments = models.JSONField("identifiants pris")
    schema = models.BooleanField("contrôlé par le schéma fourni")
    made_by = models.CharField("produit par", max_length=150)
    made_at = models.DateTimeField("produit le", auto_now_add=True)
    answer = models.CharField("réponse", max_length=10, choices=Answer, default=Answer.NONE, blank=True)
    answer_words = models.TextField("réponse en clair", blank=True)
    answered_at = models.DateTimeField("réponse lue le", null=True, blank=True)

    class Meta:
        verbose_name = "envoi"
        ordering = ["bordereau", "campaign", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["bordereau", "rank"], name="sending_rank_once"),
            models.UniqueConstraint(fields=["campaign", "rank"], name="sending_rank_once_of_campaign"),
            models.CheckConstraint(
                condition=Q(bordereau__isnull=False, campaign__isnull=True, workbook__isnull=True)
                | Q(bordereau__isnull=True, campaign__isnull=False, workbook__isnull=False),
                name="sending_of_one_bordereau_or_campaign",
                violation_error_message="Un envoi est celui d'un bordereau, ou d'une campagne avec son "
                "classeur.",
            ),
            models.UniqueConstraint(fields=["file_name"], name="sending_file_name_once"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def workbook_name(self) -> str:
        """Return the name of the workbook of an état, beside that of its PDF."""
        return f"{self.file_name.removesuffix('.pdf')}.xlsx"

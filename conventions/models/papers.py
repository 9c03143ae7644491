"""The papers of agreements: versioned texts, what was sent and signed, and yearly productions."""

import uuid

from django.db import models
from django.db.models import Q

from conventions.models.agreements import Convention
from conventions.models.amendments import Amendment
from conventions.policies import POLICIES
from entsvc.fields import SchoolYearField
from entsvc.models import StoredDocument
from entsvc.triggers import protected
from members.models import Issuer


class PaperKind(models.TextChoices):
    """What a paper is, whoever signs it."""

    AGREEMENT = "convention", "Convention"
    AMENDMENT = "avenant", "Avenant"
    ANNEX = "annexe", "Annexe des écoles"
    DELIBERATION = "deliberation", "Modèle de délibération"
    NOTIFICATION = "notification", "Lettre de notification"
    CERTIFICATE = "certificat", "Attestation d'inscription"


SIGNED_KINDS = (PaperKind.AGREEMENT, PaperKind.AMENDMENT, PaperKind.ANNEX)


@protected()
class PaperText(models.Model):
    """A version of the text of a paper, in Markdown with named placeholders: a new one replaces it.

    The text of an issuer wins over the one for all; that of a kind of agreement over the one for all.
    """

    issuer_path = "issuer"

    issuer = models.ForeignKey(
        Issuer,
        models.RESTRICT,
        verbose_name="émetteur",
        related_name="+",
        null=True,
        blank=True,
        help_text="Vide : pour tous les émetteurs.",
    )
    policy = models.CharField(
        "texte de convention",
        max_length=40,
        blank=True,
        choices=[(policy.code, policy.name) for policy in POLICIES.values()],
        help_text="Vide : pour toutes les conventions.",
    )
    kind = models.CharField("document", max_length=12, choices=PaperKind)
    version = models.PositiveIntegerField("version", editable=False)
    title = models.CharField("titre", max_length=200)
    body = models.TextField("texte")
    note = models.CharField("ce qui change", max_length=200, blank=True)
    created_by = models.CharField("auteur", max_length=150, editable=False)
    created_at = models.DateTimeField("date", auto_now_add=True)

    class Meta:
        verbose_name = "texte de document"
        verbose_name_plural = "textes de documents"
        ordering = ["kind", "policy", "issuer", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "policy", "kind", "version"],
                name="paper_text_version_once",
                violation_error_message="Cette version du texte existe déjà.",
            ),
            models.UniqueConstraint(
                fields=["policy", "kind", "version"],
                condition=Q(issuer__isnull=True),
                name="shared_paper_text_version_once",
                violation_error_message="Cette version du texte commun existe déjà.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.version})"


@protected()
class Paper(models.Model):
    """A paper of an agreement, frozen: what was sent, what came back signed, what proves it."""

    class Role(models.TextChoices):
        SENT = "envoye", "Envoyé pour signature"
        SIGNED = "signe", "Signé"
        SUPPORTING = "piece", "Pièce jointe"

    issuer_path = "convention__schedule__issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    convention = models.ForeignKey(
        Convention, models.RESTRICT, verbose_name="convention", related_name="papers"
    )
    amendment = models.ForeignKey(
        Amendment,
        models.RESTRICT,
        verbose_name="avenant",
        related_name="papers",
        null=True,
        blank=True,
    )
    kind = models.CharField("document", max_length=12, choices=PaperKind)
    role = models.CharField("rôle", max_length=8, choices=Role)
    text = models.ForeignKey(
        PaperText, models.RESTRICT, verbose_name="texte", related_name="+", null=True, blank=True
    )
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="contenu", related_name="+"
    )
    name = models.CharField("nom du fichier", max_length=200)
    actor = models.CharField("auteur", max_length=254)
    at = models.DateTimeField("date", auto_now_add=True)

    class Meta:
        verbose_name = "document de convention"
        verbose_name_plural = "documents de conventions"
        ordering = ["convention", "-at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(role="envoye") | Q(text__isnull=False),
                name="paper_sent_names_its_text",
                violation_error_message="Un document envoyé dit de quel texte il vient.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def role_in_words(self) -> str:
        """Return its role; what nobody signs was produced, not sent to be signed."""
        if self.role == self.Role.SENT and self.kind not in SIGNED_KINDS:
            return "Produit"
        return self.get_role_display()


class Production(models.Model):
    """All the papers of one kind for the agreements of a school year, asked for at once."""

    issuer_path = "issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    school_year = SchoolYearField("année scolaire")
    kind = models.CharField("document", max_length=12, choices=PaperKind)
    actor = models.CharField("auteur", max_length=150)
    at = models.DateTimeField("date", auto_now_add=True)

    class Meta:
        verbose_name = "production de documents"
        verbose_name_plural = "productions de documents"
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.issuer.code})"


class ProductionItem(models.Model):
    """One paper of a production: to do until it has its document or its failure.

    `paper` is the frozen one when the agreement has it; without it the document is a draft. Who draws it
    holds it until `claimed_until`: past that moment, a killed worker's claim is worth nothing.
    """

    issuer_path = "production__issuer"

    production = models.ForeignKey(
        Production, models.CASCADE, verbose_name="production", related_name="items"
    )
    convention = models.ForeignKey(
        Convention, models.CASCADE, verbose_name="convention", related_name="+"
    )
    amendment = models.ForeignKey(
        Amendment, models.CASCADE, verbose_name="avenant", related_name="+", null=True, blank=True
    )
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="contenu", related_name="+", null=True, blank=True
    )
    paper = models.ForeignKey(
        Paper, models.RESTRICT, verbose_name="document figé", related_name="+", null=True, blank=True
    )
    text = models.ForeignKey(
        PaperText, models.RESTRICT, verbose_name="texte", related_name="+", null=True, blank=True
    )
    failure = models.CharField("échec", max_length=300, blank=True)
    claimed_until = models.DateTimeField("en cours jusqu'à", null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "document à produire"
        verbose_name_plural = "documents à produire"
        ordering = ["production", "convention", "amendment"]
        constraints = [
            models.UniqueConstraint(
                fields=["production", "convention"],
                condition=Q(amendment__isnull=True),
                name="produced_once",
            ),
            models.UniqueConstraint(
                fields=["production", "amendment"], name="produced_once_per_amendment"
            ),
            models.CheckConstraint(
                condition=Q(failure="") | Q(document__isnull=True), name="produced_or_failed"
            ),
            models.CheckConstraint(
                condition=Q(paper__isnull=True) | Q(document__isnull=False),
                name="produced_paper_has_its_document",
            ),
        ]

    def __str__(self) -> str:
        return str(self.amendment or self.convention)

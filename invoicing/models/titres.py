"""The counter, the bordereau and the titres it numbers, all sealed once issued.

Titres have random keys so that lines are inserted before their titre, and titres before their bordereau:
the parent seals its children (see `entsvc.triggers`).
"""

import uuid

from django.db import models
from django.db.models import OuterRef, Q, Subquery

from entsvc.bulk import BulkManager
from entsvc.fields import FingerprintField, MoneyField
from entsvc.models import StoredDocument
from entsvc.triggers import frozen_when, protected
from invoicing.facturx.profiles import Profile
from invoicing.models.runs import Call, Campaign, LineFacts, Run
from members.models import Issuer, Member


class Series(models.TextChoices):
    """The numbered series of an issuer's budget in an exercice."""

    TITRE = "titre", "Titres"
    BORDEREAU = "bordereau", "Bordereaux de titres"
    CORRECTION = "correction", "Annulations et réductions"
    CORRECTION_BORDEREAU = "bordereau-correction", "Bordereaux d'annulations et de réductions"


@frozen_when(
    "EXISTS (SELECT 1 FROM invoicing_closedexercice x WHERE x.issuer_id = ROW.issuer_id "
    "AND x.budget = ROW.budget AND x.exercice = ROW.exercice)",
    "exercice clos : sa serie ne prend plus de numero",
)
class Counter(models.Model):
    """The last number of a series: locked while numbers are taken, so that there is no gap."""

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    budget = models.CharField("budget", max_length=2)
    exercice = models.PositiveSmallIntegerField("exercice")
    kind = models.CharField("série", max_length=20, choices=Series)
    last_number = models.PositiveIntegerField("dernier numéro", default=0)
    last_date = models.DateField("dernière date", null=True)

    class Meta:
        verbose_name = "compteur"
        ordering = ["issuer", "budget", "exercice", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "budget", "exercice", "kind"], name="counter_once")
        ]

    def __str__(self) -> str:
        return f"{self.issuer.code} {self.exercice} {self.get_kind_display()} : {self.last_number}"


@protected()
class Bordereau(models.Model):
    """The numbered list that sends a batch of titres, or of their corrections, to the accountant."""

    class Kind(models.TextChoices):
        TITRES = "titres", "Titres"
        CORRECTIONS = "corrections", "Annulations et réductions"

    issuer_path = "issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    kind = models.CharField("nature", max_length=11, choices=Kind, default=Kind.TITRES)
    run = models.ForeignKey(
        Run, models.RESTRICT, verbose_name="calcul", related_name="bordereaux", null=True
    )
    budget = models.CharField("budget", max_length=2)
    exercice = models.PositiveSmallIntegerField("exercice")
    number = models.PositiveIntegerField("numéro")
    issued_on = models.DateField("date")
    issued_at = models.DateTimeField("émis le", auto_now_add=True)
    issued_by = models.CharField("émis par", max_length=150)
    signatory = models.CharField("signataire", max_length=410)
    count = models.PositiveIntegerField("nombre de pièces")
    total = MoneyField("total")
    invoice_frame = models.CharField(
        "cadre des factures électroniques",
        max_length=2,
        blank=True,
        choices=Profile,
        help_text="Celui que le canal demandait à l'émission ; vide : aucune d'office.",
    )

    class Meta:
        verbose_name = "bordereau"
        verbose_name_plural = "bordereaux"
        ordering = ["issuer", "-exercice", "kind", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice", "kind", "number"], name="bordereau_number_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="corrections") | Q(run__isnull=False),
                name="bordereau_of_titres_names_its_run",
            ),
        ]

    def __str__(self) -> str:
        of = "" if self.kind == self.Kind.TITRES else " d'annulations et de réductions"
        return f"{self.issuer.code} {self.exercice}, bordereau{of} {self.number}"


class Titres(models.QuerySet):
    """Titres and their corrections."""

    def in_force(self) -> "Titres":
        """Return the titres that nothing annulled; their corrections are left out."""
        return self.filter(kind=Titre.Kind.TITRE).exclude(pk__in=_annulled())

    def annulled(self) -> "Titres":
        """Return the titres that were annulled."""
        return self.filter(pk__in=_annulled())

    def first_of(self, bordereaux: models.QuerySet) -> "Titres":
        """Return the first piece of each of some bordereaux.

        What is frozen alike in all of a bordereau's is read there: all of them weigh megabytes.
        """
        pieces = Titre.objects.filter(bordereau=OuterRef("pk")).order_by("number").values("pk")
        firsts = bordereaux.order_by().annotate(first=Subquery(pieces[:1])).values("first")
        return self.filter(pk__in=firsts)


def _annulled() -> models.QuerySet:
    return Titre.objects.filter(kind=Titre.Kind.ANNULATION).values("original")


@frozen_when(
    "(ROW.original_id IS NOT NULL AND EXISTS (SELECT 1 FROM invoicing_titre o "
    "WHERE o.id = ROW.original_id AND (o.kind <> 'titre' OR o.issuer_id <> ROW.issuer_id "
    "OR o.budget <> ROW.budget OR o.exercice <> ROW.exercice))) "
    "OR (ROW.replaces_id IS NOT NULL AND EXISTS (SELECT 1 FROM invoicing_titre r "
    "WHERE r.id = ROW.replaces_id AND r.total > COALESCE((SELECT SUM(c.total) "
    "FROM invoicing_titre c WHERE c.original_id = r.id), 0)))",
    "une correction corrige un titre de son exercice, un titre remplace un titre annule en entier",
)
@protected(follow_up=("external_reference",), sealed_by="bordereau", sum_within=("original", "total"))
class Titre(models.Model):
    """A numbered claim. Its payload is a copy of all that its document says."""

    class Kind(models.TextChoices):
        TITRE = "titre", "Titre"
        ANNULATION = "annulation", "Annulation"
        REDUCTION = "reduction", "Réduction"

    class Reason(models.TextChoices):
        WRONG_DEBTOR = "debiteur", "Erreur sur le débiteur"
        WRONG_AMOUNT = "liquidation", "Erreur de liquidation"
        DUPLICATE = "doublon", "Créance déjà appelée"
        GONE = "disparu", "Débiteur fusionné ou dissous"
        COURT = "juge", "Décharge prononcée par le juge"

    issuer_path = "issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bordereau = models.ForeignKey(
        Bordereau, models.RESTRICT, verbose_name="bordereau", related_name="titres"
    )
    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    budget = models.CharField("budget", max_length=2)
    exercice = models.PositiveSmallIntegerField("exercice")
    kind = models.CharField("nature", max_length=10, choices=Kind, default=Kind.TITRE)
    number = models.PositiveIntegerField("numéro")
    reference = models.CharField("référence", max_length=20)
    issued_on = models.DateField("date d'émission")
    campaign = models.ForeignKey(
        Campaign, models.RESTRICT, verbose_name="campagne", related_name="titres"
    )
    call = models.OneToOneField(
        Call, models.RESTRICT, verbose_name="appel", related_name="titre", null=True
    )
    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="débiteur", related_name="+")
    siret = models.CharField("SIRET", max_length=14)
    debtor_name = models.CharField("nom du débiteur", max_length=200)
    subject = models.CharField("objet", max_length=200)
    total = MoneyField("total")
    original = models.ForeignKey(
        "self",
        models.RESTRICT,
        verbose_name="titre d'origine",
        related_name="corrections",
        null=True,
    )
    replaces = models.OneToOneField(
        "self",
        models.RESTRICT,
        verbose_name="titre remplacé",
        related_name="replaced_by",
        null=True,
    )
    reason_code = models.CharField("motif", max_length=12, choices=Reason, blank=True)
    reason = models.TextField("erreur commise", blank=True)
    payload = models.JSONField("contenu figé")
    sha256 = FingerprintField("empreinte du contenu", of="payload")
    external_reference = models.CharField(
        "numéro attribué par le comptable",
        max_length=50,
        blank=True,
        help_text="Numéro relu de la chaîne de l'État ou de la suite comptable.",
    )

    objects = BulkManager.from_queryset(Titres)()

    class Meta:
        verbose_name = "titre"
        ordering = ["issuer", "-exercice", "kind", "-number"]
        permissions = [("issue_titre", "Peut émettre des titres")]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice", "kind", "number"],
                name="titre_number_once",
            ),
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice", "number"],
                condition=Q(kind__in=["annulation", "reduction"]),
                name="titre_correction_number_once",
            ),
            models.UniqueConstraint(fields=["issuer", "reference"], name="titre_reference_once"),
            models.UniqueConstraint(
                fields=["campaign", "debtor"],
                condition=Q(original__isnull=True, replaces__isnull=True),
                name="titre_principal_once",
                violation_error_message="Ce membre a déjà son titre dans cette campagne.",
            ),
            # The accountant numbers titres and their corrections apart, budget by budget.
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice", "external_reference"],
                condition=Q(kind="titre") & ~Q(external_reference=""),
                name="titre_external_reference_once",
                violation_error_message="Un autre titre de cet exercice porte déjà ce numéro du "
                "comptable.",
            ),
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice", "external_reference"],
                condition=~Q(kind="titre") & ~Q(external_reference=""),
                name="titre_correction_external_reference_once",
                violation_error_message="Une autre annulation ou réduction de cet exercice porte déjà "
                "ce numéro du comptable.",
            ),
            models.CheckConstraint(condition=Q(total__gt=0), name="titre_total_positive"),
            models.CheckConstraint(condition=Q(number__gte=1), name="titre_number_positive"),
            models.CheckConstraint(
                condition=Q(kind="titre", original__isnull=True, reason_code="")
                | Q(~Q(kind="titre"), ~Q(reason_code=""), ~Q(reason=""), original__isnull=False),
                name="titre_correction_names_original",
                violation_error_message="Une annulation ou une réduction nomme son titre et son motif.",
            ),
            models.CheckConstraint(
                condition=Q(kind="titre") | Q(replaces__isnull=True),
                name="titre_alone_replaces",
                violation_error_message="Seul un titre en remplace un autre.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} – {self.debtor_name}"


@protected(sealed_by="titre")
class TitreLine(LineFacts):
    """A line of a titre."""

    titre = models.ForeignKey(Titre, models.RESTRICT, verbose_name="titre", related_name="lines")

    class Meta:
        verbose_name = "ligne de titre"
        verbose_name_plural = "lignes de titre"
        ordering = ["titre", "position"]
        constraints = [
            models.UniqueConstraint(fields=["titre", "position"], name="titre_line_position_once")
        ]


@protected()
class TitreDocument(models.Model):
    """The stored document of a titre: one per role, written once."""

    class Role(models.TextChoices):
        PDF = "pdf", "Document en PDF"
        NUMBERED = "numerote", "Titre au numéro du comptable"
        FACTURX = "facturx", "Facture électronique (Factur-X)"

    titre = models.ForeignKey(Titre, models.RESTRICT, verbose_name="titre", related_name="documents")
    role = models.CharField("nature", max_length=10, choices=Role)
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="document", related_name="+"
    )

    class Meta:
        verbose_name = "document de titre"
        verbose_name_plural = "documents de titre"
        ordering = ["titre", "role"]
        constraints = [models.UniqueConstraint(fields=["titre", "role"], name="titre_document_once")]

    def __str__(self) -> str:
        return f"{self.titre.reference}.{self.role}"

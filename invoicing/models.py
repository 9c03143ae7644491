"""Campaign → run → call → line, then the counter, the bordereau and the titres it numbers.

A run and everything issued from it are frozen in the database itself (see `entsvc.triggers`). Titres
have random keys so that lines are inserted before their titre, and titres before their bordereau: the
parent seals its children.
"""

import uuid

from django.db import models
from django.db.models import Q

from entsvc.fields import MoneyField, SchoolYearField
from entsvc.models import StoredDocument
from entsvc.triggers import protected
from members.models import Issuer, Member
from tariffs.models import Schedule


class Campaign(models.Model):
    """The calls of one schedule for one school year: rank 1 is the principal one."""

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    school_year = SchoolYearField("année scolaire")
    rank = models.PositiveSmallIntegerField(
        "rang", default=1, help_text="1 pour la campagne principale, puis les complémentaires."
    )

    class Meta:
        verbose_name = "campagne"
        ordering = ["-school_year", "schedule", "rank"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year", "rank"],
                name="campaign_once",
                violation_error_message="Cette campagne existe déjà.",
            ),
            models.CheckConstraint(
                condition=Q(rank__gte=1),
                name="campaign_rank_positive",
                violation_error_message="Le rang commence à 1.",
            ),
        ]

    def __str__(self) -> str:
        suffix = "" if self.rank == 1 else f", complémentaire n° {self.rank - 1}"
        return f"{self.schedule.code} {self.school_year_label}{suffix}"


@protected()
class Run(models.Model):
    """One calculation, with the frozen basis it read: never changed, repeated by another run."""

    issuer_path = "campaign__schedule__issuer"

    campaign = models.ForeignKey(Campaign, models.RESTRICT, verbose_name="campagne", related_name="runs")
    number = models.PositiveIntegerField("numéro du calcul")
    computed_at = models.DateTimeField("calculé le", auto_now_add=True)
    computed_by = models.CharField("calculé par", max_length=150)
    total = MoneyField("total")
    basis = models.JSONField("bases du calcul")
    basis_sha256 = models.CharField("empreinte des bases", max_length=64)

    class Meta:
        verbose_name = "calcul"
        ordering = ["-computed_at", "-pk"]
        permissions = [("compute_run", "Peut lancer un calcul")]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="run_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}, calcul {self.number}"


@protected()
class Call(models.Model):
    """What one debtor owes according to a run."""

    issuer_path = "run__campaign__schedule__issuer"

    run = models.ForeignKey(Run, models.RESTRICT, verbose_name="calcul", related_name="calls")
    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="payeur", related_name="+")
    siret = models.CharField("SIRET", max_length=14)
    name = models.CharField("nom", max_length=200)
    total = MoneyField("total")

    class Meta:
        verbose_name = "appel"
        ordering = ["run", "siret"]
        constraints = [
            models.UniqueConstraint(fields=["run", "debtor"], name="call_once_per_debtor"),
            models.CheckConstraint(condition=Q(total__gte=0), name="call_total_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.siret})"


class LineFacts(models.Model):
    """A printed line: quantity × unit price = amount, and the words of it."""

    position = models.PositiveIntegerField("ordre")
    charge = models.CharField("ligne tarifaire", max_length=20)
    charge_label = models.CharField("libellé", max_length=150)
    agreement = models.CharField("convention", max_length=50, blank=True)
    uai = models.CharField("UAI", max_length=8, blank=True)
    school = models.CharField("école", max_length=200, blank=True)
    commune = models.CharField("commune", max_length=100, blank=True)
    quantity = models.PositiveIntegerField("quantité")
    unit = models.CharField("unité", max_length=50)
    unit_price = models.DecimalField("prix unitaire", max_digits=12, decimal_places=4, null=True)
    amount = MoneyField("montant")
    explanation = models.CharField("explication", max_length=300)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.explanation


@protected()
class CallLine(LineFacts):
    """A line of a call."""

    call = models.ForeignKey(Call, models.RESTRICT, verbose_name="appel", related_name="lines")

    class Meta:
        verbose_name = "ligne d'appel"
        verbose_name_plural = "lignes d'appel"
        ordering = ["call", "position"]


@protected()
class Anomaly(models.Model):
    """What stands in the way of a call, or of the whole run when it names no call."""

    run = models.ForeignKey(Run, models.RESTRICT, verbose_name="calcul", related_name="anomalies")
    call = models.ForeignKey(
        Call, models.RESTRICT, verbose_name="appel", related_name="anomalies", null=True
    )
    code = models.SlugField("code", max_length=30)
    uai = models.CharField("UAI", max_length=8, blank=True)
    message = models.TextField("message")
    blocking = models.BooleanField("bloquante", default=True)

    class Meta:
        verbose_name = "anomalie"
        ordering = ["run", "call", "pk"]

    def __str__(self) -> str:
        return self.message


class Series(models.TextChoices):
    """The numbered series of an issuer's budget in an exercice."""

    TITRE = "titre", "Titres"
    BORDEREAU = "bordereau", "Bordereaux de titres"


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
    """The numbered list that sends a batch of titres to the accountant."""

    issuer_path = "issuer"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    run = models.ForeignKey(Run, models.RESTRICT, verbose_name="calcul", related_name="bordereaux")
    budget = models.CharField("budget", max_length=2)
    exercice = models.PositiveSmallIntegerField("exercice")
    number = models.PositiveIntegerField("numéro")
    issued_on = models.DateField("date")
    issued_at = models.DateTimeField("émis le", auto_now_add=True)
    issued_by = models.CharField("émis par", max_length=150)
    signatory = models.CharField("signataire", max_length=400)
    count = models.PositiveIntegerField("nombre de titres")
    total = MoneyField("total")

    class Meta:
        verbose_name = "bordereau"
        verbose_name_plural = "bordereaux"
        ordering = ["issuer", "-exercice", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "budget", "exercice", "number"], name="bordereau_number_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.issuer.code} {self.exercice}, bordereau {self.number}"


@protected(follow_up=("external_reference",), sealed_by="bordereau")
class Titre(models.Model):
    """A numbered claim. Its payload is a copy of all that its document says."""

    class Kind(models.TextChoices):
        TITRE = "titre", "Titre"
        ANNULATION = "annulation", "Annulation"
        REDUCTION = "reduction", "Réduction"

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
    payload = models.JSONField("contenu figé")
    external_reference = models.CharField(
        "numéro attribué par le comptable",
        max_length=50,
        blank=True,
        help_text="Numéro relu de la chaîne de l'État ou de la suite comptable.",
    )

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
                fields=["campaign", "debtor"],
                condition=Q(original__isnull=True),
                name="titre_principal_once",
                violation_error_message="Ce membre a déjà son titre dans cette campagne.",
            ),
            models.CheckConstraint(condition=Q(total__gt=0), name="titre_total_positive"),
            models.CheckConstraint(condition=Q(number__gte=1), name="titre_number_positive"),
            models.CheckConstraint(
                condition=Q(kind="titre") | Q(original__isnull=False),
                name="titre_correction_names_original",
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
        PDF = "pdf", "Titre en PDF"

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

"""Stored documents, imports, dated texts and figures, the journal: no business word here."""

import uuid

from django.db import models
from django.utils import timezone

from entsvc import texts
from entsvc.triggers import frozen_when, protected


@protected()
class StoredDocument(models.Model):
    """Bytes kept once, known by their SHA-256."""

    sha256 = models.CharField("empreinte SHA-256", max_length=64, unique=True)
    path = models.CharField("emplacement", max_length=200, unique=True)
    size = models.PositiveIntegerField("taille (octets)")
    content_type = models.CharField("type", max_length=100)
    stored_at = models.DateTimeField("conservé le", auto_now_add=True)

    class Meta:
        verbose_name = "document conservé"
        verbose_name_plural = "documents conservés"
        ordering = ["-stored_at", "-pk"]

    def __str__(self) -> str:
        return self.path


class SentFile(models.Model):
    """A file that someone sent to be imported, and what becomes of its rows."""

    importer = models.SlugField("import", max_length=30)
    file_name = models.CharField("fichier", max_length=200)
    options = models.JSONField("options", default=dict, blank=True)
    actor = models.CharField("auteur", max_length=150)
    at = models.DateTimeField("date", auto_now_add=True)
    report = models.JSONField("compte rendu")

    class Meta:
        abstract = True
        ordering = ["-at", "-pk"]


@protected()
class ImportRecord(SentFile):
    """A file that was imported: its report says what became of its rows."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(StoredDocument, models.RESTRICT, verbose_name="contenu")

    class Meta(SentFile.Meta):
        verbose_name = "import"

    def __str__(self) -> str:
        return f"{self.file_name} ({self.at:%d/%m/%Y})"


class Upload(SentFile):
    """A file tried but not yet imported: its report says what would become of its rows.

    Its bytes are no stored document until it is confirmed: those are kept for ever.
    """

    path = models.CharField("emplacement", max_length=200, unique=True)
    sha256 = models.CharField("empreinte SHA-256", max_length=64)
    size = models.PositiveIntegerField("taille (octets)")

    class Meta(SentFile.Meta):
        verbose_name = "fichier à confirmer"
        verbose_name_plural = "fichiers à confirmer"

    def __str__(self) -> str:
        return self.file_name


class DatedText(models.Model):
    """A legal text in force from a date, for everyone, for a family of issuers or for one of them."""

    scope = models.CharField(
        "portée",
        max_length=20,
        help_text="Code de l'émetteur, ou régime (ETAT, LOCAL) pour tous ceux qui en relèvent.",
    )
    code = models.SlugField("code", max_length=50)
    valid_from = models.DateField("en vigueur à partir du")
    body = models.TextField("texte")
    source = models.CharField(
        "fondement", max_length=200, blank=True, help_text="Article ou texte officiel de référence."
    )

    class Meta:
        verbose_name = "texte légal daté"
        verbose_name_plural = "textes légaux datés"
        ordering = ["scope", "code", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "code", "valid_from"],
                name="dated_text_once_per_day",
                violation_error_message="Ce texte a déjà une version à cette date.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} ({self.scope}, {self.valid_from:%d/%m/%Y})"

    def clean(self) -> None:
        """Refuse a placeholder that nothing will ever fill."""
        texts.check_placeholders(self.body)


class OutgoingMail(models.Model):
    """A mail to one recipient: written with what it tells, sent afterwards."""

    class State(models.TextChoices):
        WAITING = "attente", "À envoyer"
        SENDING = "envoi", "En cours d'envoi"
        SENT = "envoye", "Envoyé"
        FAILED = "echec", "Abandonné"

    recipient = models.EmailField("destinataire")
    template = models.SlugField("modèle", max_length=50)
    subject = models.CharField("objet", max_length=200)
    text = models.TextField("texte", blank=True)
    html = models.TextField("texte en HTML", blank=True)
    posted_at = models.DateTimeField("écrit le", auto_now_add=True)
    state = models.CharField("état", max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField("essais", default=0)
    due_at = models.DateTimeField("prochain essai le", auto_now_add=True)
    sent_at = models.DateTimeField("envoyé le", null=True, blank=True)
    error = models.CharField("dernière erreur", max_length=300, blank=True)
    useful_until = models.DateTimeField(
        "utile jusqu'au",
        null=True,
        blank=True,
        help_text="Passée cette heure il n'est plus envoyé. Son texte, secret, est effacé ensuite.",
    )

    class Meta:
        verbose_name = "courriel"
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="envoye", sent_at__isnull=False)
                | (~models.Q(state="envoye") & models.Q(sent_at__isnull=True)),
                name="mail_sent_has_its_time",
                violation_error_message="Un courriel envoyé dit quand, et lui seul.",
            )
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="mail_to_send")]

    def __str__(self) -> str:
        return self.subject


@protected()
class JournalEntry(models.Model):
    """Who did what, when; rows are only ever added."""

    at = models.DateTimeField("date", auto_now_add=True)
    actor = models.CharField("auteur", max_length=254)
    action = models.SlugField("action", max_length=50)
    target = models.CharField("objet", max_length=100, db_index=True)
    summary = models.CharField("résumé", max_length=300)
    data = models.JSONField("données", default=dict, blank=True)

    class Meta:
        verbose_name = "événement du journal"
        verbose_name_plural = "journal"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.summary


@protected()
class JournalLink(models.Model):
    """The place of an event in the chain: its hash covers the event and the link before."""

    entry = models.OneToOneField(
        JournalEntry, models.RESTRICT, verbose_name="événement", related_name="link"
    )
    number = models.PositiveBigIntegerField("rang", unique=True)
    previous = models.CharField("empreinte précédente", max_length=64, blank=True)
    sha256 = models.CharField("empreinte", max_length=64, unique=True)

    class Meta:
        verbose_name = "maillon du journal"
        verbose_name_plural = "maillons du journal"
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.number} {self.sha256[:12]}"


class DatedFigure(models.Model):
    """A figure set by a text, in force from a date: a threshold, a delay, a number of years."""

    scope = models.CharField(
        "portée",
        max_length=20,
        help_text="Code de l'émetteur, ou régime (ETAT, LOCAL) pour tous ceux qui en relèvent.",
    )
    code = models.SlugField("code", max_length=50)
    applies_to = models.SlugField(
        "concerne", max_length=20, blank=True, help_text="Type de débiteur ; vide pour tous."
    )
    valid_from = models.DateField("en vigueur à partir du")
    value = models.DecimalField("valeur", max_digits=12, decimal_places=2)
    unit = models.CharField("unité", max_length=20, help_text="€, jours, mois, ans…")
    source = models.CharField("fondement", max_length=200, help_text="Article ou texte de référence.")

    class Meta:
        verbose_name = "chiffre légal daté"
        verbose_name_plural = "chiffres légaux datés"
        ordering = ["scope", "code", "applies_to", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "code", "applies_to", "valid_from"],
                name="dated_figure_once_per_day",
                violation_error_message="Ce chiffre a déjà une valeur à cette date.",
            ),
            models.CheckConstraint(
                condition=models.Q(value__gte=0),
                name="dated_figure_not_negative",
                violation_error_message="Un chiffre légal n'est pas négatif.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} ({self.scope}, {self.valid_from:%d/%m/%Y})"


class Attempt(models.Model):
    """A piece of long work that somebody is doing, or that failed; one that succeeded leaves none.

    `key` is that of the domain's own row. Who does it holds it until `held_until`: past that moment, a
    killed worker's hold is worth nothing.
    """

    work = models.SlugField("travail", max_length=20)
    key = models.UUIDField("pièce")
    at = models.DateTimeField("dernier essai", default=timezone.now)
    tries = models.PositiveSmallIntegerField("essais", default=1)
    held_until = models.DateTimeField("en cours jusqu'à", null=True, blank=True)
    failure = models.CharField("échec", max_length=300, blank=True)

    class Meta:
        verbose_name = "essai"
        ordering = ["work", "key"]
        constraints = [
            models.UniqueConstraint(fields=["work", "key"], name="attempt_once"),
            models.CheckConstraint(
                condition=models.Q(failure="") | models.Q(held_until__isnull=True),
                name="attempt_under_way_or_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.work} {self.key}"


@frozen_when("ROW.finished_at IS NOT NULL", "travail termine : il ne change plus", reachable=True)
class Work(models.Model):
    """A long piece of work that somebody asked for: waiting, held by who does it, then done or failed.

    Two unfinished ones never have the same `kind` and `once`. `issuer` is the key of the one it is
    about, whose accounts may follow it; without one it is its author's alone. The result is a `page` and
    the key of its row, a file that is kept for some days (`path`, see `short_lived`), or a document.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.SlugField("nature", max_length=30)
    once = models.CharField("objet", max_length=150)
    title = models.CharField("travail", max_length=300)
    arguments = models.JSONField("demande", default=dict)
    issuer = models.PositiveBigIntegerField("émetteur", null=True, blank=True)
    actor = models.CharField("auteur", max_length=150)
    at = models.DateTimeField("demandé le", default=timezone.now)
    tries = models.PositiveSmallIntegerField("essais", default=0)
    started_at = models.DateTimeField("commencé le", null=True, blank=True)
    held_until = models.DateTimeField("en cours jusqu'à", null=True, blank=True)
    holder = models.UUIDField("tenu par", null=True, blank=True)
    finished_at = models.DateTimeField("terminé le", null=True, blank=True)
    failure = models.TextField("échec", blank=True)
    told = models.CharField("résultat", max_length=300, blank=True)
    page = models.CharField("page", max_length=100, blank=True)
    page_key = models.CharField("clé", max_length=50, blank=True)
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="contenu", related_name="+", null=True, blank=True
    )
    path = models.CharField("emplacement", max_length=200, blank=True)
    file_name = models.CharField("fichier", max_length=200, blank=True)

    class Meta:
        verbose_name = "travail"
        verbose_name_plural = "travaux"
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "once"],
                condition=models.Q(finished_at__isnull=True),
                name="work_asked_once",
            ),
            models.CheckConstraint(
                condition=models.Q(finished_at__isnull=False)
                | models.Q(failure="", told="", document__isnull=True),
                name="work_result_once_finished",
            ),
        ]
        indexes = [models.Index(fields=["-at"], name="work_latest")]

    def __str__(self) -> str:
        return self.title

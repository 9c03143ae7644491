"""Stored documents, dated texts and the journal: no business word here."""

from django.db import models

from entsvc import texts
from entsvc.triggers import protected


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


@protected()
class JournalEntry(models.Model):
    """Who did what, when; rows are only ever added."""

    at = models.DateTimeField("date", auto_now_add=True)
    actor = models.CharField("auteur", max_length=150)
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

"""Who was told, by e-mail, that a titre is issued."""

from django.db import models

from entsvc.triggers import protected
from invoicing.models.titres import Titre


@protected()
class Announcement(models.Model):
    """A titre announced to its debtor, once, at the addresses that opened its pages that day."""

    issuer_path = "titre__issuer"

    titre = models.OneToOneField(
        Titre,
        models.RESTRICT,
        verbose_name="titre",
        related_name="announcement",
    )
    addresses = models.JSONField("adresses", help_text="Celles à qui le courriel est écrit.")
    told_by = models.CharField("annoncé par", max_length=150)
    told_at = models.DateTimeField("annoncé le", auto_now_add=True)

    class Meta:
        verbose_name = "annonce de titre"
        verbose_name_plural = "annonces de titres"
        ordering = ["-told_at", "titre"]
        permissions = [("announce_titre", "Peut annoncer les titres aux membres")]

    def __str__(self) -> str:
        return f"{self.titre.reference}, annoncé le {self.told_at:%d/%m/%Y}"

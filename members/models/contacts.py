"""The people of a member's office who may open its pages."""

from django.db import models
from django.db.models.functions import Lower
from simple_history.models import HistoricalRecords

from members.models.territory import Member


class Contact(models.Model):
    """An address that may open the pages of a member, besides the one of the member itself."""

    TWICE = "Cette adresse a déjà accès aux pages de ce membre."

    member = models.ForeignKey(Member, models.CASCADE, verbose_name="membre", related_name="contacts")
    email = models.EmailField("courriel")
    quality = models.CharField("fonction", max_length=100, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "accès à l'espace"
        verbose_name_plural = "accès à l'espace"
        ordering = ["member", "email"]
        indexes = [models.Index(Lower("email"), name="contact_address")]
        constraints = [
            models.UniqueConstraint(
                "member",
                Lower("email"),
                name="contact_once",
                violation_error_message="Cette adresse a déjà accès aux pages de ce membre.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.member})"

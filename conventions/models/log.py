"""Who moved an agreement or an amendment from one state to another, when, and why."""

from django.db import models

from conventions.models.agreements import Convention
from conventions.models.amendments import Amendment
from entsvc.triggers import protected


@protected()
class Transition(models.Model):
    """An action on an agreement, or on one of its amendments; rows are only ever added."""

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.RESTRICT, verbose_name="convention", related_name="transitions"
    )
    amendment = models.ForeignKey(
        Amendment,
        models.RESTRICT,
        verbose_name="avenant",
        related_name="transitions",
        null=True,
        blank=True,
    )
    action = models.SlugField("action", max_length=30)
    before = models.CharField("état avant", max_length=10)
    after = models.CharField("état après", max_length=10)
    actor = models.CharField("auteur", max_length=254)
    comment = models.TextField("commentaire", blank=True)
    at = models.DateTimeField("date", auto_now_add=True)

    class Meta:
        verbose_name = "changement d'état"
        verbose_name_plural = "changements d'état"
        ordering = ["convention", "at", "pk"]

    def __str__(self) -> str:
        return f"{self.action} ({self.convention.reference})"

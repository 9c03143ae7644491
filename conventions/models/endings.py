"""How an agreement is being ended: the letters sent and what they rest on."""

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from conventions.models.agreements import Convention
from conventions.policies import Ending
from members.models import Act


class Termination(models.Model):
    """A way out that someone has begun; its dates make a timeline, see `conventions.endings`."""

    class Status(models.TextChoices):
        OPEN = "en_cours", "En cours"
        DONE = "aboutie", "Aboutie"
        DROPPED = "abandonnee", "Abandonnée"

    class Author(models.TextChoices):
        MEMBER = "membre", "Le membre"
        ISSUER = "emetteur", "L'émetteur"

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.RESTRICT, verbose_name="convention", related_name="terminations"
    )
    status = models.CharField("état", max_length=10, choices=Status, default=Status.OPEN)
    ending = models.CharField(
        "voie", max_length=30, choices=[(way.name.lower(), way.value) for way in Ending]
    )
    author = models.CharField("à l'initiative de", max_length=8, choices=Author)
    grounds = models.TextField("motifs", blank=True)
    notified_on = models.DateField("lettre de dénonciation du", null=True, blank=True)
    formal_notice_on = models.DateField("mise en demeure du", null=True, blank=True)
    conciliation_failed_on = models.DateField("échec de la conciliation le", null=True, blank=True)
    second_letter_on = models.DateField("seconde lettre envoyée le", null=True, blank=True)
    act = models.ForeignKey(
        Act, models.RESTRICT, verbose_name="délibération", related_name="+", null=True, blank=True
    )
    ended_on = models.DateField("fin prononcée au", null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "résiliation"
        ordering = ["convention", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["convention"],
                condition=Q(status="en_cours"),
                name="one_open_termination",
                violation_error_message="Une résiliation de cette convention est déjà en cours.",
            ),
            models.CheckConstraint(
                condition=Q(status="aboutie", ended_on__isnull=False)
                | (~Q(status="aboutie") & Q(ended_on__isnull=True)),
                name="termination_done_is_dated",
                violation_error_message="Seule une résiliation aboutie porte le jour de la fin.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_ending_display()} – {self.convention.reference}"

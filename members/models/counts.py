"""How many pupils a school has: by year and source, every number ever known."""

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from entsvc.bulk import BulkManager
from entsvc.fields import SchoolYearField
from entsvc.models import ImportRecord
from entsvc.triggers import protected
from members.models.schools import School


class HeadcountSource(models.Model):
    """Where a count comes from, how much it is worth, and whether it may be billed."""

    code = models.CharField("code", max_length=10, primary_key=True)
    label = models.CharField("libellé", max_length=100)
    rank = models.PositiveSmallIntegerField(
        "rang", unique=True, help_text="La source de plus petit rang l'emporte."
    )
    billable = models.BooleanField("facturable", default=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "source d'effectifs"
        verbose_name_plural = "sources d'effectifs"
        ordering = ["rank"]

    def __str__(self) -> str:
        return self.label


class CurrentManager(models.Manager):
    """The counts that hold today."""

    def get_queryset(self) -> models.QuerySet:
        """Leave out those that another one replaced, or that were withdrawn."""
        return super().get_queryset().filter(superseded_at__isnull=True)


class Count(models.Model):
    """A number of pupils of a school in a school year, by source: kept for ever, replaced by another.

    `imported` and `line` say which row of which file gave it; neither when it was typed.
    """

    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école")
    school_year = SchoolYearField("année scolaire")
    source = models.ForeignKey(HeadcountSource, models.RESTRICT, verbose_name="source")
    recorded_at = models.DateTimeField("enregistré le", auto_now_add=True)
    recorded_by = models.CharField("enregistré par", max_length=150, blank=True, editable=False)
    imported = models.ForeignKey(
        ImportRecord,
        models.RESTRICT,
        verbose_name="import",
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )
    line = models.PositiveIntegerField("ligne du fichier", null=True, blank=True, editable=False)
    superseded_at = models.DateTimeField("remplacé le", null=True, blank=True, editable=False)

    objects = BulkManager()
    current = CurrentManager()

    class Meta:
        abstract = True
        ordering = ["-school_year", "school", "source", "-recorded_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["school", "school_year", "source"],
                condition=Q(superseded_at__isnull=True),
                name="%(class)s_once_per_source",
                violation_error_message="Cette source donne déjà un nombre pour cette année.",
            )
        ]


@protected(follow_up=("superseded_at",))
class Headcount(Count):
    """The pupils of a school at the constat de rentrée of a school year."""

    pupils = models.PositiveIntegerField("élèves")

    class Meta(Count.Meta):
        verbose_name = "effectif"

    def __str__(self) -> str:
        return f"{self.school.uai} {self.school_year_label} : {self.pupils}"


@protected(follow_up=("superseded_at",))
class Usage(Count):
    """The pupils of a school who used a service beyond its threshold in a school year."""

    active_pupils = models.PositiveIntegerField("élèves actifs")

    class Meta(Count.Meta):
        verbose_name = "usage"

    def __str__(self) -> str:
        return f"{self.school.uai} {self.school_year_label} : {self.active_pupils} actifs"

"""Spans of days."""

from django.db import models
from django.db.models import F, Q


class Period(models.Model):
    """A span of days, open at the end while nothing replaces it."""

    valid_from = models.DateField("à partir du")
    valid_to = models.DateField("jusqu'au", null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="%(class)s_period_in_order",
                violation_error_message="La fin de la période précède son début.",
            )
        ]

"""Spans of school years."""

from django.db import models
from django.db.models import F, Q

from entsvc.fields import SchoolYearField


class Years(models.Model):
    """A span of school years, open while `last_year` is empty."""

    first_year = SchoolYearField("première année scolaire")
    last_year = SchoolYearField("dernière année scolaire", null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(last_year__isnull=True) | Q(last_year__gte=F("first_year")),
                name="%(class)s_years_in_order",
                violation_error_message="La dernière année précède la première.",
            )
        ]

    def covers(self, year: int) -> bool:
        """Tell whether a school year is within the span."""
        return self.first_year <= year and (self.last_year is None or year <= self.last_year)

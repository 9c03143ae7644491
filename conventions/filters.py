"""Lists that show the rows behind a number of the data-quality page."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from conventions.findings import Finding, Scope
from conventions.readiness import FINDINGS
from entsvc import school_year
from members.access import visible
from members.models import Issuer

PARAMETER = "constat"


def address(finding: Finding, scope: Scope) -> str:
    """Return the value that asks for the rows of a finding: OCC.2024.sans-effectif."""
    return f"{scope.issuer.code}.{scope.year}.{finding.code}"


class FindingFilter(SimpleListFilter):
    """The rows of one finding; it only shows once a link of the data-quality page asked for it."""

    title = "constat de qualité des données"
    parameter_name = PARAMETER

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """Offer what was asked, if the account may see that issuer."""
        if self.value() is None:
            return []
        code, year, name = [*self.value().split("."), "", ""][:3]
        issuer = visible(Issuer.objects.filter(code=code), request.user).first()
        finding = FINDINGS.get(name)
        if issuer is None or finding is None or not _is_school_year(year):
            raise IncorrectLookupParameters
        self.finding, self.scope = finding, Scope(issuer, int(year))
        rows = finding.rows(self.scope)
        if rows.model is not model_admin.model:
            raise IncorrectLookupParameters
        self.rows = rows
        query = {"emetteur": issuer.code, "annee": school_year.label(self.scope.year)}
        self.page = f"{reverse('conventions:readiness')}?{urlencode(query)}"
        return [(self.value(), f"{finding.label} ({self.scope})")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Leave the rows that the page counted."""
        return queryset.filter(pk__in=self.rows.order_by().values("pk"))

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Show the finding, and the way out of it."""
        yield {
            "selected": False,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "Tout afficher",
        }
        yield {
            "selected": True,
            "query_string": changelist.get_query_string(),
            "display": self.lookup_choices[0][1],
        }


def _is_school_year(text: str) -> bool:
    return len(text) == 4 and text.isdecimal() and school_year.FIRST <= int(text) <= school_year.LAST

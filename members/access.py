"""Which rows an account may see: those of its issuers, and what all issuers share."""

from functools import reduce
from operator import or_
from typing import Any

from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.utils import get_fields_from_path
from django.db.models import Field, ForeignKey, Q, QuerySet
from django.http import HttpRequest

from entsvc.staff import ReadOnlyAdmin, StaffAdmin, StaffInline


def visible(queryset: QuerySet, user: Any) -> QuerySet:
    """Limit rows to the issuers of an account, along the model's `issuer_path`.

    Rows of a model without that path are shared, and so are those that name no issuer, such as the acts
    of members; a superuser sees everything. A model whose rows name their issuer by one path or another
    gives them all: such a row always names it.
    """
    path = getattr(queryset.model, "issuer_path", None)
    if path is None or user.is_superuser:
        return queryset
    issuers = user.issuers.order_by("pk").values("pk")
    if isinstance(path, tuple):
        ways = [Q(**{f"{way}__in": issuers}) for way in path]
        return queryset.filter(reduce(or_, ways))
    mine = Q(**{f"{path}__in": issuers})
    if path != "pk" and any(field.null for field in get_fields_from_path(queryset.model, path)):
        mine |= Q(**{f"{path}__isnull": True})
    return queryset.filter(mine)


class ScopedChoices:
    """Forms that offer only the rows of the account's issuers."""

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Field:
        """Offer the rows of the account's issuers."""
        if "queryset" not in kwargs:
            manager = db_field.remote_field.model._default_manager
            kwargs["queryset"] = visible(manager.all(), request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ScopedRelatedFilter(RelatedFieldListFilter):
    """A filter on a relation, among the rows of the account's issuers."""

    def field_choices(
        self, field: Field, request: HttpRequest, model_admin: Any
    ) -> list[tuple[Any, str]]:
        """Offer the rows of the account's issuers."""
        rows = visible(field.remote_field.model._default_manager.select_related(), request.user)
        ordering = self.field_admin_ordering(field, request, model_admin)
        return [(row.pk, str(row)) for row in (rows.order_by(*ordering) if ordering else rows)]


class ScopedRows:
    """Lists limited to the account's issuers: rows shown and rows to filter by."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Show the rows of the account's issuers."""
        return visible(super().get_queryset(request), request.user)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Filter by the rows of the account's issuers."""
        return [self._scoped(item) for item in super().get_list_filter(request)]

    def _scoped(self, item: Any) -> Any:
        if isinstance(item, str) and get_fields_from_path(self.model, item)[-1].is_relation:
            return item, ScopedRelatedFilter
        return item


class ScopedAdmin(ScopedRows, ScopedChoices, StaffAdmin):
    """A staff page limited to the issuers of the account: rows shown and rows to choose from."""


class ScopedReadOnlyAdmin(ScopedRows, ReadOnlyAdmin):
    """A read-only page limited to the issuers of the account."""


class ScopedInline(ScopedChoices, StaffInline):
    """Rows edited inside another page, with the choices of the account's issuers."""

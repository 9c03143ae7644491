"""Which rows an account may see: those of its issuers, and what all issuers share."""

from typing import Any

from django.db.models import Field, ForeignKey, Model, QuerySet
from django.http import HttpRequest

from entsvc.staff import ReadOnlyAdmin, StaffAdmin


def visible(queryset: QuerySet, user: Any) -> QuerySet:
    """Limit rows to the issuers of an account, along the model's `issuer_path`.

    Rows of a model without that path are shared; a superuser sees everything.
    """
    path = getattr(queryset.model, "issuer_path", None)
    if path is None or user.is_superuser:
        return queryset
    return queryset.filter(**{f"{path}__in": user.issuers.order_by("pk").values("pk")})


class ScopedAdmin(StaffAdmin):
    """A staff page limited to the issuers of the account: rows shown and rows to choose from."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Show the rows of the account's issuers."""
        return visible(super().get_queryset(request), request.user)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Field:
        """Offer the rows of the account's issuers."""
        if "queryset" not in kwargs:
            manager = db_field.remote_field.model._default_manager
            kwargs["queryset"] = visible(manager.all(), request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ScopedReadOnlyAdmin(ReadOnlyAdmin):
    """A read-only page limited to the issuers of the account."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Show the rows of the account's issuers."""
        return visible(super().get_queryset(request), request.user)


def may_see(row: Model, user: Any) -> bool:
    """Tell whether an account may see a row."""
    return visible(type(row)._default_manager.filter(pk=row.pk), user).exists()

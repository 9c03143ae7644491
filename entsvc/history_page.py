"""The « Historique » page of a row: who changed which field, when, from what to what.

It reads the history of every field (django-simple-history) of the row and of the rows it carries, and
writes nothing: there is no way back to a former state from here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from entsvc import school_year
from entsvc.fields import SchoolYearField
from entsvc.french import long_date

PER_PAGE = 50
KINDS = {"+": "création", "~": "modification", "-": "suppression"}
NOTHING = "–"


@dataclass(frozen=True)
class Change:
    """A field and its values before and after, in words."""

    label: str
    before: str
    after: str


@dataclass
class Entry:
    """What someone wrote on a row at a moment; `changes` are filled for the page shown."""

    at: datetime
    who: str
    what: str
    kind: str
    reason: str
    values: list[tuple[models.Field, Any, Any]]
    changes: list[Change]


class HistoryPage:
    """A staff page whose « Historique » shows every field; `history_children` are related names."""

    history_children: tuple[str, ...] = ()

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was changed, the latest first."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        page = Paginator(entries(obj, self.history_children), PER_PAGE).get_page(request.GET.get("page"))
        _put_in_words(page.object_list)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Historique : {obj}",
            "opts": self.model._meta,
            "object": obj,
            "page": page,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/entsvc/history.html", context)


def entries(obj: models.Model, children: Iterable[str] = ()) -> list[Entry]:
    """Return what was written on a row and on those it carries, the latest first."""
    found = list(_of(type(obj), {"id": obj.pk}, skipped=""))
    for name in children:
        relation = obj._meta.get_field(name)
        column = relation.field
        found += _of(relation.related_model, {column.attname: obj.pk}, skipped=column.name)
    return sorted(found, key=lambda entry: entry.at, reverse=True)


def _of(model: type[models.Model], which: dict[str, Any], skipped: str) -> Iterator[Entry]:
    """Yield the entries of the rows of a model, each compared with the one before it."""
    past = model.history.model
    key = model._meta.pk.attname
    fields = [field for field in past.tracked_fields if not field.primary_key and field.name != skipped]
    previous: dict[Any, models.Model] = {}
    rows = past.objects.filter(**which).select_related("history_user")
    for row in rows.order_by("history_date", "history_id"):
        before = previous.get(getattr(row, key)) if row.history_type == "~" else None
        gone = row.history_type == "-"
        values = []
        for field in fields:
            new = getattr(row, field.attname)
            old = getattr(before, field.attname) if before else None
            if gone:
                old, new = new, None
            if old != new and not (old in (None, "", False) and new in (None, "", False)):
                values.append((field, old, new))
        previous[getattr(row, key)] = row
        if values or row.history_type != "~":
            yield Entry(
                at=row.history_date,
                who=row.history_user.get_username() if row.history_user else NOTHING,
                what=capfirst(model._meta.verbose_name),
                kind=KINDS[row.history_type],
                reason=row.history_change_reason or "",
                values=values,
                changes=[],
            )


def _put_in_words(shown: Iterable[Entry]) -> None:
    """Fill the changes of the entries of a page, the rows they name being read together."""
    wanted: dict[type[models.Model], set[Any]] = defaultdict(set)
    for entry in shown:
        for field, *pair in entry.values:
            if isinstance(field, models.ForeignKey):
                wanted[field.related_model] |= {value for value in pair if value is not None}
    names = {
        model: {row.pk: str(row) for row in _read(model, keys)} for model, keys in wanted.items() if keys
    }
    for entry in shown:
        entry.changes = [
            Change(capfirst(field.verbose_name), _word(field, old, names), _word(field, new, names))
            for field, old, new in entry.values
        ]


def _read(model: type[models.Model], keys: set[Any]) -> models.QuerySet:
    # What a row is called often names those it rests on.
    required = [f.name for f in model._meta.fields if isinstance(f, models.ForeignKey) and not f.null]
    return model._base_manager.select_related(*required).filter(pk__in=keys).order_by("pk")


def _word(field: models.Field, value: Any, names: dict[type[models.Model], dict[Any, str]]) -> str:
    if isinstance(field, models.ForeignKey):
        known = names.get(field.related_model, {})
        return NOTHING if value is None else known.get(value, f"n° {value} (supprimé)")
    if value in (None, ""):
        return NOTHING
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(field, SchoolYearField):
        return school_year.label(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return long_date(value)
    return str(value)

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
from entsvc.history import is_kept

PER_PAGE = 50
KINDS = {"+": "création", "~": "modification", "-": "suppression"}
NOTHING = "–"
EMPTY = (None, "", False, ())


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
    """A staff page whose « Historique » shows every field, where the history of its rows is kept.

    The rows that it carries are those of its inlines, and of the related names `history_children`.
    """

    history_children: tuple[str, ...] = ()

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was changed, the latest first."""
        if not is_kept(self.model):
            return super().history_view(request, object_id, extra_context)
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        page = Paginator(entries(obj, self._carried(request, obj)), PER_PAGE).get_page(
            request.GET.get("page")
        )
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

    def _carried(self, request: HttpRequest, obj: models.Model) -> list[models.ForeignKey]:
        """Return how the rows whose history is shown with that of a row refer to it."""
        inlines = (inline for _, inline in self.get_formsets_with_inlines(request, obj))
        links = [inline.get_formset(request, obj).fk for inline in inlines if is_kept(inline.model)]
        named = [obj._meta.get_field(name).field for name in self.history_children]
        return list(dict.fromkeys(named + links))


def entries(obj: models.Model, carried: Iterable[models.ForeignKey] = ()) -> list[Entry]:
    """Return what was written on a row and on those that refer to it so, the latest first."""
    found = list(_of(type(obj), {obj._meta.pk.attname: obj.pk}, skipped=""))
    for link in carried:
        found += _of(link.model, {link.attname: obj.pk}, skipped=link.name)
    return sorted(found, key=lambda entry: entry.at, reverse=True)


def _of(model: type[models.Model], which: dict[str, Any], skipped: str) -> Iterator[Entry]:
    """Yield the entries of the rows of a model, each compared with the one before it."""
    past = model.history.model
    key = model._meta.pk.attname
    fields = [field for field in past.tracked_fields if not field.primary_key and field.name != skipped]
    previous: dict[Any, models.Model] = {}
    rows = past.objects.filter(**which).select_related("history_user")
    rows = list(rows.order_by("history_date", "history_id"))
    for link in past._history_m2m_fields:
        fields.append(link)
        _read_links(past, link, rows)
    for row in rows:
        before = previous.get(getattr(row, key)) if row.history_type == "~" else None
        gone = row.history_type == "-"
        values = []
        for field in fields:
            new = getattr(row, field.attname)
            old = getattr(before, field.attname) if before else None
            if gone:
                old, new = new, None
            if old != new and not (old in EMPTY and new in EMPTY):
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


def _read_links(
    past: type[models.Model], link: models.ManyToManyField, rows: list[models.Model]
) -> None:
    """Give each row of the past the keys that it was linked to, in order."""
    links = getattr(past, link.name).model.objects.filter(history__in=[row.pk for row in rows])
    found = defaultdict(list)
    for row, key in links.values_list("history_id", f"{link.m2m_reverse_field_name()}_id").order_by(
        "pk"
    ):
        found[row].append(key)
    for row in rows:
        vars(row)[link.attname] = tuple(sorted(found[row.pk]))


def _put_in_words(shown: Iterable[Entry]) -> None:
    """Fill the changes of the entries of a page, the rows they name being read together."""
    wanted: dict[type[models.Model], set[Any]] = defaultdict(set)
    for entry in shown:
        for field, *pair in entry.values:
            if field.is_relation:
                wanted[field.related_model] |= {key for value in pair for key in _keys(value)}
    names = {
        model: {row.pk: str(row) for row in _read(model, keys)} for model, keys in wanted.items() if keys
    }
    for entry in shown:
        entry.changes = [
            Change(capfirst(field.verbose_name), _word(field, old, names), _word(field, new, names))
            for field, old, new in entry.values
        ]


def _keys(value: Any) -> tuple:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _read(model: type[models.Model], keys: set[Any]) -> models.QuerySet:
    # What a row is called often names those it rests on.
    required = [f.name for f in model._meta.fields if isinstance(f, models.ForeignKey) and not f.null]
    return model._base_manager.select_related(*required).filter(pk__in=keys).order_by("pk")


def _word(field: models.Field, value: Any, names: dict[type[models.Model], dict[Any, str]]) -> str:
    if field.is_relation:
        known = names.get(field.related_model, {})
        said = sorted(known.get(key, f"n° {key} (supprimé)") for key in _keys(value))
        return ", ".join(said) or NOTHING
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

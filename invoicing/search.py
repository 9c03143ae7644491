"""What bears some words, among all that an account may see: a commune, a UAI, a SIRET, a titre number.

Each kind is searched as its own list does, with the same rights and the same rows.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

from conventions.models import Convention
from invoicing.models import Bordereau, Quote, Titre
from members.models import Act, Member, School

SHORTEST = 2
SHOWN = 6  # of each kind; the list shows the others
KINDS: tuple[type[Model], ...] = (Titre, Convention, Member, School, Quote, Act, Bordereau)


@dataclass(frozen=True)
class Hit:
    """A row found and its page."""

    title: str
    link: str


@dataclass(frozen=True)
class Group:
    """What was found of a kind; `more` leads to the list when it holds others."""

    title: str
    hits: tuple[Hit, ...]
    more: str


def words_of(text: str) -> str:
    """Return the words to look for: a SIRET or a SIREN typed in groups is one number."""
    # PostgreSQL has no text with a NUL.
    words = " ".join(text.replace("\x00", " ").split())[:100]
    digits = words.replace(" ", "")
    return digits if re.fullmatch(r"\d{9}|\d{14}", digits) else words


def search(request: HttpRequest, words: str) -> list[Group]:
    """Return what bears these words, by kind, in one query for each; nothing for a single letter."""
    if len(words) < SHORTEST:
        return []
    groups = (_of(request, kind, words) for kind in KINDS)
    return [group for group in groups if group and group.hits]


def _of(request: HttpRequest, kind: type[Model], words: str) -> Group | None:
    page = admin.site.get_model_admin(kind)
    if not page.has_view_permission(request):
        return None
    rows, twice = page.get_search_results(request, page.get_queryset(request), words)
    keys = rows.values_list("pk", flat=True)
    # The keys first: only of the rows that are shown is the rest read.
    keys = list((keys.distinct() if twice else keys)[: SHOWN + 1])
    links = [field.name for field in kind._meta.fields if field.is_relation and not field.null]
    named = kind._default_manager.select_related(*links).in_bulk(keys[:SHOWN])
    meta = kind._meta
    name = f"admin:{meta.app_label}_{meta.model_name}"
    hits = [Hit(str(named[key]), reverse(f"{name}_change", args=[key])) for key in keys[:SHOWN]]
    more = f"{reverse(f'{name}_changelist')}?{urlencode({'q': words})}" if len(keys) > SHOWN else ""
    return Group(str(capfirst(meta.verbose_name_plural)), tuple(hits), more)

"""Which filters of a list are kept, for whom, and what of an address makes a filter."""

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.db.models import Q, QuerySet

from members.models import SavedFilter, User

# What an address says of the reader's place in a list, not of the rows asked for.
PLACE = {PAGE_VAR, ALL_VAR, ERROR_FLAG, IS_POPUP_VAR, TO_FIELD_VAR}
LONGEST = 2000  # characters of an address that every browser and proxy takes


class FilterRefused(Exception):
    """Nothing was kept; the message says why, in French."""


def asked(pairs: Iterable[tuple[str, str]]) -> str:
    """Return what an address asks of a list, in one order: two addresses that ask the same are equal."""
    return urlencode(sorted((name, value) for name, value in pairs if value and name not in PLACE))


def asked_by(query: str) -> str:
    """Return what the part of an address after « ? » asks of a list."""
    return asked(parse_qsl(query.removeprefix("?")))


def kept_for(user: User, page: str) -> QuerySet[SavedFilter]:
    """Return the filters of a list that an account may use: its own and those kept for all."""
    return SavedFilter.objects.filter(Q(user=user) | Q(shared=True), page=page).order_by("name", "pk")


def keep(*, user: User, page: str, name: str, query: str, shared: bool) -> SavedFilter:
    """Keep what a list is asked under a name; the same name replaces what it kept.

    Raises FilterRefused (French message) without a name, without anything asked, or when it is too long.
    """
    name, query = name.strip(), asked_by(query)
    if not name:
        raise FilterRefused("Donnez un nom à ce filtre.")
    if len(name) > SavedFilter._meta.get_field("name").max_length:
        raise FilterRefused("Ce nom est trop long : 60 caractères au plus.")
    if not query:
        raise FilterRefused("La liste n'est pas filtrée : choisissez d'abord des critères.")
    if len(query) > LONGEST:
        raise FilterRefused("Ces critères sont trop longs pour être gardés : choisissez-en moins.")
    found, _ = SavedFilter.objects.update_or_create(
        user=user, page=page, name=name, defaults={"query": query, "shared": shared}
    )
    return found

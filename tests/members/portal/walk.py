"""Every address of the site, read from its URLconf: what is added later is walked too."""

from collections.abc import Collection, Iterator, Mapping
from itertools import product

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import (
    IntConverter,
    PathConverter,
    SlugConverter,
    StringConverter,
    UUIDConverter,
)

SAMPLES = {
    IntConverter: ["1"],
    SlugConverter: ["x"],
    UUIDConverter: ["00000000-0000-4000-8000-000000000000"],
    StringConverter: ["1"],
    PathConverter: ["1"],
}


def addresses(prefix: str) -> Iterator[str]:
    """Yield each address under a prefix, with a sample for each of its parts."""
    for _, address in every(prefix, {}):
        yield address


def every(prefix: str, keys: Mapping[type, Collection[str]]) -> Iterator[tuple[str, str]]:
    """Yield each route under a prefix with its addresses: all the keys of each kind in turn."""
    for route, converters in _walk(get_resolver().url_patterns, "/", {}):
        if not route.startswith(prefix):
            continue
        names = list(converters)
        choices = [_choices(converters[name], {**SAMPLES, **keys}) for name in names]
        for chosen in product(*choices):
            address = route
            for name, value in zip(names, chosen, strict=True):
                address = _replace(address, name, value)
            yield route, address


def _walk(patterns: list, start: str, outer: dict) -> Iterator[tuple[str, dict]]:
    for item in patterns:
        route, converters = start + str(item.pattern), {**outer, **item.pattern.converters}
        if isinstance(item, URLResolver):
            yield from _walk(item.url_patterns, route, converters)
        elif isinstance(item, URLPattern):
            yield route, converters


def _choices(converter: object, keys: Mapping[type, Collection[str]]) -> list[str]:
    return sorted(next(found for kind, found in keys.items() if isinstance(converter, kind)))


def _replace(route: str, name: str, value: str) -> str:
    """Replace `<kind:name>` or `<name>` by a value."""
    before, _, after = route.partition(f"{name}>")
    return before[: before.rindex("<")] + value + after

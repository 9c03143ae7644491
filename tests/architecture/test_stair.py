"""The stair of the house: each room looks down only, in its relations as in its migrations."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from simple_history.models import HistoricalChanges

ROOMS = ["entsvc", "members", "tariffs", "conventions", "invoicing"]
MODELS = [
    model for model in apps.get_models(include_auto_created=False) if model._meta.app_label in ROOMS
]
MODELS.sort(key=lambda model: model._meta.label)
IDS = [model._meta.label for model in MODELS]
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def level(room):
    """Return the floor of a room; what is not ours (Django's own) lies under the house."""
    return ROOMS.index(room) if room in ROOMS else -1


def relations(model):
    """Return the relations that a model declares itself, its parents' included."""
    return [
        field
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.is_relation and field.related_model is not None
    ]


def test_every_room_has_models():
    assert {model._meta.app_label for model in MODELS} == set(ROOMS)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_relations_run_down_the_stair(model):
    room = model._meta.app_label
    up = [
        f"{field} → {field.related_model._meta.label}"
        for field in relations(model)
        if level(field.related_model._meta.app_label) > level(room)
    ]
    assert not up


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_a_relation_to_another_room_gives_that_room_no_way_back(model):
    seen = [
        str(field)
        for field in relations(model)
        if field.related_model._meta.app_label in ROOMS
        and field.related_model._meta.app_label != model._meta.app_label
        and not field.remote_field.hidden
    ]
    assert not seen


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_no_lower_room_sees_an_upper_one_through_a_reverse_relation(model):
    above = [
        relation.related_model._meta.label
        for relation in model._meta.related_objects
        if level(relation.related_model._meta.app_label) > level(model._meta.app_label)
    ]
    assert not above


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_rows_named_elsewhere_never_vanish_with_what_they_name(model):
    """Only children of the same room may go with their parent."""
    cascading = [
        str(field)
        for field in model._meta.fields
        if field.is_relation
        and field.related_model._meta.app_label != model._meta.app_label
        and field.remote_field.on_delete.__name__ == "CASCADE"
    ]
    assert not cascading


def test_migrations_depend_downwards_only():
    loader = MigrationLoader(None, ignore_no_migrations=True)
    ours = {key: m for key, m in loader.disk_migrations.items() if key[0] in ROOMS}
    assert {room for room, _ in ours} == set(ROOMS)
    up = [
        f"{room}.{name} → {needed}"
        for (room, name), migration in ours.items()
        for needed, _ in migration.dependencies
        if level(needed) > level(room)
    ]
    assert not up
    assert not [m for m in ours.values() if m.run_before]


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_every_model_has_a_french_name(model):
    meta = model._meta
    given = meta.original_attrs
    assert "verbose_name" in given
    if " " in meta.verbose_name:
        assert "verbose_name_plural" in given, "Django adds an s to the last word only"


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_every_column_has_a_name_of_its_own(model):
    """Django would else make one from the English identifier."""
    if issubclass(model, HistoricalChanges):
        return  # columns of the library, which no form shows
    own = (*model._meta.local_fields, *model._meta.local_many_to_many)
    unnamed = [
        field.name
        for field in own
        if field._verbose_name is None and field.editable and not field.auto_created
    ]
    assert not unnamed


def test_only_the_top_rooms_are_installed_above_the_ground_floor():
    installed = [name for name in settings.INSTALLED_APPS if name in ROOMS]
    assert installed == ROOMS


def sources():
    folders = [*ROOMS, "templates", "fixtures", "tests"]
    files = [path for folder in folders for path in (settings.BASE_DIR / folder).rglob("*")]
    files += [settings.BASE_DIR / name for name in ("manage.py", "pyproject.toml", "README.md")]
    kinds = {".py", ".html", ".toml", ".md", ".css", ".js"}
    return [path for path in files if path.suffix in kinds and path != Path(__file__)]


def test_nothing_is_left_to_do_in_the_code():
    left = [
        f"{path.relative_to(settings.BASE_DIR)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MARKS.search(line)
    ]
    assert not left

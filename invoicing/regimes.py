"""How the regimes shipped with the project enter the database: what is missing, and nothing else."""

import tomllib
from collections import Counter
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from simple_history.utils import bulk_create_with_history

from conventions.models import Conditions
from conventions.papers.defaults import load_default_texts
from entsvc import journal, school_year
from entsvc.models import DatedFigure, DatedText
from invoicing.models import CallRules, Channel, ExportColumn, ExportLayout, ReminderStep
from invoicing.roles import add_new_rights, create_groups
from members.models import Accountant, Act, HeadcountSource, Issuer, Signatory
from tariffs.models import Adoption, Band, Charge, Schedule, Version

FOLDER = settings.BASE_DIR / "fixtures" / "regimes"


@transaction.atomic
def load_regimes(*, actor: str) -> Counter:
    """Create the groups, sources, texts, issuers and schedules that do not exist yet.

    Never touches an existing row: what staff edited stays. A text of a paper that only the project wrote
    gets a version more when its file changed, and a group of a former release, once, the rights that are
    new since. Returns how many rows were created, by model.
    """
    created: Counter = Counter(groups=len(create_groups()))
    for name, rights in add_new_rights().items():
        created[f"droits du groupe {name} ({', '.join(rights)})"] = len(rights)
    reminders: list[dict[str, Any]] = []
    layouts: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob("*.toml"), key=lambda path: (path.stem != "common", path.stem)):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        _load(data, created)
        reminders += data.get("reminder_step", [])
        layouts += data.get("export_layout", [])
    _load_reminders(reminders, created)
    _load_layouts(layouts, created)
    load_default_texts(created)
    created += Counter()
    if created:
        journal.record(
            actor=actor,
            action="load-regimes",
            target="regimes",
            summary="Régimes chargés",
            data=dict(created),
        )
    return created


def _load(data: dict[str, Any], created: Counter) -> None:
    for item in data.get("headcount_source", []):
        _create(HeadcountSource, {"code": item["code"]}, item, created)
    for item in data.get("text", []):
        key = {name: item[name] for name in ("scope", "code", "valid_from")}
        _create(DatedText, key, item, created)
    for item in data.get("figure", []):
        item = {"applies_to": "", **item, "value": Decimal(item["value"])}
        key = {name: item[name] for name in ("scope", "code", "applies_to", "valid_from")}
        _create(DatedFigure, key, item, created)
    if "issuer" not in data:
        return
    issuer = _create(Issuer, {"code": data["issuer"]["code"]}, data["issuer"], created)
    for model, name in ((Accountant, "accountant"), (Signatory, "signatory")):
        if not model.objects.filter(issuer=issuer).exists():
            _create(model, {"issuer": issuer, **data[name]}, {}, created)
    if "channel" in data:
        _create(Channel, {"issuer": issuer}, data["channel"], created)
    for item in data.get("schedule", []):
        _load_schedule(issuer, item, created)
    for item in data.get("conditions", []):
        _load_conditions(issuer, item, created)


def _load_schedule(issuer: Issuer, item: dict[str, Any], created: Counter) -> None:
    versions, adoptions = item.pop("version", []), item.pop("adoption", [])
    rules = item.pop("rules", None)
    schedule = _create(Schedule, {"code": item["code"]}, {**item, "issuer": issuer}, created)
    if rules is not None:
        _create(CallRules, {"schedule": schedule}, rules, created)
    for version in versions:
        _load_version(schedule, version, created)
    for adoption in adoptions:
        year = school_year.parse(adoption["school_year"])
        if Adoption.objects.filter(schedule=schedule, school_year=year).exists():
            continue
        version = Version.objects.filter(schedule=schedule, label=adoption["version"]).first()
        if version is None:
            continue
        act = _create(Act, {"issuer": issuer, **adoption["act"]}, {}, created)
        key = {"schedule": schedule, "school_year": year}
        _create(Adoption, key, {"version": version, "act": act}, created)


def _load_reminders(steps: list[dict[str, Any]], created: Counter) -> None:
    """Create the reminders of each issuer that has none at all: a level that staff removed stays so."""
    for issuer in Issuer.objects.order_by("code"):
        if ReminderStep.objects.filter(issuer=issuer).exists():
            continue
        for step in steps:
            _create(ReminderStep, {"issuer": issuer, "level": step["level"]}, step, created)


def _load_layouts(layouts: list[dict[str, Any]], created: Counter) -> None:
    """Create the layouts of exports of each issuer that has none at all."""
    for issuer in Issuer.objects.order_by("code"):
        if ExportLayout.objects.filter(issuer=issuer).exists():
            continue
        for item in layouts:
            facts = {name: value for name, value in item.items() if name != "columns"}
            layout = _create(ExportLayout, {"issuer": issuer, "name": item["name"]}, facts, created)
            _add_columns(layout, item["columns"], created)


def _add_columns(layout: ExportLayout, columns: list[list[str]], created: Counter) -> None:
    """Give a new layout its columns, each checked, in one query: they are the most of what is loaded."""
    rows = [
        ExportColumn(layout=layout, position=10 * rank, code=code, title=title)
        for rank, (code, title) in enumerate(columns, start=1)
    ]
    for row in rows:
        row.full_clean(exclude={"layout"})  # made just before: not to be looked for again
    bulk_create_with_history(rows, ExportColumn)
    created[ExportColumn.__name__] += len(rows)


def _load_conditions(issuer: Issuer, item: dict[str, Any], created: Counter) -> None:
    """Create a version of the conditions, with its act, where staff entered none of that name."""
    if Conditions.objects.filter(issuer=issuer, label=item["label"]).exists():
        return
    act = _create(Act, {"issuer": issuer, **item["act"]}, {}, created)
    _create(Conditions, {"issuer": issuer, "label": item["label"]}, {"act": act}, created)


def _load_version(schedule: Schedule, item: dict[str, Any], created: Counter) -> None:
    """Create a version with all its charges; an existing version is left as staff made it."""
    key = {"schedule": schedule, "label": item["label"]}
    if Version.objects.filter(**key).exists():
        return
    version = _create(Version, key, {"note": item.get("note", "")}, created)
    for position, charge in enumerate(item["charge"], start=1):
        bands = charge.pop("band", [])
        for name in ("unit_price", "pool"):
            if name in charge:
                charge[name] = Decimal(charge[name])
        row = Charge(version=version, position=position, **charge)
        row.full_clean()
        row.save()
        for band in bands:
            Band.objects.create(charge=row, **{**band, "price": Decimal(band["price"])})


def _create(model: type, key: dict[str, Any], values: dict[str, Any], created: Counter) -> Any:
    """Return the row of that key, creating it with `values` after checking them."""
    existing = model.objects.filter(**key).order_by("pk").first()
    if existing is not None:
        return existing
    row = model(**{**key, **values})
    row.full_clean()
    row.save()
    created[model.__name__] += 1
    return row

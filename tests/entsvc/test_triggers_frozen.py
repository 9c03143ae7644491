"""A frozen row is neither emptied with its table nor replaced by another, whoever asks."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils.timezone import now

from entsvc import documents, triggers
from invoicing.models import Catalogue, CatalogueItem, CostStatement, Quote, QuoteLine, Titre
from tariffs.models import Band, Charge, Version
from tests.entsvc.statements import execute
from tests.factories import AdoptionFactory, BandFactory, ChargeFactory, MemberFactory, ScheduleFactory
from tests.invoicing.world import a_world

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite n'a pas cette instruction"
)
on_sqlite = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="propre à SQLite : INSERT OR REPLACE"
)
both_settings = pytest.mark.parametrize("recursive", ["ON", "OFF"])
DAY = dt.date(2025, 1, 10)


def a_quote_line():
    catalogue = Catalogue.objects.create(
        schedule=ScheduleFactory(), market="M-1", supplier="Titulaire", label="BPU", starts_on=DAY
    )
    item = CatalogueItem.objects.create(
        catalogue=catalogue, code="TAB", label="Tablette", unit_price=Decimal("329.90")
    )
    quote = Quote.objects.create(
        schedule=catalogue.schedule, debtor=MemberFactory(), subject="Tablettes", valid_until=DAY
    )
    return QuoteLine.objects.create(quote=quote, item=item, quantity=2)


def send(line):
    pdf = documents.store(b"%PDF devis", content_type="application/pdf", suffix=".pdf")
    Quote.objects.filter(pk=line.quote_id).update(number="D-1", sent_on=DAY, document=pdf)


def a_statement():
    return CostStatement.objects.create(
        schedule=ScheduleFactory(),
        school_year=2020,
        charge="COMMUN",
        degree="1D",
        starts_on=dt.date(2020, 9, 1),
        ends_on=dt.date(2021, 8, 31),
    )


def a_band():
    return BandFactory(charge=ChargeFactory(model="banded", unit_price=None))


def drafts():
    """A quote, a tariff version and a cost statement that may still change."""
    return {"line": a_quote_line(), "band": a_band(), "statement": a_statement()}


def freeze(rows):
    """Send the quote, adopt the version and close the statement."""
    send(rows["line"])
    AdoptionFactory(version=rows["band"].charge.version)
    statement = CostStatement.objects.filter(pk=rows["statement"].pk)
    statement.update(visa_at=now(), closed_at=now(), pool=Decimal("1.00"))


@pytest.fixture
def draft(db):
    rows = drafts()
    at_once()
    yield rows
    if connection.vendor == "sqlite":
        execute("PRAGMA recursive_triggers=ON")  # which no transaction takes back


@pytest.fixture
def frozen(draft):
    freeze(draft)
    at_once()
    return draft


def at_once():
    """Check foreign keys now: those checked at commit would keep TRUNCATE from even starting."""
    if connection.vendor == "postgresql":
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def content(model):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
        return cursor.fetchall()


def stored(model):
    """The first row of a table as the database gives it: {column: value}."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1 LIMIT 1")
        return dict(zip([c[0] for c in cursor.description], cursor.fetchone(), strict=True))


def insert(verb, model, values):
    columns = ", ".join(f'"{column}"' for column in values)
    marks = ", ".join(["%s"] * len(values))
    execute(f"{verb} INTO {model._meta.db_table} ({columns}) VALUES ({marks})", list(values.values()))


MESSAGES = {
    Quote: "devis envoye : il ne change plus",
    QuoteLine: "devis envoye : il ne change plus",
    Catalogue: "citee par un devis envoye",
    Version: "version adoptee : elle ne change plus",
    Charge: "version adoptee : elle ne change plus",
    Band: "version adoptee : elle ne change plus",
    CostStatement: "clos : il ne change plus",
}


def refused(model):
    return pytest.raises(IntegrityError, match=f"{model._meta.db_table} : .*{MESSAGES[model]}")


# --- TRUNCATE ---------------------------------------------------------------------------------


@on_postgresql
@pytest.mark.parametrize("model", MESSAGES, ids=lambda model: model._meta.model_name)
def test_a_table_that_holds_a_frozen_row_is_not_truncated(frozen, model):
    before = content(model)
    with refused(model), transaction.atomic():
        execute(f"TRUNCATE {model._meta.db_table} CASCADE")
    assert content(model) == before


@on_postgresql
def test_one_frozen_row_among_others_is_enough(frozen):
    a_band()
    at_once()
    with refused(Band), transaction.atomic():
        execute("TRUNCATE tariffs_band")


@on_postgresql
def test_a_table_reached_by_a_cascade_is_not_truncated_either(frozen):
    triggers.remove(connection, Charge)
    with refused(Band), transaction.atomic():
        execute("TRUNCATE tariffs_charge CASCADE")
    assert content(Charge)
    assert content(Band)


@on_postgresql
@pytest.mark.parametrize("model", [QuoteLine, Charge, Band, CostStatement])
def test_a_table_without_any_frozen_row_may_be_truncated(draft, model):
    execute(f"TRUNCATE {model._meta.db_table} CASCADE")
    assert content(model) == []


# --- INSERT OR REPLACE ------------------------------------------------------------------------

# What would take the place of a frozen row, by its key or by another unique one, and not be frozen.
OPEN_AGAIN = {"visa_at": None, "closed_at": None, "pool": None}
REPLACEMENTS = {
    "quote by its key": (Quote, {"sent_on": None, "number": "", "document_id": None}),
    "quote by its key, still sent": (Quote, {"subject": "faux", "number": "D-2"}),
    "quote by its number": (Quote, {"id": 9999, "subject": "faux"}),
    "version by its label": (Version, {"id": 9999, "note": "faux"}),
    "charge by its key": (Charge, {"version_id": 9999}),
    "band by its key": (Band, {"charge_id": 9999}),
    "line by its key": (QuoteLine, {"quote_id": 9999}),
    "statement by its key": (CostStatement, {**OPEN_AGAIN, "charge": "AUTRE"}),
    "statement by its year": (CostStatement, {**OPEN_AGAIN, "id": 9999}),
}
every_replacement = pytest.mark.parametrize(
    ("model", "changes"), REPLACEMENTS.values(), ids=list(REPLACEMENTS)
)


@on_sqlite
@both_settings
@every_replacement
def test_a_frozen_row_is_not_replaced(frozen, model, changes, recursive):
    """With recursive_triggers off, as in any other client, a replaced row fires no DELETE trigger."""
    execute(f"PRAGMA recursive_triggers={recursive}")
    before, values = content(model), {**stored(model), **changes}
    for verb in ("INSERT OR REPLACE", "REPLACE"):
        with refused(model), transaction.atomic():
            insert(verb, model, values)
    assert content(model) == before


@on_sqlite
@both_settings
@every_replacement
def test_a_frozen_row_is_not_replaced_by_another_that_takes_its_key(frozen, model, changes, recursive):
    """UPDATE OR REPLACE removes the row that holds the key which an open one takes."""
    open_rows = {Quote: {"number": "", "sent_on": None, "document_id": None}, CostStatement: OPEN_AGAIN}
    first = stored(model)
    apart = {"schedule_id": 8888, "version_id": 8888, "charge_id": 8888, "quote_id": 8888}
    if model is CostStatement:
        del apart["charge_id"]
    other = first | {c: v for c, v in apart.items() if c in first} | open_rows.get(model, {})
    insert("INSERT", model, other | {"id": 8888})
    execute(f"PRAGMA recursive_triggers={recursive}")
    before, taken = content(model), first | changes
    sets = ", ".join(f'"{column}" = %s' for column in taken)
    with refused(model), transaction.atomic():
        execute(
            f"UPDATE OR REPLACE {model._meta.db_table} SET {sets} WHERE id = 8888",
            list(taken.values()),
        )
    assert content(model) == before
    execute(f"DELETE FROM {model._meta.db_table} WHERE id = 8888")  # its parents are not there


@on_sqlite
@both_settings
@pytest.mark.parametrize(
    ("model", "change"),
    [
        (Quote, {"subject": "Autre"}),
        (QuoteLine, {"quantity": 7}),
        (Version, {"note": "autre"}),
        (Charge, {"label": "autre"}),
        (Band, {"upper": 7}),
        (CostStatement, {"degree": "2D"}),
    ],
)
def test_a_row_that_is_not_frozen_may_be_replaced(draft, model, change, recursive):
    execute(f"PRAGMA recursive_triggers={recursive}")
    insert("INSERT OR REPLACE", model, {**stored(model), **change})
    assert stored(model).items() >= change.items()


def test_a_row_with_keys_of_its_own_may_arrive_frozen_where_it_may_become_so(frozen):
    for model, changes in (
        (Quote, {"id": 9999, "number": "D-2"}),
        (CostStatement, {"id": 9999, "charge": "AUTRE"}),
    ):
        insert("INSERT", model, {**stored(model), **changes})
        assert model.objects.count() == 2


@on_sqlite
@both_settings
def test_no_titre_is_replaced_through_the_number_sqlite_gives_its_row(db, recursive):
    """A table whose key is not an integer has a second, hidden one: `rowid`."""
    titres = a_world(members=2).issue().titres
    assert len(titres) == 2
    before, values = content(Titre), stored(Titre)
    fresh = {"id": uuid.uuid4().hex, "bordereau_id": uuid.uuid4().hex, "number": 99, "reference": "X"}
    keys = fresh | {"call_id": None, "debtor_id": -1}
    try:
        execute(f"PRAGMA recursive_triggers={recursive}")
        for write in (
            lambda: insert("INSERT OR REPLACE", Titre, {"rowid": 1, **values, **keys}),
            lambda: execute("UPDATE OR REPLACE invoicing_titre SET rowid = 1 WHERE rowid = 2"),
            lambda: execute("UPDATE OR REPLACE invoicing_bordereau SET rowid = 99"),
        ):
            with pytest.raises(IntegrityError, match="definitive"), transaction.atomic():
                write()
        assert content(Titre) == before
    finally:
        execute("PRAGMA recursive_triggers=ON")


# --- Seen when it lacks -----------------------------------------------------------------------

NEW_TRIGGERS = {
    "sqlite": ("invoicing_quote_frozen_replace", "invoicing_quote_frozen_replacing"),
    "postgresql": ("invoicing_quote_frozen_truncate",),
}[connection.vendor]
ALTERED = {
    "sqlite": "CREATE TRIGGER {name} BEFORE INSERT ON invoicing_quote WHEN 0 "
    "BEGIN SELECT RAISE(ABORT, 'non'); END",
    "postgresql": "CREATE TRIGGER {name} BEFORE TRUNCATE ON invoicing_quote FOR EACH STATEMENT "
    "WHEN (false) EXECUTE FUNCTION invoicing_quote_refuse_when_frozen()",
}[connection.vendor]


@pytest.mark.parametrize("name", NEW_TRIGGERS)
def test_a_dropped_or_weaker_trigger_is_named_and_installed_again(db, name):
    on_table = " ON invoicing_quote" if connection.vendor == "postgresql" else ""
    for sql in (None, ALTERED.format(name=name)):
        execute(f"DROP TRIGGER {name}{on_table}")
        if sql:
            execute(sql)
        assert triggers.missing(connection) == [name]
        triggers.install(connection, Quote)
        assert triggers.missing(connection) == []


@on_postgresql
@pytest.mark.parametrize("event", ["BEFORE INSERT", "AFTER INSERT OR DELETE OR UPDATE"])
def test_a_trigger_that_watches_less_counts_as_missing(db, event):
    execute("DROP TRIGGER invoicing_quote_frozen ON invoicing_quote")
    execute(
        f"CREATE TRIGGER invoicing_quote_frozen {event} ON invoicing_quote "
        "FOR EACH ROW EXECUTE FUNCTION invoicing_quote_refuse_when_frozen()"
    )
    assert triggers.missing(connection) == ["invoicing_quote_frozen"]


@on_postgresql
def test_a_frozen_function_that_forgets_to_truncate_counts_as_missing(db):
    execute(
        "CREATE OR REPLACE FUNCTION invoicing_quote_refuse_when_frozen() RETURNS trigger "
        "LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
    )
    assert triggers.missing(connection) == ["invoicing_quote_refuse_when_frozen"]


def test_without_its_triggers_a_frozen_table_is_open(frozen):
    """What these tests see refused is refused by the triggers, and by nothing else."""
    triggers.remove(connection, Band)
    if connection.vendor == "postgresql":
        execute("TRUNCATE tariffs_band")
        assert content(Band) == []
    else:
        execute("PRAGMA recursive_triggers=OFF")
        insert("INSERT OR REPLACE", Band, {**stored(Band), "upper": 7})
        assert stored(Band)["upper"] == 7
    with pytest.raises(DatabaseError), transaction.atomic():
        execute("UPDATE tariffs_charge SET label = 'faux'")

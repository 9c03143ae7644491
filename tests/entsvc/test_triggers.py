"""An issued row can't be changed, whoever asks: the database itself refuses, on both databases."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, models, transaction

from conventions.models import (
    ConditionsNotice,
    EtatContradictoire,
    Forecast,
    ForecastAmount,
    ForecastNotice,
    MemberEtat,
    Objection,
    Paper,
    PaperText,
    Transition,
)
from entsvc import triggers
from entsvc.models import ImportRecord, JournalEntry, JournalLink, StoredDocument
from invoicing.corrections import correct
from invoicing.models import (
    Announcement,
    Anomaly,
    Bordereau,
    BordereauDocument,
    BordereauEvent,
    Call,
    CallLine,
    ClosedExercice,
    Deposit,
    DepositedPiece,
    MandatRequest,
    Payment,
    Quote,
    QuoteEvent,
    Reminder,
    Run,
    Sending,
    Titre,
    TitreDocument,
    TitreEvent,
    TitreLine,
)
from invoicing.rendering import keep
from members.models import Headcount, Usage
from tests.entsvc.statements import execute
from tests.factories import (
    AmendmentFactory,
    ConditionsNoticeFactory,
    HeadcountFactory,
    PaperFactory,
    PaymentFactory,
    TransitionFactory,
    UsageFactory,
)
from tests.invoicing.world import a_world

PROTECTED = [
    Announcement,
    Anomaly,
    Bordereau,
    BordereauDocument,
    BordereauEvent,
    Call,
    CallLine,
    ClosedExercice,
    ConditionsNotice,
    Deposit,
    DepositedPiece,
    EtatContradictoire,
    ForecastNotice,
    Headcount,
    ImportRecord,
    JournalEntry,
    JournalLink,
    MandatRequest,
    MemberEtat,
    Objection,
    Paper,
    PaperText,
    Payment,
    QuoteEvent,
    Reminder,
    Run,
    Sending,
    StoredDocument,
    Titre,
    TitreDocument,
    TitreEvent,
    TitreLine,
    Transition,
    Usage,
]
FOLLOW_UP = {
    EtatContradictoire: ("objections_until",),
    MemberEtat: ("told_at", "told_to", "agreed_at", "agreed_by"),
    Objection: (
        "withdrawn_at",
        "withdrawn_by",
        "answer",
        "granted",
        "granted_school",
        "answer_words",
        "answered_at",
        "answered_by",
    ),
    Deposit: (
        "state",
        "asked_at",
        "asked_by",
        "told",
        "searched_at",
        "flow",
        "flow_on",
        "flow_state",
        "report",
        "read_at",
    ),
    DepositedPiece: (
        "identifier",
        "status",
        "status_at",
        "reason",
        "made_available_on",
        "closed",
        "read_at",
    ),
    Headcount: ("superseded_at",),
    MandatRequest: ("mandat", "paid_on"),
    Sending: ("answer", "answer_words", "answered_at"),
    Titre: ("external_reference",),
    Usage: ("superseded_at",),
}
FREE_TEXT = {
    Announcement: "told_by",
    Anomaly: "message",
    Bordereau: "signatory",
    BordereauEvent: "signatory",
    Call: "name",
    CallLine: "explanation",
    ClosedExercice: "closed_by",
    ConditionsNotice: "actor",
    Deposit: "syntax",
    EtatContradictoire: "opened_by",
    ForecastNotice: "told_by",
    Objection: "words",
    Headcount: "recorded_by",
    ImportRecord: "file_name",
    JournalEntry: "summary",
    JournalLink: "previous",
    MandatRequest: "reason",
    Paper: "name",
    PaperText: "title",
    Payment: "reference",
    QuoteEvent: "comment",
    Reminder: "written_by",
    Run: "computed_by",
    Sending: "made_by",
    StoredDocument: "content_type",
    Titre: "debtor_name",
    TitreDocument: "role",
    TitreEvent: "comment",
    TitreLine: "explanation",
    Transition: "actor",
    Usage: "recorded_by",
}
every_text = pytest.mark.parametrize("model", FREE_TEXT, ids=lambda model: model._meta.model_name)
every_table = pytest.mark.parametrize("model", PROTECTED, ids=lambda model: model._meta.model_name)
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite n'a pas cette instruction"
)
on_sqlite = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="propre à SQLite : INSERT OR REPLACE"
)


@pytest.fixture(scope="module")
def one_of_each(kept):
    """Titres issued and stored, with a row in each protected table."""
    return kept(write_one_of_each)


@pytest.fixture
def world(one_of_each, db):
    yield one_of_each
    if connection.vendor == "sqlite":
        execute("PRAGMA recursive_triggers=ON")  # which no transaction takes back


def write_one_of_each():
    world = a_world(members=2)
    world.join(0)
    titres = world.issue().titres
    for titre in titres:
        keep(titre, f"%PDF {titre.number}".encode(), TitreDocument.Role.PDF)
    HeadcountFactory()
    UsageFactory()
    ConditionsNoticeFactory()
    PaperFactory(amendment=AmendmentFactory())
    TransitionFactory()
    PaymentFactory(titre=titres[0])
    document = StoredDocument.objects.order_by("pk").first()
    ImportRecord.objects.create(importer="essai", document=document, actor="essai", report={})
    follow_up(*titres, document)
    before_the_bill(titres[0])
    if connection.vendor == "postgresql":
        # Foreign keys checked at commit would keep TRUNCATE and DROP TRIGGER from even starting.
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    for model in PROTECTED:
        assert model.objects.exists(), model
    return world


def follow_up(titre, other, document):
    """What may come after a titre, a row of each."""
    day = date(2025, 4, 1)
    entry = JournalEntry.objects.order_by("pk").first()
    JournalLink.objects.create(entry=entry, number=1, sha256="0" * 64)
    TitreEvent.objects.create(titre=titre, kind="pris-en-charge", on=day, recorded_by="essai")
    Announcement.objects.create(titre=titre, addresses=["mairie@example.org"], told_by="essai")
    BordereauEvent.objects.create(
        bordereau=titre.bordereau, kind="signe", on=day, signatory="La présidente", recorded_by="essai"
    )
    BordereauDocument.objects.create(bordereau=titre.bordereau, document=document)
    sending = Sending.objects.create(
        bordereau=titre.bordereau,
        rank=3,
        channel="helios_pes",
        file_name="essai.xml",
        document=document,
        attachments=["PJ1"],
        schema=True,
        made_by="essai",
    )
    Deposit.objects.create(sending=sending, syntax="essai")
    DepositedPiece.objects.create(sending=sending, titre=titre)
    Reminder.objects.create(
        titre=titre,
        level=1,
        written_on=day,
        remaining=Decimal("1.00"),
        written_by="essai",
        document=document,
    )
    MandatRequest.objects.create(
        titre=other,
        amount=Decimal("1.00"),
        account="673",
        reason_code=Titre.Reason.WRONG_AMOUNT,
        reason="essai",
        requested_on=day,
        requested_by="essai",
        document=document,
    )
    ClosedExercice.objects.create(
        issuer=titre.issuer, budget="00", exercice=2019, closed_by="essai", report={}
    )
    quote = Quote.objects.create(
        schedule=titre.campaign.schedule, debtor=titre.debtor, subject="essai", valid_until=day
    )
    QuoteEvent.objects.create(quote=quote, kind="accepte", on=day, recorded_by="essai")


def before_the_bill(titre):
    """What a member is shown and told before its titre, a row of each."""
    day, now = date(2025, 4, 1), datetime(2025, 4, 1, 12, tzinfo=UTC)
    schedule, debtor = titre.campaign.schedule, titre.debtor
    etat = EtatContradictoire.objects.create(
        schedule=schedule, school_year=2024, opened_on=day, objections_until=day, opened_by="essai"
    )
    shown = MemberEtat.objects.create(etat=etat, debtor=debtor, facts={}, shown_at=now)
    Objection.objects.create(shown=shown, kind="autre", words="essai", filed_by="essai", filed_at=now)
    forecast = Forecast.objects.create(
        schedule=schedule, school_year=2025, exercice=2026, read_year=2024, written_on=day, query="",
        payload={}, fingerprint="0" * 64, made_by="essai",
    )  # fmt: skip
    amount = ForecastAmount.objects.create(
        forecast=forecast, member=debtor, siret=titre.siret, name="essai", total=titre.total, payload={}
    )
    ForecastNotice.objects.create(amount=amount, addresses=[], told_by="essai")


def content(model):
    """Every row of a table, as the database gives it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
        return cursor.fetchall()


def refused(sql, parameters=None, *, word="definitive"):
    with pytest.raises(IntegrityError, match=word), transaction.atomic():
        execute(sql, parameters)


def another_value(field):
    """A value that fits in a column and that no row of these tests holds."""
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    values = {
        models.UUIDField: uuid.UUID(int=7),
        models.DateTimeField: datetime(1999, 12, 31, 12),
        models.DateField: date(1999, 12, 31),
        models.BooleanField: False,
        models.JSONField: '{"faux": 1}',
        models.DecimalField: Decimal("7.7777"),
        models.IntegerField: 7777,
        models.CharField: "zz",
        models.TextField: "zz",
    }
    value = next(v for kind, v in values.items() if isinstance(target, kind))
    if isinstance(value, uuid.UUID) and connection.vendor == "sqlite":
        return value.hex
    if isinstance(value, Decimal | date) and connection.vendor == "sqlite":
        return str(value)
    return value


# --- What is protected ------------------------------------------------------------------------


def test_the_protected_tables_are_those_of_these_tests():
    rules = {m: rule for m, rule in triggers.PROTECTED.items() if m._meta.app_label != "tariffs"}
    assert set(rules) == set(PROTECTED)
    assert all(not rule.deletable for rule in rules.values())
    assert {model: rule.follow_up for model, rule in rules.items() if rule.follow_up} == FOLLOW_UP


@every_table
def test_no_column_can_be_updated(world, model):
    before = content(model)
    frozen = [f for f in model._meta.concrete_fields if f.name not in FOLLOW_UP.get(model, ())]
    assert frozen
    for field in frozen:
        refused(f'UPDATE {model._meta.db_table} SET "{field.column}" = %s', [another_value(field)])
    assert content(model) == before


@pytest.mark.parametrize(
    ("model", "column"), [(Titre, "original_id"), (Titre, "call_id"), (Anomaly, "call_id")]
)
def test_an_optional_column_can_be_neither_filled_nor_emptied(world, model, column):
    row = model.objects.order_by("pk")[0]
    value = None if getattr(row, column) else another_value(Titre._meta.pk)
    refused(f"UPDATE {model._meta.db_table} SET {column} = %s", [value])


def test_the_number_given_by_the_accountant_is_the_only_follow_up(world):
    before = list(Titre.objects.order_by("number").values("number", "payload", "total"))
    execute("UPDATE invoicing_titre SET external_reference = 'CHORUS-1' WHERE number = 1")
    execute("UPDATE invoicing_titre SET external_reference = 'CHORUS-2' WHERE number = 1")
    assert Titre.objects.get(number=1).external_reference == "CHORUS-2"
    assert list(Titre.objects.order_by("number").values("number", "payload", "total")) == before
    refused("UPDATE invoicing_titre SET external_reference = 'X', debtor_name = 'X'")
    assert set(Titre.objects.order_by("number").values_list("external_reference", flat=True)) == {
        "CHORUS-2",
        "",
    }


@every_table
def test_no_row_can_be_deleted(world, model):
    before = content(model)
    refused(f"DELETE FROM {model._meta.db_table}")
    assert content(model) == before


@every_table
def test_the_orm_is_refused_too(world, model):
    row = model.objects.order_by("pk")[0]
    with pytest.raises((IntegrityError, models.RestrictedError)), transaction.atomic():
        row.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.filter(pk=row.pk)._raw_delete(using="default")


@every_text
def test_the_orm_changes_no_text(world, model):
    row = model.objects.order_by("pk")[0]
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.filter(pk=row.pk).update(**{FREE_TEXT[model]: "faux"})


@on_postgresql
@every_table
def test_no_table_can_be_truncated(world, model):
    before = content(model)
    refused(f"TRUNCATE {model._meta.db_table} CASCADE")
    assert content(model) == before


@on_sqlite
@pytest.mark.parametrize("how", ["OR IGNORE", "OR REPLACE", "OR FAIL"])
def test_no_conflict_clause_gets_past_an_update(world, how):
    before = content(Titre)
    refused(f"UPDATE {how} invoicing_titre SET number = number + 100")
    assert content(Titre) == before


def insertion(model, **changes):
    """SQL and values that insert a copy of the first row with some columns changed."""
    row = model.objects.order_by("pk").values().first()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM {model._meta.db_table} WHERE {model._meta.pk.column} = %s",
            [model._meta.pk.get_db_prep_value(row[model._meta.pk.attname], connection)],
        )
        stored = dict(zip([c[0] for c in cursor.description], cursor.fetchone(), strict=True))
    values = {**stored, **changes}
    columns = ", ".join(f'"{column}"' for column in values)
    marks = ", ".join(["%s"] * len(values))
    return f"INTO {model._meta.db_table} ({columns}) VALUES ({marks})", list(values.values())


@on_sqlite
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
@every_table
def test_no_row_can_be_replaced(world, model, verb, recursive):
    """With recursive_triggers off, as in any other client, a replaced row fires no DELETE trigger."""
    execute(f"PRAGMA recursive_triggers={recursive}")
    before = content(model)
    sql, values = insertion(model)
    refused(f"{verb} {sql}", values, word="definitive|deja emise")
    assert content(model) == before


TITRE_KEYS = {
    "number": {"call_id": None, "debtor_id": -1},
    "call": {"number": 99, "debtor_id": -1},
    "campaign and debtor": {"number": 99, "call_id": None},
}


@on_sqlite
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("key", TITRE_KEYS)
def test_no_titre_can_be_replaced_by_another_with_a_key_of_its_own(world, key, recursive):
    execute(f"PRAGMA recursive_triggers={recursive}")
    before = content(Titre)
    fresh = {"id": uuid.uuid4().hex, "bordereau_id": uuid.uuid4().hex}
    sql, values = insertion(Titre, **fresh, **TITRE_KEYS[key])
    refused(f"INSERT OR REPLACE {sql}", values)
    assert content(Titre) == before


def test_a_correction_of_a_titre_may_still_be_added(world):
    """An annulation shares the campaign and the debtor of its original: no key of it is taken."""
    original = Titre.objects.get(number=1, kind=Titre.Kind.TITRE)
    if connection.vendor == "postgresql":
        execute("SET CONSTRAINTS ALL DEFERRED")  # lines are written before what bears them
    annulation = correct(
        titre=original,
        kind=Titre.Kind.ANNULATION,
        reason_code=Titre.Reason.DUPLICATE,
        reason="Appelée deux fois.",
        on=original.issued_on,
        signatory=world.signatory,
        actor="essai",
    )
    assert original.corrections.get() == annulation


def vars_of(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


# --- Sealing ----------------------------------------------------------------------------------


def test_no_line_can_be_added_to_a_titre_that_exists(world):
    sql, values = insertion(TitreLine, id=987654, position=99)
    refused(f"INSERT {sql}", values, word="deja emise")
    line = vars_of(TitreLine.objects.order_by("pk")[0])
    with pytest.raises(IntegrityError, match="deja emise"), transaction.atomic():
        TitreLine.objects.create(**{**line, "id": None, "position": 98})


def test_no_titre_can_be_added_to_a_bordereau_that_exists(world):
    stranger = world.join(1)
    fresh = {"id": uuid.uuid4(), "number": 99, "call_id": None, "debtor_id": stranger.pk}
    if connection.vendor == "sqlite":
        fresh["id"] = fresh["id"].hex
    sql, values = insertion(Titre, **fresh)
    refused(f"INSERT {sql}", values, word="deja emise")


@every_text
def test_without_its_triggers_a_table_is_open(world, model):
    """What these tests see refused is refused by the triggers, and by nothing else."""
    triggers.remove(connection, model)
    assert triggers.missing(connection)
    execute(f"UPDATE {model._meta.db_table} SET {FREE_TEXT[model]} = 'faux'")
    assert "faux" in str(content(model))

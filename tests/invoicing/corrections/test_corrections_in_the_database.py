"""What the database refuses of a correction by itself, whatever the sequence, whoever else writes."""

import uuid
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing import corrections
from invoicing.correction_payload import PartOff
from invoicing.corrections import due
from invoicing.models import Titre, TitreLine
from invoicing.numbering import IssueRefused
from invoicing.rendering import render_missing
from invoicing.verification import verify
from tests.invoicing.corrections.correcting import again, annul, ask, euros, line_of, off, reduce, said

pytestmark = pytest.mark.django_db


# --- What the database refuses by itself -------------------------------------------------------


def row_of(titre, **changes):
    """Return the columns of a réduction of a titre, as a client that knows nothing of our rules."""
    facts = {f.column: f.get_db_prep_save(getattr(titre, f.attname), connection)
             for f in Titre._meta.concrete_fields}  # fmt: skip
    key, other = uuid.uuid4(), uuid.uuid4()
    if connection.vendor == "sqlite":
        key, other = key.hex, other.hex
    return {
        **facts,
        "id": key,
        "bordereau_id": other,
        "kind": "reduction",
        "number": 900,
        "reference": "BRUT-1",
        "call_id": None,
        "original_id": facts["id"],
        "reason_code": "liquidation",
        "reason": "Erreur.",
        **changes,
    }


def insert(*rows):
    columns = ", ".join(f'"{name}"' for name in rows[0])
    values = ", ".join(f"({', '.join(['%s'] * len(row))})" for row in rows)
    # The bordereau is missing: nothing of this is ever committed.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO invoicing_titre ({columns}) VALUES {values}",
            [value for row in rows for value in row.values()],
        )
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("amounts", "passes"),
    [([9000], True), ([9001], False), ([5000, 4000], True), ([5000, 4001], False)],
)
def test_the_database_keeps_the_sum_of_corrections_within_the_titre(world, titre, amounts, passes):
    rows = [
        row_of(titre, total=amount, number=900 + n, reference=f"BRUT-{n}")
        for n, amount in enumerate(amounts)
    ]
    if passes:
        insert(*rows)
        return
    with pytest.raises(IntegrityError, match="la somme des corrections"):
        insert(*rows)


def test_the_database_counts_the_corrections_made_before(world, titre):
    reduce(world, titre, off("30.00", line_of(titre)))
    insert(row_of(titre, total=6000))
    with pytest.raises(IntegrityError, match="la somme des corrections"):
        insert(row_of(titre, total=6001))


def test_the_database_corrects_titres_only_and_in_their_exercice(world, titre):
    annulation = annul(world, titre)
    other = world.join(1)
    elsewhere = {"debtor_id": other.pk, "total": 100}
    with pytest.raises(IntegrityError, match="une correction corrige un titre"):
        insert(row_of(annulation, **elsewhere))
    with pytest.raises(IntegrityError, match="une correction corrige un titre"):
        insert(row_of(titre, exercice=2026, **elsewhere))


def test_the_database_replaces_only_a_titre_annulled_in_full(world, titre):
    new = {
        "kind": "titre",
        "original_id": None,
        "reason_code": "",
        "reason": "",
        "replaces_id": row_of(titre)["original_id"],
    }
    reduce(world, titre, off("30.00", line_of(titre)))
    with pytest.raises(IntegrityError, match="remplace un titre annule"):
        insert(row_of(titre, **new))
    annul(world, titre)
    insert(row_of(titre, **new))


# --- Whatever the sequence ---------------------------------------------------------------------


@given(cents=st.lists(st.integers(min_value=-100, max_value=14000), min_size=1, max_size=6))
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
def test_what_is_due_is_the_total_less_the_corrections_and_never_below_nothing(world, cents):
    """Each example corrects the same titre of 135 €, in a transaction that is undone."""
    titre = Titre.objects.filter(total=euros("135.00"), kind=Titre.Kind.TITRE).first()
    if titre is None:
        titre = max(world.issue().titres, key=lambda titre: titre.total)
    with transaction.atomic():
        left = titre.total
        for amount in (Decimal(n) / 100 for n in cents):
            possible = 0 < amount < left
            try:
                reduce(world, titre, PartOff(amount, charge="ECOLE"))
            except IssueRefused:
                assert not possible
            else:
                assert possible
                left -= amount
            taken = sum(row.total for row in titre.corrections.order_by("pk"))
            assert due(titre) == titre.total - taken == left > 0
        annul(world, titre)
        assert due(titre) == 0
        transaction.set_rollback(True)


# --- Meanwhile ---------------------------------------------------------------------------------


def test_what_another_corrects_meanwhile_is_counted(world, titre, monkeypatch):
    """Between the page that showed what is due and the click, someone else reduces the titre."""
    shown = due(titre)
    reduce(world, titre, off("40.00", line_of(titre)))
    with pytest.raises(IssueRefused) as error:
        reduce(world, titre, PartOff(shown - 10, charge="ECOLE"))
    assert "50,00 € restant dus" in said(error)


def test_a_refusal_of_the_database_is_told_in_french(world, titre, monkeypatch):
    def clash(**asked):
        raise IntegrityError("deux à la fois")

    monkeypatch.setattr(corrections, "write_corrections", clash)
    with pytest.raises(IssueRefused, match="Un autre poste"):
        annul(world, titre)


def test_a_correction_draws_nothing(world, titre, monkeypatch):
    monkeypatch.setattr("invoicing.rendering.render_pdf", lambda *args: pytest.fail("dessiné"))
    assert TitreLine.objects.filter(titre=annul(world, titre)).exists()


def test_the_ledger_stays_provable_whatever_was_corrected(world, titres, drawn, blank_pdf):
    first, second, third = titres
    reduce(world, second, off("20.00", line_of(second)))
    world.compute()
    again(world, second)
    annul(world, first)
    ask(world, third, "5.00")
    assert len(list(render_missing(Titre.objects.all()))) == 7
    assert [str(deviation) for deviation in verify(quick=True).deviations] == []

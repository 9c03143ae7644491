"""The ledger is proved whole, and whatever was damaged in it is named."""

import copy
import json
from datetime import date
from decimal import Decimal

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from entsvc import chain, journal, triggers
from entsvc.canonical import fingerprint
from entsvc.models import JournalEntry
from invoicing.accountant_numbers import write_number
from invoicing.answers import record_event
from invoicing.bordereaux import send, sign
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.models import (
    Bordereau,
    CallLine,
    MandatRequest,
    Payment,
    Run,
    Titre,
    TitreDocument,
    TitreEvent,
)
from invoicing.payments import record_payment
from invoicing.rendering import render_missing
from invoicing.verification import Scope, verify
from tests.factories import IssuerFactory
from tests.invoicing.world import ISSUED_ON, a_world, draw_blank

CASTS = {"postgresql": "::jsonb", "sqlite": ""}


def execute(sql, parameters=()):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def ask_for_a_mandat(titre):
    """The request of a mandat of 7 €, as `request_mandat` keeps it once the exercice is closed."""
    request = MandatRequest.objects.create(
        titre=titre,
        amount=Decimal("7.00"),
        account="673",
        reason_code=Titre.Reason.DUPLICATE,
        reason="Appelé deux fois",
        requested_on=ISSUED_ON,
        requested_by="essai",
        document=titre.documents.get().document,
    )
    journal.record(
        actor="essai",
        action="request-mandat",
        target=titre,
        summary=f"{titre.reference} : demande d'un mandat",
        data={"request": str(request.pk), "amount": "7.00"},
    )


@pytest.fixture(scope="module")
def kept_ledger(kept):
    return kept(a_ledger)


@pytest.fixture
def ledger(kept_ledger, db, blank_pdf):
    return copy.deepcopy(kept_ledger)


def a_ledger():
    """Four titres of 45 to 180 €; the second reduced by 10 €, the third paid in part; all proved."""
    with pytest.MonkeyPatch.context() as patch:
        draw_blank(patch)
        world = a_world(members=4)
        world.issue()
        reduced = Titre.objects.get(number=2)
        correct(
            titre=reduced,
            kind=Titre.Kind.REDUCTION,
            reason_code=Titre.Reason.WRONG_AMOUNT,
            reason="École comptée deux fois",
            on=ISSUED_ON,
            signatory=world.signatory,
            actor="essai",
            parts=[PartOff(Decimal("10.00"), reduced.lines.first())],
        )
        record_payment(
            titre=Titre.objects.get(number=3, kind=Titre.Kind.TITRE),
            amount=Decimal("20.00"),
            received_on=date(2025, 4, 1),
            reference="P1",
            actor="essai",
        )
        bordereau = Bordereau.objects.get(kind="titres")
        sign(bordereau=bordereau, signatory=world.signatory, on=ISSUED_ON, actor="essai")
        send(bordereau=bordereau, on=ISSUED_ON, actor="essai")
        last = Titre.objects.get(number=4)
        record_event(titre=last, kind=TitreEvent.Kind.TAKEN, on=ISSUED_ON, actor="essai")
        write_number(titre=last, number="778", actor="essai")
        assert len(list(render_missing(Titre.objects.order_by("pk")))) == 5
        ask_for_a_mandat(last)
        chain.link_pending()
        settle()
        return world


def settle():
    """Check now the foreign keys of this test, which would keep DROP TRIGGER from even starting."""
    if connection.vendor == "postgresql":
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        execute("SET CONSTRAINTS ALL DEFERRED")


def damaged(damage):
    """Do something that the database refuses, as one who holds it could, and leave it as it was."""
    guarded = {*triggers.PROTECTED, *triggers.FROZEN}
    settle()
    for model in guarded:
        triggers.remove(connection, model)
    damage()
    settle()
    for model in guarded:
        triggers.install(connection, model)


def rewrite(model, column, change, **which):
    """Change a JSON column of one row by raw SQL."""
    row = model.objects.get(**which)
    content = getattr(row, column)
    change(content)
    key = row.pk.hex if connection.vendor == "sqlite" and not isinstance(row.pk, int) else row.pk
    execute(
        f"UPDATE {model._meta.db_table} SET {column} = %s{CASTS[connection.vendor]} WHERE id = %s",
        [json.dumps(content), key],
    )


def told(verdict):
    return [str(deviation) for deviation in verdict.deviations]


def found(**options):
    return told(verify(**options))


# --- Sound ------------------------------------------------------------------------------------


def test_a_sound_ledger_is_green_and_counted(ledger):
    verdict = verify()
    assert told(verdict) == []
    assert verdict.green
    [figures] = verdict.exercices
    counts = {kind: (f.count, f.first, f.last, f.total) for kind, f in figures.series.items()}
    assert counts == {
        "titre": (4, 1, 4, Decimal("450.00")),
        "correction": (1, 1, 1, Decimal("10.00")),
        "bordereau": (1, 1, 1, Decimal("450.00")),
        "bordereau-correction": (1, 1, 1, Decimal("10.00")),
    }
    assert figures.net == figures.net_of_bordereaux == Decimal("440.00")
    assert verdict.documents == 8
    assert verdict.head == chain.head()


def test_a_part_of_the_ledger_is_verified_alone(ledger):
    damaged(lambda: execute("UPDATE invoicing_bordereau SET total = 1 WHERE kind = 'titres'"))
    issuer = ledger.issuer
    assert found(scope=Scope(issuer, 2025))
    for scope in (Scope(issuer, 2024), Scope(IssuerFactory(code="AUTRE")), Scope(issuer, 2025, "01")):
        assert found(scope=scope) == []


def test_it_reads_in_batches_whatever_the_number_of_titres(ledger, blank_pdf, django_assert_num_queries):
    with connection.execute_wrapper(_counting := _Counting()):
        verify()
    for _ in range(6):
        ledger.join(2)
    ledger.issue(on=date(2025, 3, 4))
    list(render_missing(Titre.objects.order_by("pk")))
    chain.link_pending()
    few = _counting.count
    with connection.execute_wrapper(_counting):
        assert verify().green
    # Two runs more to read again, and a second bordereau on the same queries.
    assert _counting.count - few <= few + 5


class _Counting:
    """Counts the queries of a block."""

    def __init__(self):
        self.count = 0

    def __call__(self, execute, *arguments):
        self.count += 1
        return execute(*arguments)


# --- Damaged ----------------------------------------------------------------------------------


def the_file(number):
    link = TitreDocument.objects.get(titre__number=number, titre__kind="titre", role="pdf")
    return settings.MEDIA_ROOT / link.document.path


def altered_pdf():
    path = the_file(3)
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + b"!")


def forged_payload():
    """The content and its fingerprint changed together."""

    def elsewhere(payload):
        payload["debtor"]["address"] = ["ailleurs"]
        execute(
            "UPDATE invoicing_titre SET sha256 = %s WHERE number = 1 AND kind = 'titre'",
            [fingerprint(payload)],
        )

    rewrite(Titre, "payload", elsewhere, number=1, kind="titre")


def forged_basis():
    """A basis changed with its fingerprint: the calculation done again gives another amount."""

    def cheaper(basis):
        basis["charges"][0]["unit_price"] = "44.0000"
        execute("UPDATE invoicing_run SET basis_sha256 = %s", [fingerprint(basis)])

    rewrite(Run, "basis", cheaper)


def second_principal():
    execute("DROP INDEX titre_principal_once")
    execute(
        "UPDATE invoicing_titre SET debtor_id = (SELECT debtor_id FROM invoicing_titre WHERE number = 4)"
        " WHERE number = 3"
    )


def lost_issue():
    """The event of the issue taken away with its link, the links after it numbered and hashed anew."""
    execute(
        "DELETE FROM entsvc_journallink WHERE number >= "
        "(SELECT l.number FROM entsvc_journallink l JOIN entsvc_journalentry e ON e.id = l.entry_id "
        "WHERE e.action = 'issue')"
    )
    execute("DELETE FROM entsvc_journalentry WHERE action = 'issue'")
    chain.link_pending()


DAMAGES = {
    "a gap in the numbers": (
        "UPDATE invoicing_titre SET number = 9 WHERE number = 4",
        "titres : les n° 4 à 8 manquent",
    ),
    "a changed amount of a line": (
        "UPDATE invoicing_titreline SET amount = amount + 100 WHERE titre_id = "
        "(SELECT id FROM invoicing_titre WHERE number = 3)",
        "ses lignes font",
    ),
    "a changed line whose sum stays": (
        "UPDATE invoicing_titreline SET explanation = 'autre' WHERE titre_id = "
        "(SELECT id FROM invoicing_titre WHERE number = 3) AND position = 1",
        "sa ligne 1 (« autre ») n'est pas celle de son appel",
    ),
    "a deleted line": (
        "DELETE FROM invoicing_titreline WHERE position = 2 AND titre_id = "
        "(SELECT id FROM invoicing_titre WHERE number = 4)",
        "ses lignes font",
    ),
    "a changed total": (
        "UPDATE invoicing_titre SET total = total + 100 WHERE number = 3",
        "son contenu figé dit le total « 135.00 », sa colonne « 136.00 »",
    ),
    "a changed SIRET": (
        "UPDATE invoicing_titre SET siret = '21310001900018' WHERE number = 3",
        "son contenu figé dit le SIRET",
    ),
    "a changed content": (
        lambda: rewrite(
            Titre, "payload", lambda p: p["debtor"].update(service_code="X"), number=3, kind="titre"
        ),
        "son contenu figé a été modifié",
    ),
    "a forged content": (forged_payload, "l'empreinte que le journal a gardée"),
    "a malformed reference": (
        "UPDATE invoicing_titre SET reference = 'FAUX-3' WHERE number = 3",
        "FAUX-3 : référence mal formée",
    ),
    "dates that go backwards": (
        "UPDATE invoicing_titre SET issued_on = '2025-03-01' WHERE number = 3",
        "les dates reculent",
    ),
    "a second principal titre": (second_principal, "2 titres principaux dans la même campagne"),
    "a missing PDF": (lambda: the_file(3).unlink(), "est absent : restaurez-le"),
    "altered bytes of a PDF": (altered_pdf, "a été modifié : restaurez-le"),
    "a PDF that is no longer linked": (
        "DELETE FROM invoicing_titredocument WHERE titre_id = "
        "(SELECT id FROM invoicing_titre WHERE number = 3)",
        "son PDF manque",
    ),
    "a changed event": (
        "UPDATE entsvc_journalentry SET summary = 'autre' WHERE action = 'issue'",
        "(« autre ») n'est plus celui qui a été écrit",
    ),
    "a deleted link of the journal": (
        "DELETE FROM entsvc_journallink WHERE number = 2",
        "Journal : maillon 2 absent",
    ),
    "an issue taken out of the journal": (lost_issue, "son émission n'est pas au journal"),
    "a changed basis": (
        lambda: rewrite(Run, "basis", lambda basis: basis["facts"].update(version="autre")),
        "ses bases de calcul ont été modifiées",
    ),
    "a forged basis": (forged_basis, "recalculé"),
    "a changed call": (
        "UPDATE invoicing_call SET total = total + 100",
        "conservé pour",
    ),
    "a correction beyond its titre": (
        "UPDATE invoicing_titre SET total = 99999 WHERE kind = 'reduction'",
        "corrigé de 999,99 €, plus que son total",
    ),
    "a correction of another exercice": (
        "UPDATE invoicing_titre SET exercice = 2024 WHERE kind = 'reduction'",
        "ni le même émetteur, budget, exercice",
    ),
    "a counter moved back": (
        "UPDATE invoicing_counter SET last_number = 2 WHERE kind = 'titre'",
        "le compteur est à 2, le dernier numéro est 4",
    ),
    "a counter moved forward": (
        "UPDATE invoicing_counter SET last_number = 12 WHERE kind = 'bordereau'",
        "le compteur est à 12, le dernier numéro est 1",
    ),
    "a changed total of a bordereau": (
        "UPDATE invoicing_bordereau SET total = total - 100 WHERE kind = 'titres'",
        "total annoncé de 449,00 €, ses pièces font 450,00 €",
    ),
    "a changed payment": (
        "UPDATE invoicing_payment SET amount = 1900",
        "l'encaissement de 19,00 € est écrit au journal pour 20,00 €",
    ),
    "a deleted payment": ("DELETE FROM invoicing_payment", "encaissement de 20,00 € (P1) » a disparu"),
    "a changed day of a payment": (
        "UPDATE invoicing_payment SET received_on = '2024-12-31'",
        "la date dit « 2025-04-01 », la base « 2024-12-31 »",
    ),
    "a changed reference of a payment": (
        "UPDATE invoicing_payment SET reference = 'P2'",
        "la référence dit « P1 », la base « P2 »",
    ),
    "a changed debtor": (
        "UPDATE invoicing_titre SET debtor_id = (SELECT debtor_id FROM invoicing_titre WHERE number = 4)"
        ", replaces_id = (SELECT id FROM invoicing_titre WHERE number = 4) WHERE number = 3",
        "son débiteur est",
    ),
    "a changed debtor of a correction": (
        "UPDATE invoicing_titre SET debtor_id = (SELECT debtor_id FROM invoicing_titre WHERE number = 4)"
        " WHERE kind = 'reduction'",
        "ni le même émetteur, budget, exercice et débiteur",
    ),
    "a changed request of a mandat": (
        "UPDATE invoicing_mandatrequest SET amount = 500",
        "le montant dit « 7.00 », la base « 5.00 »",
    ),
    "a deleted request of a mandat": (
        "DELETE FROM invoicing_mandatrequest",
        "la demande de mandat de « ",
    ),
    "a deleted answer of the accountant": (
        "DELETE FROM invoicing_titreevent",
        "la réponse du comptable de « ",
    ),
    "a deleted signature of a bordereau": (
        "DELETE FROM invoicing_bordereauevent WHERE kind = 'signe'",
        "l'étape du bordereau de « ",
    ),
    "a changed signature of a bordereau": (
        "UPDATE invoicing_bordereauevent SET signatory = 'Autre' WHERE kind = 'signe'",
        "le signataire dit « ",
    ),
    "a changed number of the accountant": (
        "UPDATE invoicing_titre SET external_reference = '779' WHERE number = 4",
        "« 779 », n'est pas celui du journal, « 778 »",
    ),
    "a number of the accountant that nobody wrote": (
        "UPDATE invoicing_titre SET external_reference = '779' WHERE number = 3",
        "« 779 », n'est pas celui du journal, «  »",
    ),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_a_damage_by_hand_is_named(ledger, damage, words):
    damaged(damage if callable(damage) else lambda: execute(damage))
    messages = [message.replace("\u00a0", " ").replace("\u202f", " ") for message in found()]
    assert [message for message in messages if words in message], messages


def test_an_old_event_is_not_held_to_what_it_did_not_tell(ledger):
    entry = JournalEntry.objects.get(action="payment")

    def older(data):
        del data["received_on"], data["reference"]

    damaged(lambda: rewrite(JournalEntry, "data", older, pk=entry.pk))
    damaged(lambda: execute("UPDATE invoicing_payment SET reference = 'P2'"))
    assert not [message for message in found() if "P2" in message]


def test_a_protection_taken_off_is_named(ledger):
    triggers.remove(connection, Payment)
    assert any("invoicing_payment_no_update manque" in message for message in found())


def test_a_quick_verification_sees_a_missing_file_and_not_its_bytes(ledger):
    altered_pdf()
    assert found(quick=True) == []
    the_file(1).unlink()
    [message] = found(quick=True)
    assert "est absent" in message


# --- Command ----------------------------------------------------------------------------------


def answer(capsys, *arguments):
    code = 0
    try:
        call_command(*arguments)
    except SystemExit as error:
        code = error.code
    return code, capsys.readouterr()


def test_the_command_answers_0_for_a_sound_ledger(ledger, capsys):
    code, said = answer(capsys, "verify_ledger", "--json")
    document = json.loads(said.out)
    assert (code, document["green"], document["deviations"]) == (0, True, [])
    [exercice] = document["exercices"]
    assert exercice["net"] == "440.00"
    assert exercice["series"][0] == {
        "series": "titre",
        "count": 4,
        "first": 1,
        "last": 4,
        "total": "450.00",
    }
    code, said = answer(capsys, "verify_ledger")
    assert code == 0
    assert "titres : 4, n° 1 à 4" in said.out
    assert "Aucun écart." in said.out


def test_the_command_answers_1_and_names_what_deviates(ledger, capsys):
    damaged(lambda: the_file(2).unlink())
    code, said = answer(capsys, "verify_ledger", "--quick")
    assert code == 1
    assert "est absent" in said.out
    assert "1\u00a0écart." in said.out
    code, said = answer(capsys, "verify_ledger", "--issuer", ledger.issuer.code, "--json")
    assert code == 1
    assert json.loads(said.out)["count"] == 1


def test_recompute_compares_to_the_cent(ledger, capsys):
    code, said = answer(capsys, "recompute", "--all", "--json")
    assert code == 0
    assert [run["differences"] for run in json.loads(said.out)["runs"]] == [[]]
    damaged(lambda: execute("UPDATE invoicing_callline SET amount = amount + 1"))
    campaign = str(Run.objects.get().campaign_id)
    code, said = answer(capsys, "recompute", "--campaign", campaign, "--json")
    assert code == 1
    [run] = json.loads(said.out)["runs"]
    assert len(run["differences"]) == CallLine.objects.count()

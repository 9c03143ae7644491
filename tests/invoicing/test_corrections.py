"""A titre is annulled or reduced by a numbered correction; past its exercice a mandat is asked for."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conventions.models import Convention
from entsvc.models import JournalEntry
from invoicing import corrections, mandats, reissue
from invoicing.calculation import open_supplement
from invoicing.correction_payload import PartOff
from invoicing.corrections import Correction, MandatNeeded, correct, correct_many, due
from invoicing.models import (
    Bordereau,
    ClosedExercice,
    Counter,
    MandatRequest,
    Series,
    Titre,
    TitreLine,
)
from invoicing.numbering import IssueRefused
from invoicing.payments import record_payment, standing
from invoicing.rendering import render_missing
from invoicing.verification import verify
from members.models import Issuer, Member
from tests.factories import (
    DatedTextFactory,
    EnrolmentFactory,
    IssuerFactory,
    MemberFactory,
    SignatoryFactory,
)
from tests.invoicing.world import a_world

pytestmark = pytest.mark.django_db

ANNULATION, REDUCTION = Titre.Kind.ANNULATION, Titre.Kind.REDUCTION
DAY = dt.date(2025, 4, 10)
AFTER = dt.date(2026, 3, 2)


def euros(text):
    return Decimal(text)


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """The exercice 2025 is over, and its complementary period too."""
    monkeypatch.setattr(timezone, "localdate", lambda *args: dt.date(2026, 3, 2))


@pytest.fixture
def titres(world):
    """Titres of 45, 90 and 135 €."""
    return sorted(world.issue().titres, key=lambda titre: titre.total)


@pytest.fixture
def titre(titres):
    """A titre of 90 €: two schools."""
    return titres[1]


def line_of(titre, position=1):
    return titre.lines.get(position=position)


def off(amount, line=None, charge=""):
    return PartOff(euros(amount), line, charge)


def annul(world, titre, **changes):
    asked = {
        "titre": titre,
        "kind": ANNULATION,
        "reason_code": Titre.Reason.WRONG_AMOUNT,
        "reason": "École fermée avant la rentrée.",
        "on": DAY,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return correct(**asked)


def reduce(world, titre, *parts, **changes):
    return annul(world, titre, kind=REDUCTION, parts=parts, **changes)


def said(error):
    return " ".join(error.value.messages).replace("\u00a0", " ").replace("\u202f", " ")


def counters():
    return {c.kind: c.last_number for c in Counter.objects.order_by("kind")}


# --- Annulation -------------------------------------------------------------------------------


def test_it_works(world, titre):
    annulation = annul(world, titre)
    annulation.refresh_from_db()
    assert (annulation.kind, annulation.original, annulation.total) == (ANNULATION, titre, 90)
    assert (annulation.number, annulation.reference) == (1, "TST-2025-A00001")
    assert (annulation.reason_code, annulation.reason) == (
        "liquidation",
        "École fermée avant la rentrée.",
    )
    assert (annulation.debtor, annulation.siret, annulation.campaign) == (
        titre.debtor,
        titre.siret,
        titre.campaign,
    )
    assert due(titre) == 0
    assert standing(titre).due == 0


def test_a_correction_has_its_own_series_and_bordereau(world, titres):
    annul(world, titres[0])
    reduce(world, titres[1], off("10.00", line_of(titres[1])))
    assert counters() == {
        "titre": 3,
        "bordereau": 1,
        "correction": 2,
        "bordereau-correction": 2,
    }
    first, second = Bordereau.objects.filter(kind="corrections").order_by("number")
    assert (first.count, first.total, first.run, first.issued_by) == (1, 45, None, "essai")
    assert (second.number, second.total, second.issued_on) == (2, 10, DAY)
    assert second.titres.get().reference == "TST-2025-A00002"


def test_an_annulation_copies_the_lines_of_its_titre(world, titre):
    annulation = annul(world, titre)
    names = ("charge", "uai", "school", "amount", "explanation")
    copied = list(annulation.lines.order_by("position").values_list(*names))
    assert copied == list(titre.lines.order_by("position").values_list(*names))


def test_an_annulation_after_a_reduction_takes_what_remains(world, titre):
    reduction = reduce(world, titre, off("30.00", line_of(titre)))
    annulation = annul(world, titre)
    assert annulation.total == 60
    amounts = list(annulation.lines.order_by("position").values_list("amount", flat=True))
    assert amounts == [45, 45, -30]
    last = annulation.lines.get(position=3)
    assert last.charge_label == f"Réduction {reduction.reference}"
    assert due(titre) == 0


def test_several_titres_are_corrected_on_one_bordereau(world, titres):
    asked = [
        Correction(titre, ANNULATION, Titre.Reason.DUPLICATE, "Appelé deux fois.") for titre in titres
    ]
    done = correct_many(corrections=asked, on=DAY, signatory=world.signatory, actor="essai")
    assert (done.bordereau.count, done.bordereau.total) == (3, 270)
    assert [(row.number, row.original_id) for row in done.titres] == [
        (n, titre.pk) for n, titre in enumerate(titres, start=1)
    ]


def test_one_wrong_correction_and_none_is_written(world, titres):
    annul(world, titres[2])
    asked = [Correction(titre, ANNULATION, Titre.Reason.DUPLICATE, "Erreur.") for titre in titres]
    with pytest.raises(IssueRefused, match="déjà annulé"):
        correct_many(corrections=asked, on=DAY, signatory=world.signatory, actor="essai")
    assert Titre.objects.filter(kind=ANNULATION).count() == 1
    assert counters()["correction"] == 1


def test_the_journal_tells_who_corrected_which_titre(world, titre):
    annulation = annul(world, titre, actor="finances")
    entry = JournalEntry.objects.get(action="correct")
    assert (entry.actor, entry.target) == ("finances", f"invoicing.titre:{titre.pk}")
    assert annulation.reference in entry.summary
    assert entry.data["amount"] == "90.00"


def test_what_was_paid_of_an_annulled_titre_is_to_give_back(world, titre):
    record_payment(titre=titre, amount=euros("40.00"), received_on=DAY, reference="V1", actor="essai")
    annul(world, titre)
    found = standing(Titre.objects.get(pk=titre.pk))
    assert (found.due, found.overpaid, found.remaining) == (0, 40, 0)


def test_a_correction_says_what_it_corrects_and_why(world, titre):
    reduce(world, titre, off("30.00", line_of(titre)))
    payload = annul(world, titre, reason_code=Titre.Reason.COURT, reason="Jugement n° 12.").payload
    assert payload["original"] == {
        "reference": titre.reference,
        "number": titre.number,
        "exercice": 2025,
        "issued_on": "2025-03-03",
        "total": "90.00",
        "subject": titre.subject,
        "due_before": "60.00",
        "due_after": "0.00",
    }
    assert payload["error"] == {
        "code": "juge",
        "label": "Décharge prononcée par le juge",
        "text": "Jugement n° 12.",
    }
    assert payload["debtor"] == titre.payload["debtor"]
    assert payload["document"]["title"] == "Titre d'annulation"
    assert payload["document"]["payment_reference"] == ""
    assert payload["total_words"] == "soixante euros"
    assert payload["texts"]["remedies"] == "Tribunal administratif de Montpellier."
    assert not any(payload["texts"][name] for name in ("enforceability", "payment", "late"))


def test_a_correction_is_contested_as_its_own_text_says(world, titre):
    DatedTextFactory(scope="ETAT", code="recours-correction", body="Autrement, {tribunal}.")
    assert annul(world, titre).payload["texts"]["remedies"] == "Autrement, de Montpellier."


# --- Réduction --------------------------------------------------------------------------------


def test_a_reduction_names_the_lines_it_takes_from(world, titre):
    first, second = titre.lines.order_by("position")
    reduction = reduce(world, titre, off("20.00", first), off("5.50", second))
    assert (reduction.kind, reduction.total, due(titre)) == (REDUCTION, euros("25.50"), euros("64.50"))
    line = reduction.lines.get(position=1)
    assert (line.uai, line.school, line.charge, line.amount) == (first.uai, first.school, "ECOLE", 20)
    assert line.explanation.replace("\u00a0", " ").endswith("= 45,00 €, ramenés à 25,00 €")


def test_the_next_reduction_of_a_line_counts_the_one_before(world, titre):
    reduce(world, titre, off("20.00", line_of(titre)))
    again = reduce(world, titre, off("5.00", line_of(titre)))
    assert again.lines.get().explanation.replace("\u00a0", " ").endswith("ramenés à 20,00 €")


def test_a_free_amount_comes_off_a_charge(world, titre):
    reduction = reduce(world, titre, off("60.00", charge="ECOLE"))
    line = reduction.lines.get()
    assert (line.uai, line.amount) == ("", 60)
    assert line.explanation == "Montant retiré sur la rubrique"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "ce qui est retiré"),
        ([("0.00", 1, "")], "est positif"),
        ([("-5.00", 1, "")], "est positif"),
        ([("5.001", 1, "")], "au centime"),
        ([("5.00", None, "")], "une ligne ou une rubrique"),
        ([("5.00", None, "AUTRE")], "une ligne ou une rubrique"),
        ([("45.01", 1, "")], "45,01 € à retirer de"),
        ([("30.00", 1, ""), ("30.00", 1, "")], "il reste 15,00 €"),
        ([("90.01", None, "ECOLE")], "90,00 € restant dus"),
        ([("90.00", None, "ECOLE")], "annulez-le"),
        ([("45.00", 1, ""), ("45.00", 2, "")], "annulez-le"),
    ],
)
def test_a_wrong_reduction_is_refused_with_its_reason(world, titre, parts, message):
    parts = [
        off(amount, line_of(titre, position) if position else None, charge)
        for amount, position, charge in parts
    ]
    with pytest.raises(IssueRefused) as error:
        reduce(world, titre, *parts)
    assert message in said(error)
    assert not titre.corrections.exists()


def test_a_line_of_another_titre_is_refused(world, titres):
    with pytest.raises(IssueRefused, match="pas de ce titre"):
        reduce(world, titres[1], off("5.00", line_of(titres[0])))


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reason_code": ""}, "motif"),
        ({"reason_code": "autre"}, "motif"),
        ({"reason": "  "}, "l'erreur commise"),
        ({"on": dt.date(2025, 3, 2)}, "est du 03/03/2025"),
        ({"kind": Titre.Kind.TITRE}, "par une annulation ou par une réduction"),
    ],
)
def test_a_wrong_correction_is_refused_with_its_reason(world, titre, changes, message):
    with pytest.raises(IssueRefused) as error:
        annul(world, titre, **changes)
    assert message in said(error)
    assert not titre.corrections.exists()


def test_a_correction_is_not_dated_of_a_day_to_come(world, titre, monkeypatch):
    monkeypatch.setattr(timezone, "localdate", lambda: DAY - dt.timedelta(days=1))
    with pytest.raises(IssueRefused, match="à venir"):
        annul(world, titre)


def test_a_titre_is_annulled_once(world, titre):
    annul(world, titre)
    with pytest.raises(IssueRefused, match="déjà annulé"):
        annul(world, titre)


def test_a_correction_is_not_corrected(world, titre):
    annulation = annul(world, titre)
    with pytest.raises(IssueRefused, match="corrigez le titre d'origine"):
        annul(world, annulation)


def test_an_annulation_takes_no_part(world, titre):
    with pytest.raises(IssueRefused, match="réduisez le titre"):
        annul(world, titre, parts=[off("5.00", line_of(titre))])


def test_the_date_never_goes_back_in_the_series(world, titres):
    annul(world, titres[0], on=DAY)
    with pytest.raises(IssueRefused, match="va déjà jusqu'au 10/04/2025"):
        annul(world, titres[1], on=DAY - dt.timedelta(days=1))


def test_the_signatory_is_one_of_the_issuer_in_office(world, titre):
    stranger = SignatoryFactory(issuer=IssuerFactory(code="AUTRE"))
    with pytest.raises(IssueRefused, match="n'est pas celui de"):
        annul(world, titre, signatory=stranger)
    late = SignatoryFactory(issuer=world.issuer, valid_from=dt.date(2025, 9, 1))
    with pytest.raises(IssueRefused, match="n'a pas qualité"):
        annul(world, titre, signatory=late)


def test_the_same_titre_twice_on_a_bordereau_is_refused(world, titre):
    asked = [Correction(titre, ANNULATION, Titre.Reason.DUPLICATE, "Erreur.")] * 2
    with pytest.raises(IssueRefused, match="demandé deux fois"):
        correct_many(corrections=asked, on=DAY, signatory=world.signatory, actor="essai")


def test_a_bordereau_holds_one_issuer_and_exercice(world, titre):
    later = a_world(members=1)
    other = later.issue(on=dt.date(2026, 1, 15)).titres[0]
    asked = [Correction(row, ANNULATION, Titre.Reason.DUPLICATE, "Erreur.") for row in (titre, other)]
    with pytest.raises(IssueRefused, match="même exercice"):
        correct_many(corrections=asked, on=DAY, signatory=world.signatory, actor="essai")
    with pytest.raises(IssueRefused, match="au moins un titre"):
        correct_many(corrections=[], on=DAY, signatory=world.signatory, actor="essai")


def test_in_the_complementary_period_the_exercice_is_still_that_of_the_titre(world, titre):
    assert annul(world, titre, on=dt.date(2026, 1, 31)).exercice == 2025


@pytest.mark.parametrize("closed", [True, False])
def test_past_the_exercice_a_mandat_is_the_way(world, titre, closed):
    if closed:
        close(titre)
    with pytest.raises(MandatNeeded) as error:
        annul(world, titre, on=DAY if closed else dt.date(2026, 2, 1))
    start = "L'exercice 2025 est clos" if closed else "Le 01/02/2026, l'exercice 2025"
    assert said(error).startswith(start)
    assert "Demander un mandat" in said(error)


def close(titre):
    ClosedExercice.objects.create(
        issuer=titre.issuer,
        budget=titre.budget,
        exercice=titre.exercice,
        closed_by="essai",
        report={},
        sha256="0" * 64,
        journal_head="0" * 64,
    )


# --- What the database refuses by itself ------------------------------------------------------


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


# --- Whatever the sequence --------------------------------------------------------------------


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


# --- Issued again -----------------------------------------------------------------------------


def again(world, titre, debtor=None, **changes):
    asked = {
        "titre": titre,
        "debtor": debtor or titre.debtor,
        "reason_code": Titre.Reason.WRONG_DEBTOR,
        "reason": "Adresse erronée.",
        "on": DAY,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return reissue.annul_and_reissue(**asked)


def test_a_titre_is_annulled_and_issued_again_with_mended_data(world, titre):
    Member.objects.filter(pk=titre.debtor_id).update(address="9 rue Réparée")
    run = world.compute()
    done = again(world, titre)
    assert (done.annulation.original, done.annulation.total) == (titre, 90)
    new = Titre.objects.get(pk=done.titre.pk)
    assert (new.replaces, new.total, new.number, new.kind) == (titre, 90, 4, "titre")
    assert new.call.run == run
    assert new.payload["debtor"]["address"][0] == "9 rue Réparée"
    assert new.payload["replaces"] == {
        "reference": titre.reference,
        "number": titre.number,
        "exercice": 2025,
        "issued_on": "2025-03-03",
        "total": "90.00",
    }
    assert (due(titre), due(new)) == (0, 90)
    assert counters()[Series.BORDEREAU] == 2
    assert JournalEntry.objects.filter(action="issue").count() == 2


def test_a_titre_annulled_before_may_still_be_issued_again(world, titre):
    annul(world, titre)
    world.compute()
    done = again(world, titre)
    assert (done.annulation, done.titre.replaces) == (None, titre)
    assert titre.corrections.count() == 1


def test_a_new_titre_may_itself_be_replaced(world, titre):
    world.compute()
    second = again(world, titre).titre
    world.compute()
    third = again(world, second).titre
    assert third.replaces == second
    assert [due(row) for row in (titre, second, third)] == [0, 0, 90]


def test_an_annulled_titre_is_issued_again_from_its_page_only(world, titre):
    annul(world, titre)
    issued = world.issue()
    assert (issued.bordereau, issued.titres) == (None, [])
    [blocked] = issued.blocked
    assert blocked.siret == titre.siret
    assert "« Annuler et ré-émettre »" in blocked.messages[0]
    again(world, titre)
    issued = world.issue()
    assert (issued.titres, issued.blocked) == ([], [])


def test_who_took_over_the_debtor_is_billed_in_its_place(world, titre):
    heir = MemberFactory()
    move(titre.debtor, heir)
    Member.objects.filter(pk=titre.debtor_id).update(successor=heir)
    world.compute()
    [candidate] = reissue.candidates(titre)
    assert (candidate.call.debtor, candidate.reasons) == (heir, [])
    done = again(world, titre, heir, reason_code=Titre.Reason.GONE)
    assert (done.titre.debtor, done.titre.replaces, done.titre.total) == (heir, titre, 90)
    assert done.annulation.debtor == titre.debtor


def move(old, new):
    """Make another member pay for the agreements of one."""
    Convention.objects.filter(debtor=old).update(debtor=new)


def test_the_payer_of_the_same_agreement_is_billed_in_place_of_the_wrong_one(world, titre):
    right = MemberFactory()
    move(titre.debtor, right)
    world.compute()
    assert again(world, titre, right).titre.debtor == right
    assert world.issue().titres == []


def test_a_debtor_that_has_its_titre_is_not_billed_twice(world, titres):
    heir = titres[2].debtor
    move(titres[1].debtor, heir)
    Member.objects.filter(pk=titres[1].debtor_id).update(successor=heir)
    world.compute()
    assert reissue.candidates(titres[1]) == []
    with pytest.raises(IssueRefused, match="campagne complémentaire"):
        again(world, titres[1], heir)
    assert not titres[1].corrections.exists()


def test_the_heir_is_not_billed_what_a_supplement_still_asks_of_the_former_debtor(world, titre):
    former, heir = titre.debtor, MemberFactory()
    EnrolmentFactory(convention=Convention.objects.get(debtor=former))
    run = open_supplement(campaign=titre.campaign, reason="école oubliée", actor="essai")
    [other] = world.issue(run, on=DAY).titres
    move(former, heir)
    Member.objects.filter(pk=former.pk).update(successor=heir)
    world.compute()
    [candidate] = reissue.candidates(titre)
    [message] = candidate.reasons
    assert f"déjà appelé de {former.name} par le titre {other.reference}" in message
    with pytest.raises(IssueRefused, match="déjà appelé"):
        again(world, titre, heir, reason_code=Titre.Reason.GONE)
    assert due(titre) == 90
    annul(world, other)
    assert again(world, titre, heir, reason_code=Titre.Reason.GONE).titre.total == 135


def test_the_call_of_a_titre_makes_no_other(world, titre):
    assert reissue.candidates(titre) == []
    with pytest.raises(IssueRefused, match="relancez le calcul"):
        again(world, titre)
    assert due(titre) == 90
    world.compute()
    assert [candidate.call.debtor for candidate in reissue.candidates(titre)] == [titre.debtor]


def test_nothing_is_annulled_when_nothing_can_be_issued(world, titre):
    Member.objects.filter(pk=titre.debtor_id).update(address="")
    world.compute()
    with pytest.raises(IssueRefused, match="À compléter – Débiteur : adresse"):
        again(world, titre)
    with pytest.raises(IssueRefused, match="n'appelle rien de"):
        again(world, titre, world.join(1))
    assert not titre.corrections.exists()
    assert counters() == {"titre": 3, "bordereau": 1}


def test_a_titre_is_replaced_once(world, titre):
    world.compute()
    again(world, titre)
    world.compute()
    with pytest.raises(IssueRefused, match="déjà remplacé par"):
        again(world, titre)
    with pytest.raises(IssueRefused, match="partez du titre d'origine"):
        again(world, titre.corrections.get())


def test_a_titre_of_a_closed_exercice_is_not_issued_again(world, titre):
    world.compute()
    with pytest.raises(MandatNeeded):
        again(world, titre, on=AFTER)


# --- Mandat -----------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    """Keep what the document of a request says instead of drawing it."""
    contexts = []

    def draw(template, context):
        contexts.append(context)
        return f"%PDF {len(contexts)}".encode()

    monkeypatch.setattr(mandats, "render_pdf", draw)
    DatedTextFactory(scope=Issuer.Regime.STATE, code="compte-exercice-clos", body="673")
    DatedTextFactory(scope=Issuer.Regime.STATE, code="motif-exercice-clos", body="Recette définitive.")
    return contexts


def ask(world, titre, amount="90.00", **changes):
    asked = {
        "titre": titre,
        "amount": euros(amount),
        "reason_code": Titre.Reason.DUPLICATE,
        "reason": "Appelé deux fois.",
        "on": AFTER,
        "signatory": world.signatory,
        "actor": "essai",
        **changes,
    }
    return mandats.request_mandat(**asked)


def test_a_mandat_is_asked_for_a_titre_of_a_closed_exercice(world, titre, drawn):
    request = ask(world, titre, "30.00")
    assert (request.amount, request.account, request.requested_by) == (30, "673", "essai")
    assert request.document.content_type == "application/pdf"
    [facts] = drawn
    assert facts["why"].replace("\u00a0", " ").startswith("Le 02/03/2026, l'exercice 2025")
    assert facts["explanation"] == "Recette définitive."
    assert (facts["total"], facts["total_words"]) == ("30.00", "trente euros")
    assert facts["error"] == {"label": "Créance déjà appelée", "text": "Appelé deux fois."}
    assert JournalEntry.objects.get(action="request-mandat").target == f"invoicing.titre:{titre.pk}"
    # The titre itself stays as it is: the accountant offsets it.
    assert due(titre) == 90


def test_mandats_asked_for_never_exceed_what_is_due(world, titre, drawn):
    reduce(world, titre, off("20.00", line_of(titre)))
    ask(world, titre, "30.00")
    assert mandats.left_to_ask(titre) == 40
    with pytest.raises(IssueRefused) as error:
        ask(world, titre, "40.01")
    assert "40,00 € dus" in said(error)
    ask(world, titre, "40.00")
    assert MandatRequest.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": "0.00"}, "est positif"),
        ({"reason": " "}, "l'erreur commise"),
        ({"reason_code": ""}, "motif"),
        ({"on": DAY}, "encore ouvert"),
        ({"on": dt.date(2025, 1, 1)}, "est du 03/03/2025"),
        ({"on": dt.date(2026, 3, 3)}, "à venir"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(world, titre, drawn, changes, message):
    with pytest.raises(IssueRefused) as error:
        ask(world, titre, **changes)
    assert message in said(error)
    assert not MandatRequest.objects.exists()


def test_what_a_mandat_was_asked_for_is_not_annulled_too(world, titre, drawn):
    ask(world, titre, "30.00")
    with pytest.raises(IssueRefused) as error:
        annul(world, titre)
    assert "(30,00 € le 02/03/2026, compte 673)" in said(error)
    assert "60,00 € dus et pas encore demandés" in said(error)
    assert due(titre) == 90


def test_a_reduction_leaves_what_a_mandat_was_asked_for(world, titre, drawn):
    ask(world, titre, "60.00")
    with pytest.raises(IssueRefused, match="n'est pas rendue deux fois"):
        reduce(world, titre, off("30.01", line_of(titre)))
    reduce(world, titre, off("30.00", line_of(titre)))
    assert (due(titre), mandats.left_to_ask(titre)) == (60, 0)


def test_without_its_account_no_mandat_is_asked_for(world, titre):
    with pytest.raises(IssueRefused, match="compte-exercice-clos"):
        ask(world, titre)


def test_a_correction_of_a_titre_asks_for_no_mandat(world, titre, drawn):
    annulation = annul(world, titre)
    with pytest.raises(IssueRefused, match="partez du titre d'origine"):
        ask(world, annulation, "1.00")
    with pytest.raises(IssueRefused, match="0,00"):
        ask(world, titre, "1.00")


# --- Meanwhile --------------------------------------------------------------------------------


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

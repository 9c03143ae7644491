"""A titre is annulled or reduced by a numbered correction, and what is refused."""

import datetime as dt

import pytest
from django.utils import timezone

from entsvc.models import JournalEntry
from invoicing.corrections import Correction, MandatNeeded, correct_many, due
from invoicing.models import Bordereau, Titre
from invoicing.numbering import IssueRefused
from invoicing.payments import record_payment, standing
from tests.factories import DatedTextFactory, IssuerFactory, SignatoryFactory
from tests.invoicing.corrections.correcting import (
    AFTER,
    ANNULATION,
    DAY,
    REDUCTION,
    again,
    annul,
    close,
    counters,
    euros,
    line_of,
    off,
    reduce,
    said,
)
from tests.invoicing.world import a_world

pytestmark = pytest.mark.django_db


# --- Annulation --------------------------------------------------------------------------------


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


# --- Réduction ---------------------------------------------------------------------------------


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


# --- Refusals ----------------------------------------------------------------------------------


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


def test_no_correction_is_back_dated_into_an_exercice_that_is_over(world, titre, monkeypatch):
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: AFTER)
    world.compute()
    for refused in (annul, again):
        with pytest.raises(MandatNeeded) as error:
            refused(world, titre, on=DAY)
        assert said(error).startswith("Le 02/03/2026, l'exercice 2025")
    assert due(titre) == 90

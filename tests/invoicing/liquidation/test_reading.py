"""What an état liquidatif asks for: frozen facts, each piece once, sums that part and join."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoicing.liquidation.reading import Imputation, read_etat, sums_of
from invoicing.liquidation.rules import against, to_know
from invoicing.liquidation.sending import EtatRefused, prepare, produce
from invoicing.models import Channel, Titre
from members.models import Issuer, Member
from tests.invoicing.campaigns import annul, campaign_of, day, issued, reduce
from tests.invoicing.world import ISSUED_ON, a_world

pytestmark = pytest.mark.django_db


def test_each_debtor_has_what_is_asked_and_its_bases(campaign, titres):
    etat = read_etat(campaign, rank=1, on=day(1))
    piece = etat.pieces[2]
    titre = Titre.objects.get(reference=piece.reference)
    assert (piece.debtor, piece.siret, piece.total) == (titre.debtor_name, titre.siret, titre.total)
    assert [line.amount for line in piece.bases] == [45] * int(piece.total / 45)
    assert all(line.uai and line.explanation for line in piece.bases)
    assert str(piece.imputation) == ("Programme PRG · Compte 7000 · Centre de coûts CC1 · Exercice 2025")
    assert piece.foundations
    assert not against(etat)


def test_what_changes_after_the_issue_changes_no_etat(campaign, state):
    before = read_etat(campaign, rank=1, on=day(1))
    Member.objects.update(name="Autre nom", address="Ailleurs", engagement_number="E9")
    Issuer.objects.update(name="Autre émetteur", cost_centre="AUTRE")
    state.schedule.programme = "AUTRE"
    state.schedule.save()
    assert read_etat(campaign, rank=1, on=day(1)) == before


def test_corrections_are_asked_for_beside_their_titre(campaign, state, titres):
    reduce(state, titres[2], "35.00", ISSUED_ON)
    annul(state, titres[0], ISSUED_ON)
    etat = read_etat(campaign, rank=1, on=day(1))
    sums = sums_of(etat.asked)
    assert (sums.titres, sums.called, sums.corrections, sums.corrected) == (3, 270, 2, 80)
    assert sums.net == 190
    assert {(p.kind_label, p.original) for p in etat.pieces if not p.is_titre} == {
        ("Réduction", titres[2].reference),
        ("Annulation", titres[0].reference),
    }


def test_the_next_etat_asks_for_what_is_new_alone(campaign, state, titres, quick):
    produce(campaign=campaign, rank=1, actor="fin")
    nothing = prepare(campaign).etat
    assert (nothing.asked, len(nothing.recalled)) == ([], 3)
    assert "ne demande rien de plus" in " ".join(to_know(nothing))
    correction = reduce(state, titres[2], "35.00", ISSUED_ON)
    sending = produce(campaign=campaign, rank=2, actor="fin")
    assert sending.attachments == [correction.reference]
    assert {piece.asked_by for piece in prepare(campaign).etat.pieces} == {1, 2}


def test_a_debtor_asked_for_once_is_never_asked_for_again(campaign, state, titres, quick):
    asked = []
    for rank in (1, 2, 3):
        asked += produce(campaign=campaign, rank=rank, actor="fin").attachments
        if rank < 3:
            annul(state, titres[rank], ISSUED_ON)
    assert sorted(asked) == sorted(Titre.objects.values_list("reference", flat=True))


def test_no_titre_no_etat(state):
    campaign = state.compute().campaign
    with pytest.raises(EtatRefused, match="aucun titre n'est encore émis"):
        prepare(campaign)


def test_another_channel_has_no_etat(campaign):
    Channel.objects.update(kind="pdf")
    with pytest.raises(EtatRefused, match="Canaux d'envoi"):
        prepare(campaign)


def test_what_the_chain_of_the_state_imputes_by_must_be_there(db, quick):
    """Titres of a local body, whose issuer chose the channel of the State since."""
    world = a_world(members=7, regime=Issuer.Regime.LOCAL)
    campaign = campaign_of(issued(world)[0])
    Channel.objects.create(issuer=world.issuer, kind=Channel.Kind.STATE)
    findings = prepare(campaign).findings
    assert [finding.split("»")[0] for finding in findings] == [
        "Il manque « programme ou fonds de concours ",
        "Il manque « compte ",
        "Il manque « centre de coûts ",
    ]
    assert findings[0].endswith("LOC-2025-000005 et 2 de plus : annulez et ré-émettez.")
    with pytest.raises(EtatRefused, match="aucun état produit") as refused:
        produce(campaign=campaign, rank=1, actor="fin")
    assert refused.value.findings == findings


def test_amounts_that_are_not_those_of_their_bases_are_refused(campaign):
    etat = read_etat(campaign, rank=1, on=day(1))
    first, *others = etat.pieces
    wrong = replace(etat, pieces=(replace(first, total=first.total + 1), *others))
    [finding] = against(wrong)
    assert "bases de liquidation" in finding
    assert first.reference in finding


def test_what_the_reader_should_know_is_told_and_stops_nothing(campaign):
    etat = read_etat(campaign, rank=1, on=day(1))
    assert to_know(etat) == []
    first, *others = etat.pieces
    odd = replace(
        first,
        siret="12345678901234",
        own_number=True,
        specimen=True,
        signatory=replace(first.signatory, last_name="Autre"),
    )
    told = to_know(replace(etat, pieces=(odd, *others)))
    assert len(told) == 4
    for words in ("SPÉCIMEN", "externe", "SIRET faux", "2 ordonnateurs"):
        assert words in " ".join(told).replace("\xa0", " ")


amounts = st.decimals(Decimal("0.01"), Decimal("99999.99"), places=2)
some_pieces = st.lists(
    st.tuples(amounts, st.sampled_from(["titre", "annulation", "reduction"]), st.integers(1, 3),
              st.sampled_from(["A", "B"])), max_size=12,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_pieces)
def test_imputations_part_what_is_asked_and_etats_part_the_campaign(campaign, drawn):
    etat = read_etat(campaign, rank=3, on=day(1))
    model = etat.pieces[0]
    pieces = tuple(
        replace(model, total=total, kind=kind, asked_by=rank, imputation=Imputation(2025, (), centre))
        for total, kind, rank, centre in drawn
    )
    etat = replace(etat, pieces=pieces)
    for name in ("titres", "called", "corrections", "corrected", "net"):
        whole, asked, before = (
            getattr(sums_of(rows), name) for rows in (etat.pieces, etat.asked, etat.recalled)
        )
        assert asked + before == whole
        assert sum(getattr(sums, name) for _, sums in etat.by_imputation()) == asked

"""Every legal mention: the titre that lacks one is not issued, and the field to fill is named."""

import pytest

from entsvc.models import DatedText
from invoicing import mentions
from invoicing.models import Titre
from invoicing.numbering import IssueRefused
from members.models import Accountant, Issuer, Member
from tests.factories import DatedTextFactory, MemberFactory
from tests.invoicing.world import ISSUED_ON, a_world

STATE, LOCAL = Issuer.Regime.STATE, Issuer.Regime.LOCAL

# What to empty, and the words that name it.
EVERYWHERE = [
    ("issuer", ("name",), "Émetteur : dénomination"),
    ("issuer", ("siret",), "Émetteur : SIRET"),
    ("issuer", ("address",), "Émetteur : adresse"),
    ("issuer", ("postal_code",), "Émetteur : code postal"),
    ("issuer", ("city",), "Émetteur : ville"),
    ("issuer", ("contact",), "Émetteur : service à contacter"),
    ("issuer", ("tribunal",), "Émetteur : tribunal administratif"),
    ("schedule", ("vat",), "Barème : mention de TVA"),
    ("schedule", ("subject",), "Barème : objet des titres"),
    ("accountant", ("name",), "Comptable assignataire : dénomination"),
    ("accountant", ("address",), "Comptable assignataire : adresse"),
    ("accountant", ("postal_code",), "Comptable assignataire : code postal"),
    ("accountant", ("city",), "Comptable assignataire : ville"),
    ("accountant", ("iban",), "Comptable assignataire : IBAN"),
    ("accountant", ("bic",), "Comptable assignataire : BIC"),
    ("accountant", ("phone", "email"), "Comptable assignataire : téléphone ou courriel"),
    ("signatory", ("first_name",), "Signataire : prénom"),
    ("signatory", ("last_name",), "Signataire : nom"),
    ("signatory", ("quality",), "Signataire : qualité"),
]
OF_THE_STATE = [
    ("issuer", ("ministry",), "Émetteur : ministère"),
    ("issuer", ("service",), "Émetteur : service ordonnateur"),
    ("issuer", ("cost_centre",), "Émetteur : code gestionnaire ou centre de coûts"),
    ("schedule", ("programme",), "Barème : programme ou fonds de concours"),
    ("schedule", ("account",), "Barème : compte"),
]
LOCAL_ONES = [
    ("issuer", ("budget_label",), "Émetteur : libellé du budget"),
    ("accountant", ("codique",), "Comptable assignataire : codique"),
    ("accountant", ("hours",), "Comptable assignataire : horaires"),
    ("accountant", ("payment_url",), "Comptable assignataire : paiement en ligne"),
    ("schedule", ("account",), "Barème : nature"),
    ("schedule", ("function_code",), "Barème : fonction"),
    ("schedule", ("local_product",), "Barème : code produit local"),
]
MENTIONS = [
    pytest.param(regime, *case, id=f"{regime.value}-{case[0]}-{'-'.join(case[1])}")
    for regime, own in ((STATE, OF_THE_STATE), (LOCAL, LOCAL_ONES))
    for case in EVERYWHERE + own
]


def refusal(world):
    """The message of the refusal, once sure that nothing was issued."""
    with pytest.raises(IssueRefused) as refused:
        world.issue()
    assert not Titre.objects.exists()
    [message] = refused.value.messages
    return message


def empty(row, names):
    """Empty columns as an import or a raw update could: forms would refuse it."""
    for name in names:
        setattr(row, name, "")
    type(row).objects.filter(pk=row.pk).update(**dict.fromkeys(names, ""))


@pytest.mark.parametrize("regime", [STATE, LOCAL])
def test_with_all_its_mentions_a_titre_is_issued(db, regime):
    assert len(a_world(members=1, regime=regime).issue().titres) == 1


@pytest.mark.parametrize(("regime", "holder", "names", "label"), MENTIONS)
def test_a_missing_mention_blocks_and_names_the_field(db, regime, holder, names, label):
    world = a_world(members=1, regime=regime)
    empty(getattr(world, holder), names)
    assert refusal(world) == f"Mentions obligatoires à compléter : {label}."


@pytest.mark.parametrize("regime", [STATE, LOCAL])
@pytest.mark.parametrize("code", ["force-executoire", "paiement", "recours", "delai"])
def test_a_missing_legal_text_blocks_and_is_named(db, regime, code):
    world = a_world(members=1, regime=regime)
    DatedText.objects.filter(scope=regime, code=code).delete()
    assert refusal(world) == f"Mentions obligatoires à compléter : Textes légaux : {code}."


def test_a_text_of_the_other_regime_does_not_stand_in(db):
    world = a_world(members=1, regime=STATE)
    DatedText.objects.filter(code="recours").update(scope=LOCAL)
    assert "Textes légaux : recours" in refusal(world)


def test_a_text_in_force_later_does_not_count_yet(world):
    DatedText.objects.filter(code="delai").update(valid_from="2025-03-04")
    assert "Textes légaux : delai" in refusal(world)


def test_a_text_of_the_issuer_wins_over_that_of_its_regime(world):
    DatedTextFactory(scope=world.issuer.code, code="delai", body="sous huit jours")
    assert world.issue().titres[0].payload["document"]["due_text"] == "sous huit jours"


def test_all_that_is_missing_is_said_at_once(world):
    empty(world.issuer, ["ministry", "siret"])
    empty(world.signatory, ["quality"])
    message = refusal(world)
    for label in ("Émetteur : ministère", "Émetteur : SIRET", "Signataire : qualité"):
        assert f" {label}" in message


def test_without_an_accountant_in_office_nothing_is_issued(world):
    Accountant.objects.filter(pk=world.accountant.pk).update(valid_to="2025-03-02")
    message = refusal(world)
    assert message.startswith(f"Aucun comptable assignataire de {world.issuer.code}")


def test_the_list_of_the_tests_is_that_of_the_rule():
    """A mention added to the rule must be added to these tests."""
    named = {label for _, _, label in EVERYWHERE}
    # The act that adopts the tariff is always there: a run without adoption does not exist.
    assert set(mentions.ISSUER.values()) == named | {"Convention et acte qui fondent la créance"}
    for regime, own in ((STATE, OF_THE_STATE), (LOCAL, LOCAL_ONES)):
        assert set(mentions.BY_REGIME[regime].values()) == {label for _, _, label in own}


def test_a_claim_without_foundation_lacks_a_mention():
    absent = mentions.missing_for_issuer({"foundations": []}, STATE, {})
    assert "Convention et acte qui fondent la créance" in absent


# --- The debtor -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ("name", "Débiteur : nom"),
        ("address", "Débiteur : adresse"),
        ("postal_code", "Débiteur : code postal"),
        ("city", "Débiteur : ville"),
    ],
)
def test_a_missing_mention_of_a_debtor_blocks_that_debtor_alone(world, column, label):
    lame, *others = world.members
    empty(lame, [column])
    issued = world.issue()
    assert [titre.siret for titre in issued.titres] == [member.siret for member in others]
    [blocked] = issued.blocked
    assert (blocked.siret, blocked.messages) == (lame.siret, [f"À compléter – {label}."])


def test_a_debtor_without_siret_lacks_a_mention():
    assert mentions.missing_for_debtor(MemberFactory.build(siret="")) == ["Débiteur : SIRET"]


@pytest.mark.parametrize(
    ("required", "column", "label"),
    [
        ("service_code_required", "service_code", "Débiteur : code service (exigé)"),
        ("engagement_required", "engagement_number", "Débiteur : numéro d'engagement (exigé)"),
    ],
)
def test_a_code_that_the_debtor_requires_is_a_mention(world, required, column, label):
    demanding = world.members[0]
    Member.objects.filter(pk=demanding.pk).update(**{required: True})
    [blocked] = world.issue().blocked
    assert (blocked.siret, blocked.messages) == (demanding.siret, [f"À compléter – {label}."])
    Member.objects.filter(pk=demanding.pk).update(**{column: "SERVICE-7"})
    [titre] = world.issue(on=ISSUED_ON).titres
    assert titre.payload["debtor"][column] == "SERVICE-7"


@pytest.mark.parametrize(
    ("row", "facts", "field"),
    [
        ("issuer", {"siret": "00000000000000"}, "Émetteur : SIRET"),
        ("issuer", {"contact": "Bureau (à compléter)"}, "Émetteur : service à contacter"),
        ("accountant", {"iban": "FR7600000000000000000000000"}, "Comptable assignataire : IBAN"),
    ],
)
def test_what_the_project_ships_to_be_replaced_blocks_but_on_a_specimen(db, row, facts, field):
    world = a_world(members=1)
    target = getattr(world, row)
    for name, value in facts.items():
        setattr(target, name, value)
    target.save()
    with pytest.raises(IssueRefused, match=field):
        world.issue()
    world.signatory.is_fictitious = True
    world.signatory.save()
    [titre] = world.issue().titres
    assert titre.payload["document"]["specimen"]

"""Texts come in versions: the right one is found, an unknown placeholder or a lost change is refused."""

import pytest
from django.core.exceptions import ValidationError

from conventions.models import PaperKind, PaperText
from conventions.papers import losses, placeholders, texts
from conventions.papers.blocks import BLOCKS
from conventions.papers.texts import LossesToAccept, NoText, TextRefused, save_version, text_for
from entsvc.models import JournalEntry
from tests.factories import ConventionFactory, IssuerFactory, PaperTextFactory

POLICY = "partenariat-occitanie-2024"


def write(body="Un texte.", **facts):
    return save_version(
        **{"kind": "convention", "title": "Convention", "body": body, "actor": "a", **facts}
    )


def refused(body):
    with pytest.raises(ValidationError) as error:
        placeholders.check(body)
    return " ".join(error.value.messages)


def test_every_placeholder_is_named_once_explained_and_blocks_are_drawn():
    names = [one.name for family in placeholders.FAMILIES for one in family.placeholders]
    assert len(names) == len(set(names))
    assert all(one.meaning and one.example for one in placeholders.PLACEHOLDERS.values())
    assert set(BLOCKS) == {name for name, one in placeholders.PLACEHOLDERS.items() if one.block}


def test_an_unknown_placeholder_is_refused_with_the_nearest_one_and_the_list():
    message = refused("Entre {membr} et {nimporte quoi}.")
    assert "{membr} : vouliez-vous {membre} ?" in message
    assert "{nimporte quoi}" in message
    assert "annee_scolaire" in message


def test_code_and_lone_braces_are_refused():
    for body in ("{{ membre }}", "{% if x %}", "{# x #}", "{{membre}}"):
        assert "code" in refused(body), body
    for body in ("{membre", "membre}", "{mem\nbre}", "{}"):
        refused(body)
    placeholders.check("Entre {emetteur} et {membre}.\n\n{signatures}\n")


def test_a_block_stands_alone_on_its_line_and_never_in_a_title():
    assert "seul sur sa ligne" in refused("Signé : {signatures}")
    with pytest.raises(ValidationError):
        placeholders.check_title("Convention {signatures}")
    with pytest.raises(ValidationError):
        placeholders.check_title("")


@pytest.mark.django_db
def test_the_text_of_the_issuer_and_kind_of_agreement_wins_then_the_kind_then_the_issuer():
    issuer, other = IssuerFactory(), IssuerFactory(code="AUT")
    convention = ConventionFactory(schedule__issuer=issuer, policy=POLICY)
    with pytest.raises(NoText, match="Textes des documents"):
        text_for(convention, "convention")
    expected = []
    for scope in ({}, {"issuer": issuer}, {"policy": POLICY}, {"issuer": issuer, "policy": POLICY}):
        write(body="ailleurs", kind="avenant", **scope)
        expected.append(write(**scope))
        assert text_for(convention, "convention") == expected[-1]
        assert text_for(POLICY, "convention", issuer) == expected[-1]
    assert text_for(POLICY, "convention", other) == expected[2]
    assert text_for("charte-somme-2014", "convention", issuer) == expected[1]
    assert text_for("charte-somme-2014", "convention", other) == expected[0]


@pytest.mark.django_db
def test_a_new_version_follows_the_last_and_is_the_one_in_use():
    first = write()
    second = write(body="Un autre.", note="plus court", after=1)
    assert (first.version, second.version) == (1, 2)
    assert text_for(POLICY, "convention") == second
    assert texts.previous(second) == first
    assert texts.in_use() == [second.pk]
    assert JournalEntry.objects.filter(action="texte-de-document").count() == 2


@pytest.mark.django_db
def test_the_same_text_again_is_refused_whatever_its_line_ends():
    write(body="Un\n\ntexte.\n")
    with pytest.raises(TextRefused, match="le même"):
        write(body="  Un \r\n\r\ntexte.  ")


@pytest.mark.django_db
def test_a_change_written_over_an_older_version_is_refused_with_the_name_of_the_other():
    write(actor="alix")
    with pytest.raises(TextRefused, match="alix"):
        write(body="Un autre.", after=0)
    assert PaperText.objects.count() == 1


@pytest.mark.django_db
def test_two_who_write_at_once_do_not_overwrite_each_other(monkeypatch):
    latest = write()
    PaperTextFactory(version=2, created_by="alix")
    answers = [latest]
    known = texts.latest_of
    monkeypatch.setattr(texts, "latest_of", lambda *scope: answers.pop() if answers else known(*scope))
    with pytest.raises(TextRefused, match="alix"):
        write(body="Un autre.", after=1)
    assert PaperText.objects.count() == 2


@pytest.mark.parametrize(
    ("kind", "before", "after", "lost"),
    [
        ("convention", "{calcul}", "rien", ["montant"]),
        ("convention", "{calcul}", "{total}", []),
        ("convention", "{tableau_tarif}", "{prix_unitaire}", []),
        ("convention", "rien", "rien", []),
        ("convention", "{signatures}\n\n{tableau_ecoles}", "{duree}", ["ecoles", "signatures"]),
        ("convention", "{date_fin}", "{annees}", ["duree"]),
        ("convention", "{payeur}", "{payeur_le}", []),
        ("certificat", "{total}", "rien", []),
        ("avenant", "{tableau_ecoles_retirees}", "{ecoles_ajoutees}", ["retirees"]),
        ("annexe", "{tableau_ecoles}", "{ecoles_nombre}", ["ecoles"]),
        ("deliberation", "{tableau_votes}", "rien", ["votes"]),
        ("notification", "{membre_de}", "{reference}", ["membre"]),
    ],
)
def test_a_text_loses_what_no_placeholder_carries_any_more(kind, before, after, lost):
    assert [loss.code for loss in losses.losses(kind, before, after)] == lost


def test_what_a_text_should_keep_is_declared_of_every_paper_with_known_placeholders():
    assert set(losses.TO_KEEP) == set(PaperKind)
    carriers = {name for facts in losses.TO_KEEP.values() for fact in facts for name in fact.carriers}
    assert carriers <= set(placeholders.PLACEHOLDERS)


@pytest.mark.django_db
def test_a_version_that_loses_a_fact_is_refused_until_the_loss_is_accepted():
    write(body="Il paie {total}.\n\n{signatures}\n")
    with pytest.raises(LossesToAccept, match="le montant de l'année – {total}") as refusal:
        write(body="Il paie.\n", accepted=["montant"])
    assert [loss.code for loss in refusal.value.losses] == ["montant", "signatures"]
    assert write(body="Il paie.\n", accepted=["montant", "signatures"]).version == 2
    assert write(body="Il paie toujours.\n").version == 3


@pytest.mark.django_db
def test_the_first_text_of_an_issuer_is_compared_with_the_one_for_all():
    write(body="{signatures}\n", policy=POLICY)
    with pytest.raises(LossesToAccept):
        write(policy=POLICY, issuer=IssuerFactory())
    write(policy="charte-somme-2014", issuer=IssuerFactory())


@pytest.mark.django_db
def test_an_unknown_placeholder_keeps_nothing():
    with pytest.raises(ValidationError):
        write(body="{inconnu}")
    assert not PaperText.objects.exists()


@pytest.mark.django_db
def test_the_first_text_of_an_issuer_replaced_the_one_of_everyone():
    shared = write(body="Pour tous.")
    own = write(body="Le nôtre.", issuer=IssuerFactory())
    write(body="Pour tous, plus tard.", after=1)
    assert texts.previous(own) == shared
    assert texts.previous(shared) is None

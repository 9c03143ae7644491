"""Texts come in versions: the right one is found, an unknown placeholder or a lost change is refused."""

import pytest
from django.core.exceptions import ValidationError

from conventions.models import PaperText
from conventions.papers import placeholders, texts
from conventions.papers.blocks import BLOCKS
from conventions.papers.texts import NoText, TextRefused, save_version, text_for
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


@pytest.mark.django_db
def test_an_unknown_placeholder_keeps_nothing():
    with pytest.raises(ValidationError):
        write(body="{inconnu}")
    assert not PaperText.objects.exists()

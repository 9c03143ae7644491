"""Mails about agreements are dressed as the others, and say whom to write to: replies are not read."""

from html import unescape

import pytest
from django.template.loader import get_template

from tests.conventions.amending import IN_TIME, an_agreement, in_state

MAILS = ("a_signer", "amendment_accepted", "amendment_sent_back", "amendment_without_effect")
pytestmark = pytest.mark.django_db


def context(convention, amendment):
    issuer = convention.schedule.issuer
    return {
        "site_url": "https://entsvc.example",
        "subject": "Essai",
        "amendment": amendment,
        "convention": convention,
        "holder": convention,
        "party": str(convention.party),
        "issuer": issuer,
        "year": "2020-2021",
        "closes": IN_TIME,
        "opens_day": "1er septembre",
        "closes_day": "15 octobre",
        "comment": "Un mot",
        "schools": [],
        "estimate": {"adopted": False},
        "added": [],
        "removed": [],
        "link": "https://entsvc.example/espace/",
    }


@pytest.mark.parametrize("name", MAILS)
@pytest.mark.parametrize("email", ["ent@academie.example", ""])
def test_each_is_dressed_as_the_others_and_says_whom_to_write_to(name, email):
    convention = an_agreement()
    schools = [row.school for row in convention.enrolments.order_by("pk")]
    amendment = in_state(convention, "accepte", schools)
    issuer = convention.schedule.issuer
    issuer.email = email
    whom = email or issuer.contact
    for suffix in ("html", "txt"):
        words = context(convention, amendment) | {"issuer": issuer}
        text = get_template(f"mail/{name}.{suffix}").render(words)
        text = unescape(text).replace("\u00a0", " ").replace("’", "'")
        assert f"Ne répondez pas à cette adresse : écrivez à {whom}." in text
        assert "répondez-nous" not in text
        assert "Personne ne lit" not in text
        if suffix == "html":
            assert "Espace des collectivités" in text
            assert text.lower().count("<!doctype html>") == 1


def test_the_conditions_too():
    words = {
        "issuer": "Syndicat d'essai",
        "contact": "ent@syndicat.example",
        "version": "juin 2023",
        "act": "Délibération",
        "reference": "NPDC-1",
        "accepted": "",
        "notified_on": "3 mars 2025",
        "link": "https://entsvc.example/espace/",
        "site_url": "https://entsvc.example",
        "subject": "Essai",
    }
    for suffix in ("html", "txt"):
        text = get_template(f"mail/conditions.{suffix}").render(words).replace("\u00a0", " ")
        assert "écrivez à ent@syndicat.example." in text

"""The commands of what follows an issue: the accountant's numbers, the journal of titres."""

import json

import pytest
from django.core.management import CommandError, call_command

from entsvc.models import JournalEntry
from invoicing.models import Titre

pytestmark = pytest.mark.django_db


def test_numbers_are_imported_by_a_command(world, tmp_path, capsys):
    titre = world.issue().titres[0]
    path = tmp_path / "numeros.csv"
    path.write_text(f"reference;numero\n{titre.reference};778\n", encoding="utf-8")
    call_command("import_numbers", path, json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["updated"], report["refused"]) == (1, [])
    assert Titre.objects.get(pk=titre.pk).external_reference == "778"


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_the_journal_is_written_by_a_command_and_written_down(world, tmp_path, kind):
    world.issue()
    target = tmp_path / f"journal.{kind}"
    call_command("export_journal", target, issuer=world.issuer.code, exercice=2025)
    assert target.stat().st_size > 100
    assert JournalEntry.objects.get(action="export").summary.endswith(target.name)


@pytest.mark.parametrize(
    ("issuer", "name", "message"),
    [
        ("NUL", "a.csv", "Aucun émetteur NUL"),
        ("", "a.pdf", "en .xlsx ou en .csv"),
        ("", "absent/a.csv", "ne peut pas être écrit"),
    ],
)
def test_a_journal_that_cannot_be_written_says_why(world, tmp_path, issuer, name, message):
    code = issuer or world.issuer.code
    with pytest.raises(CommandError, match=message):
        call_command("export_journal", tmp_path / name, issuer=code, exercice=2025)

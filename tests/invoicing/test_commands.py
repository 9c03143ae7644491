"""The contract of the command line: JSON to the letter, exit codes, words apart."""

import hashlib
import json
import re

import pytest
from django.core.management import CommandError, call_command
from openpyxl import load_workbook

from conventions.models import Convention
from entsvc.models import JournalEntry
from invoicing.models import Run, Titre
from invoicing.rendering import without_document
from members.models import Member, School, Signatory
from tests.factories import ConventionFactory, EnrolmentFactory
from tests.invoicing.called import call, call_json, failure
from tests.invoicing.world import ISSUED_ON, a_world

MONEY = r"\d+\.\d\d"
DEMO = ("--schedule", "OCC-ENT-ECOLE", "--school-year", "2024-2025")


# --- compute_calls ----------------------------------------------------------------------------


def computed(world, *more):
    arguments = ("--schedule", world.schedule.code, "--school-year", "2024-2025")
    return call_json("compute_calls", *arguments, *more)


def test_compute_calls_writes_the_document_of_the_contract(world):
    document = computed(world)
    assert list(document) == ["schedule", "school_year", "run", "total", "calls", "errors"]
    assert document["schedule"] == world.schedule.code
    assert document["school_year"] == "2024-2025"
    assert document["run"] == Run.objects.get().pk
    assert document["total"] == "270.00"
    assert document["errors"] == []
    assert [entry["siret"] for entry in document["calls"]] == [m.siret for m in world.members]
    school = Convention.objects.get(debtor=world.members[0]).enrolments.get().school
    assert document["calls"][0] == {
        "siret": world.members[0].siret,
        "name": world.members[0].name,
        "total": "45.00",
        "lines": [
            {
                "charge": "ECOLE",
                "uai": school.uai,
                "quantity": 1,
                "unit_price": "45.00",
                "amount": "45.00",
                "explanation": "1\u00a0école × 45,00\u00a0€ = 45,00\u00a0€",
            }
        ],
        "errors": [],
    }


def test_money_is_written_with_two_decimals(world):
    document = computed(world)
    amounts = [document["total"]]
    for entry in document["calls"]:
        amounts += [entry["total"], *(line["amount"] for line in entry["lines"])]
    assert len(amounts) == 10
    assert all(re.fullmatch(MONEY, amount) for amount in amounts)


def test_the_siret_of_a_call_is_that_of_the_debtor(world):
    payer = world.members[0]
    grouping = ConventionFactory(schedule=world.schedule, debtor=payer)
    EnrolmentFactory(convention=grouping)
    sirets = [entry["siret"] for entry in computed(world)["calls"]]
    assert payer.siret in sirets
    assert grouping.party.siret not in sirets


def test_there_is_one_error_per_school_concerned(world):
    lame = world.members[1]
    schools = School.objects.filter(
        pk__in=Convention.objects.get(debtor=lame).enrolments.order_by("pk").values("school")
    )
    schools.update(degree="")
    entry = next(e for e in computed(world)["calls"] if e["siret"] == lame.siret)
    assert [list(error) for error in entry["errors"]] == [["code", "uai", "message", "blocking"]] * 2
    assert {error["uai"] for error in entry["errors"]} == {
        school.uai for school in schools.order_by("uai")
    }
    assert {(error["code"], error["blocking"]) for error in entry["errors"]} == {
        ("school_unknown", True)
    }


def test_a_year_without_agreement_is_an_error_of_the_whole_run(world):
    Convention.objects.update(status=Convention.Status.DRAFT)
    document = computed(world)
    assert (document["calls"], document["total"]) == ([], "0.00")
    [error] = document["errors"]
    assert error["code"] == "no_agreement"


def test_words_say_what_was_computed(world):
    output, errors = call(
        "compute_calls", "--schedule", world.schedule.code, "--school-year", "2024-2025"
    )
    assert "3\u00a0appels, total 270,00\u00a0€, 0\u00a0membre bloqué." in output
    assert errors == ""


def test_a_year_not_adopted_applies_nothing(world):
    document, words = failure(
        "compute_calls", "--schedule", world.schedule.code, "--school-year", "2025-2026"
    )
    assert (document["run"], document["total"], document["calls"]) == (None, None, [])
    assert document["school_year"] == "2025-2026"
    [error] = document["errors"]
    assert (error["code"], error["blocking"], error["message"]) == ("not_adopted", True, words)
    assert "n'est adopté pour 2025-2026" in words
    assert not Run.objects.exists()


def test_an_unknown_schedule_applies_nothing_and_names_the_known_ones(world):
    document, words = failure("compute_calls", "--schedule", "INCONNU", "--school-year", "2024-2025")
    assert document["schedule"] == "INCONNU"
    assert document["errors"][0]["code"] == "unknown_schedule"
    assert words == f"Barème inconnu : INCONNU. Barèmes : {world.schedule.code}."


# --- issue_titres -----------------------------------------------------------------------------


def issuing(world, run=None):
    run = run or world.compute()
    return ("issue_titres", "--run", run.pk, "--date", ISSUED_ON, "--signatory", world.signatory.pk)


def test_issue_titres_writes_the_document_of_the_contract(world, blank_pdf, media):
    Member.objects.filter(pk=world.members[1].pk).update(address="")
    document = call_json(*issuing(world))
    assert list(document) == ["bordereau", "exercice", "titres", "blocked", "warnings"]
    assert (document["bordereau"], document["exercice"]) == (1, 2025)
    assert [(t["number"], t["siret"], t["total"]) for t in document["titres"]] == [
        (1, world.members[0].siret, "45.00"),
        (2, world.members[2].siret, "135.00"),
    ]
    for titre in document["titres"]:
        assert list(titre) == ["number", "reference", "siret", "total", "pdf", "sha256"]
        content = (media / titre["pdf"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == titre["sha256"]
    assert document["blocked"] == [
        {
            "siret": world.members[1].siret,
            "name": world.members[1].name,
            "messages": ["À compléter – Débiteur : adresse."],
        }
    ]


def test_a_second_call_issues_only_what_is_left(world, blank_pdf):
    run = world.compute()
    call_json(*issuing(world, run))
    again = call_json(*issuing(world, run))
    assert (again["bordereau"], again["exercice"], again["titres"]) == (None, 2025, [])
    assert Titre.objects.count() == 3


def test_a_call_draws_what_an_earlier_one_left_undrawn(world, blank_pdf):
    run = world.compute()
    world.issue(run)
    call_json(*issuing(world, run))
    assert not Titre.objects.filter(documents__isnull=True).exists()


def test_the_exercice_may_be_that_of_the_year_before(world, blank_pdf):
    run = world.compute()
    arguments = ("issue_titres", "--run", run.pk, "--date", "2025-01-15")
    document = call_json(*arguments, "--signatory", world.signatory.pk, "--exercice", 2024)
    assert document["exercice"] == 2024


def test_words_say_what_was_issued_and_who_is_blocked(world, blank_pdf):
    Member.objects.filter(pk=world.members[0].pk).update(address="")
    output, errors = call(*issuing(world))
    assert "bordereau 1 : 2\u00a0titres, 225,00\u00a0€." in output
    assert f"{world.members[0].name} bloqué : À compléter – Débiteur : adresse." in output
    assert errors == ""


@pytest.mark.parametrize(
    ("argument", "words"),
    [("--run", "Aucun calcul 987654."), ("--signatory", "Aucun signataire 987654.")],
)
def test_an_unknown_run_or_signatory_applies_nothing(world, argument, words):
    arguments = list(issuing(world))
    arguments[arguments.index(argument) + 1] = 987654
    document, said = failure(*arguments)
    assert said == words
    assert document == {
        "bordereau": None,
        "exercice": None,
        "titres": [],
        "blocked": [],
        "error": words,
    }
    assert not Titre.objects.exists()


def test_a_refused_issue_applies_nothing_and_says_why(world):
    Signatory.objects.update(quality="")
    document, words = failure(*issuing(world))
    assert words == "Mentions obligatoires à compléter : Signataire : qualité."
    assert document["error"] == words


# --- export_calls -----------------------------------------------------------------------------


def test_export_calls_writes_the_workbook_of_a_run(world, tmp_path):
    run, target = world.compute(), tmp_path / "appel.xlsx"
    output, _ = call("export_calls", "--run", run.pk, target)
    assert output == f"{target} écrit.\n"
    assert load_workbook(target).sheetnames[0] == "Synthèse"
    assert JournalEntry.objects.get(action="export").target == f"invoicing.run:{run.pk}"


def test_exporting_an_unknown_run_writes_nothing(db, tmp_path):
    with pytest.raises(CommandError, match="Aucun calcul 987654"):
        call("export_calls", "--run", 987654, tmp_path / "appel.xlsx")
    assert not (tmp_path / "appel.xlsx").exists()


def test_a_file_that_cannot_be_written_is_named(world, tmp_path):
    target = tmp_path / "absent" / "appel.xlsx"
    with pytest.raises(CommandError, match="appel.xlsx ne peut pas être écrit"):
        call("export_calls", "--run", world.compute().pk, target)
    assert not JournalEntry.objects.filter(action="export").exists()


# --- Real processes ---------------------------------------------------------------------------


def test_exit_codes_and_outputs_of_real_processes(scratch, tmp_path):
    scratch.forked = False
    done = scratch.manage("compute_calls", *DEMO, "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert (document["total"], len(document["calls"])) == ("2970.00", 25)
    assert "25\u00a0appels, total 2\u202f970,00\u00a0€" in done.stderr

    not_adopted = ("--schedule", "OCC-ENT-ECOLE", "--school-year", "2022-2023")
    refused = scratch.manage("compute_calls", *not_adopted, "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["errors"][0]["code"] == "not_adopted"
    assert "Traceback" not in refused.stderr
    assert "n'est adopté pour 2022-2023" in refused.stderr

    workbook = tmp_path / "appel.xlsx"
    exported = scratch.manage("export_calls", "--run", document["run"], workbook)
    assert exported.returncode == 0
    assert load_workbook(workbook).sheetnames[0] == "Synthèse"


@pytest.mark.parametrize(
    "arguments",
    [
        ("compute_calls", "--schedule", "OCC-ENT-ECOLE"),
        ("compute_calls", "--schedule", "OCC-ENT-ECOLE", "--school-year", "2024"),
        ("compute_calls", "--schedule", "OCC-ENT-ECOLE", "--school-year", "2024-2026", "--json"),
        ("issue_titres", "--run", "1", "--date", "03/03/2025", "--signatory", "1", "--json"),
        ("issue_titres", "--run", "un", "--date", "2025-03-03", "--signatory", "1"),
        ("export_calls", "--run", "1"),
        ("load_regimes", "--inconnu"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_end_with_exit_code_2(scratch_commands, arguments):
    done = scratch_commands.manage(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def scratch_commands(demonstration):
    """The demonstration itself, for commands that stop before they write anything."""
    return demonstration


def test_an_issue_by_a_real_process(scratch):
    scratch.forked = False
    done = scratch.manage(*scratch.issue(3, "2021-03-01"), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [titre["number"] for titre in document["titres"]] == [1, 2, 3]
    for titre in document["titres"]:
        assert re.fullmatch(MONEY, titre["total"])
        content = (scratch.media / titre["pdf"]).read_bytes()
        assert content.startswith(b"%PDF-")
        assert hashlib.sha256(content).hexdigest() == titre["sha256"]
    assert "bordereau 1 : 3\u00a0titres" in done.stderr

    refused = scratch.manage(*scratch.issue(1, "2021-02-28"), "--json")
    assert refused.returncode == 1
    assert "va déjà jusqu'au 01/03/2021" in json.loads(refused.stdout)["error"]
    assert "Traceback" not in refused.stderr


def test_numbers_are_reported_even_when_no_document_can_be_stored(db, capsys, monkeypatch):
    """The titres exist: exit 0 and their numbers, a warning for each document to draw again."""
    world = a_world(members=2)

    def full_disk(*_, **__):
        raise OSError("disque plein")

    asked = ["--run", str(world.compute().pk), "--date", "2025-03-03"]
    with monkeypatch.context() as patch:
        patch.setattr("invoicing.keeping.documents.store", full_disk)
        call_command("issue_titres", *asked, "--signatory", str(world.signatory.pk), "--json")
    said = json.loads(capsys.readouterr().out)
    assert [(t["number"], t["pdf"]) for t in said["titres"]] == [(1, None), (2, None)]
    assert len([w for w in said["warnings"] if "disque plein" in w]) == 2

    call_command("issue_titres", *asked, "--signatory", str(world.signatory.pk), "--json")
    again = json.loads(capsys.readouterr().out)
    assert (again["bordereau"], again["titres"], again["warnings"]) == (None, [], [])
    assert not without_document(Titre.objects.all()).exists()

"""How commands speak: exit codes, one JSON document on standard output, words on standard error."""

import io
import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import CommandError, ManagementUtility, call_command

from entsvc.commands import ImportCommand
from entsvc.french import NO_BREAK
from entsvc.importing import Importer, Layout, Option
from members.models import Member
from tests.factories import valid_siret

HEADER = "siret;nom;type"
IMPORTS = ["import_annuaire", "import_members", "import_headcounts", "import_conventions"]


@pytest.fixture
def members_file(tmp_path):
    def write(*rows):
        path = tmp_path / "membres.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def called(path, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command("import_members", path, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db
def test_words_go_to_standard_output_without_json(members_file):
    out, err = called(members_file(f"{valid_siret(1)};Un;commune", "x;Deux;commune"))
    assert "ligne 3 refusée : siret « x »" in out
    assert not err


@pytest.mark.django_db
def test_the_plan_is_a_table_of_counts(members_file):
    path = members_file(f"{valid_siret(1)};Un;commune", "x;Deux;commune")
    done, tried = called(path)[0], called(path, dry_run=True)[0]
    assert done.splitlines()[:8] == [
        "Liste de membres – membres.csv",
        "  lignes lues    2",
        "  créées         1",
        "  modifiées      0",
        "  inchangées     0",
        "  hors périmètre 0",
        "  refusées       1",
        "  à vérifier     1",
    ]
    assert tried.splitlines()[0].endswith("(essai : rien n'est écrit)")
    assert tried.splitlines()[2:5] == ["  à créer        0", "  à modifier     0", "  inchangées     1"]


@pytest.mark.django_db
def test_words_go_to_standard_error_with_json(members_file):
    out, err = called(members_file(f"{valid_siret(1)};Un;commune"), json=True)
    assert json.loads(out)["created"] == 1
    assert "  créées         1" in err


@pytest.mark.django_db
def test_a_dry_run_says_so(members_file):
    out, _ = called(members_file(f"{valid_siret(1)};Un;commune"), dry_run=True)
    assert "rien n'est écrit" in out
    assert not Member.objects.exists()


@pytest.mark.django_db
def test_a_long_list_to_check_is_cut_for_people_and_whole_in_json(members_file):
    path = members_file(*(f"{valid_siret(n)};Commune {n};commune" for n in range(1, 31)))
    out, err = called(path, json=True)
    assert len(json.loads(out)["flagged"]) == 30
    assert err.count("à vérifier :") == 20
    assert f"10{NO_BREAK}autres à vérifier" in err


# The options of an importer.


def whole(text):
    if not text.isdigit():
        raise ValueError("Écrivez un nombre entier.")
    return int(text)


OPTIONAL = Importer(
    name="essai",
    title="Essai",
    layouts=(Layout("essai", ("siret",), lambda row, flag, options: row),),
    key=lambda row: row.line,
    key_column="siret",
    apply=lambda records, job: job.report.flag(None, "demandé", str(dict(job.options)), "Voilà."),
    permissions=(),
    options=(
        Option("limit", "--limit", "Au plus (lignes)", "Combien, à ±20 % près.", whole, default=7),
        Option("settings", "--strict", "Strict", "Refuse au moindre doute.", bool, default=False),
        Option("lax", "--no-lax", "Souple", "Refuse aussi.", bool, default=True),
    ),
)


class OptionalCommand(ImportCommand):
    importer = OPTIONAL


def optional(tmp_path, *arguments, **options):
    path = tmp_path / "essai.csv"
    path.write_text("siret\n1\n", encoding="utf-8")
    out = io.StringIO()
    call_command(OptionalCommand(), path, *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "options", "asked"),
    [
        ([], {}, {"limit": 7, "settings": False, "lax": True}),
        (["--limit", "12", "--strict"], {}, {"limit": 12, "settings": True, "lax": True}),
        (["--limit=", "--no-lax"], {}, {"limit": 7, "settings": False, "lax": False}),
        ([], {"limit": "12", "strict": True}, {"limit": 12, "settings": True, "lax": True}),
        ([], {"limit": 12}, {"limit": 12, "settings": False, "lax": True}),
    ],
)
def test_options_are_read_and_given_to_the_importer(tmp_path, arguments, options, asked):
    assert f"demandé « {asked} »" in optional(tmp_path, *arguments, **options)


@pytest.mark.django_db
def test_a_finding_about_no_line_says_so(tmp_path):
    assert "  ligne — à vérifier : demandé" in optional(tmp_path)


def test_a_wrong_option_is_told_in_french_and_is_a_wrong_argument(tmp_path):
    with pytest.raises(CommandError, match="--limit : Écrivez un nombre entier") as refusal:
        optional(tmp_path, "--limit", "beaucoup")
    assert refusal.value.returncode == 2


def test_the_help_shows_the_options_as_they_are_written(capsys):
    OptionalCommand().print_help("manage.py", "essai")
    said = capsys.readouterr().out
    assert "--limit AU_PLUS_LIGNES" in said
    assert "Combien, à ±20 % près." in said


@pytest.mark.parametrize("command", IMPORTS)
def test_every_import_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        ManagementUtility(["manage.py", command, "--help"]).execute()
    assert stop.value.code == 0
    assert "FICHIER" in capsys.readouterr().out


@pytest.mark.django_db
def test_accents_are_written_as_they_are(members_file):
    out, _ = called(members_file("x;Évry;région"), json=True)
    assert "région" in out


@pytest.mark.django_db
@pytest.mark.parametrize("command", IMPORTS)
@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\x00", b"autre;colonne\n1;2\n", b"PK\x03\x04abc", b'"jamais ferm']
)
def test_a_bad_file_applies_nothing_and_exits_with_1(tmp_path, command, content):
    path = tmp_path / "fichier.csv"
    path.write_bytes(content)
    out = io.StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command(command, path, json=True, stdout=out, stderr=io.StringIO())
    document = json.loads(out.getvalue())
    assert refusal.value.returncode == 1
    assert document["file"] == "fichier.csv"
    assert document["error"]
    assert (document["rows"], document["created"], document["refused"]) == (0, 0, [])


@pytest.mark.parametrize("command", IMPORTS)
@pytest.mark.parametrize("arguments", [[], ["a.csv", "b.csv"], ["a.csv", "--inconnu"]])
def test_wrong_arguments_exit_with_2(command, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        ManagementUtility(["manage.py", command, *arguments]).execute()
    assert stop.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import_members"], "il manque : FICHIER"),
        (["import_members", "a.csv", "--inconnu"], "arguments inconnus : --inconnu"),
        (["import_members", "a.csv", "--js", "--verbosity"], "attend une valeur"),
        (["import_members", "a.csv", "--verbosity", "9"], "n'est pas parmi 0, 1, 2, 3"),
        (["import_members", "a.csv", "--verbosity", "x"], "valeur incorrecte 'x'"),
        (["compute_calls", "--schedule", "X", "--school-year", "2024"], "--school-year : "),
        (["import_headcounts", "a.csv", "--school-year", "2024"], "--school-year : "),
    ],
)
def test_wrong_arguments_are_told_in_french(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        ManagementUtility(["manage.py", *arguments]).execute()
    assert stop.value.code == 2
    words = capsys.readouterr().err
    assert said in words
    assert "error" not in words
    assert "argument " not in words


def test_wrong_arguments_from_code_are_told_in_french_too():
    with pytest.raises(CommandError, match="il manque : FICHIER"):
        call_command("import_members")


@pytest.mark.parametrize(
    "arguments", [[], ["--schedule", "X"], ["--schedule", "X", "--school-year", "2024"]]
)
def test_wrong_arguments_of_a_calculation_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        ManagementUtility(["manage.py", "compute_calls", *arguments]).execute()
    assert stop.value.code == 2


def test_exit_codes_and_streams_of_a_real_process(blank, tmp_path, members_file):
    """As a script would run it, with little else in its environment than the database."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "DATABASE_URL": blank.url,
        "MEDIA_ROOT": str(blank.media),
        "PYTHONIOENCODING": "utf-8",
    }

    def manage(*arguments):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    path = members_file(f"{valid_siret(1)};Évry;commune", "x;Deux;commune")

    done = manage("import_members", str(path), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["created"], len(report["refused"])) == (1, 1)
    assert "ligne 3 refusée" in done.stderr

    again = manage("import_members", str(path), "--json")
    assert json.loads(again.stdout)["unchanged"] == 1

    absent = manage("import_members", str(tmp_path / "absent.csv"), "--json")
    assert absent.returncode == 1
    assert "introuvable" in json.loads(absent.stdout)["error"]
    assert "introuvable" in absent.stderr
    assert "Traceback" not in absent.stderr

    wrong = manage("import_members")
    assert (wrong.returncode, wrong.stdout) == (2, "")

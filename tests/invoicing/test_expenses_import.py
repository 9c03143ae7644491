"""Expenses come from a file: into the statement being prepared, once each, refused line by line."""

import datetime as dt
import json
from decimal import Decimal

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from entsvc.importing import run_import
from entsvc.models import ImportRecord
from entsvc.tabular import UnreadableFile
from invoicing.importers.expenses import IMPORTER, read_name
from invoicing.models import CostStatement, Expense
from invoicing.regimes import load_regimes
from invoicing.statements import close, give_visa, withdraw_visa
from tariffs.models import Schedule
from tests.factories import IssuerFactory
from tests.invoicing.test_admin import account

pytestmark = pytest.mark.django_db
D = Decimal
NAME = "SOMME-1D/COMMUN/2020-2021"
HEADER = "categorie;degre;fournisseur;objet;mandat;paye_le;periode_du;periode_au;montant"
PLATFORM = "plateforme;1D;Éditeur;Hébergement;2020-1184;11/12/2020;01/09/2020;31/08/2021;3 200,00"
ACCOUNTS = "Comptes des élèves;Premier degré;Éditeur;Comptes;2021-0207;2021-02-19;;;3800"


@pytest.fixture(scope="module")
def regimes(kept):
    return kept(lambda: load_regimes(actor="essai"))


@pytest.fixture
def statement(regimes, db):
    return CostStatement.objects.create(
        schedule=Schedule.objects.get(code="SOMME-1D"),
        school_year=2020,
        charge="COMMUN",
        degree="1D",
        starts_on=dt.date(2020, 9, 1),
        ends_on=dt.date(2021, 8, 31),
    )


@pytest.fixture
def load(statement, tmp_path):
    def do(*lines, dry_run=False, name=NAME, **kwargs):
        path = tmp_path / "depenses.csv"
        path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
        options = {"statement": read_name(name)}
        return run_import(IMPORTER, path, dry_run=dry_run, actor="x", options=options, **kwargs)

    return do


def refusal(report):
    [found] = report.refused
    return found.field, found.message


def test_it_works(statement, load):
    report = load(PLATFORM, ACCOUNTS)
    assert (report.created, report.refused, report.flagged) == (2, [], [])
    first, second = statement.expenses.order_by("mandat")
    assert (first.category, first.degree, first.supplier, first.label) == (
        "plateforme", "1D", "Éditeur", "Hébergement",
    )  # fmt: skip
    assert (first.amount, first.paid_on) == (D("3200.00"), dt.date(2020, 12, 11))
    assert (first.starts_on, first.ends_on) == (dt.date(2020, 9, 1), dt.date(2021, 8, 31))
    assert (second.category, second.degree, second.starts_on) == ("comptes", "1D", None)
    assert first.history.get().history_change_reason == "Import depenses.csv"
    assert ImportRecord.objects.get().options == {"statement": NAME}


def test_the_same_file_twice_changes_nothing(load):
    load(PLATFORM, ACCOUNTS)
    again = load(PLATFORM, ACCOUNTS)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert (Expense.objects.count(), ImportRecord.objects.count()) == (2, 1)


def test_a_dry_run_writes_nothing(load):
    assert load(PLATFORM, dry_run=True).created == 1
    assert not Expense.objects.exists()


def test_a_workbook_reads_like_a_csv(statement, tmp_path):
    sheet = (book := openpyxl.Workbook()).active
    sheet.append(HEADER.split(";"))
    day = dt.date(2021, 3, 1)
    sheet.append(["contenus", "1D", "Éditeur", "Manuels", 77, day, None, None, 30.1 + 59.9 + 1e-14])
    book.save(path := tmp_path / "depenses.xlsx")
    report = run_import(IMPORTER, path, dry_run=False, actor="x", options={"statement": read_name(NAME)})
    assert report.refused == []
    assert (Expense.objects.get().mandat, Expense.objects.get().amount) == ("77", D("90.00"))


def test_a_row_known_already_is_completed_and_what_changes_is_flagged(load):
    load(ACCOUNTS)
    later = ACCOUNTS.replace(";;;", ";01/09/2020;31/08/2021;").replace("Premier degré", "2D")
    report = load(later)
    assert (report.created, report.updated) == (0, 1)
    expense = Expense.objects.get()
    assert (expense.starts_on, expense.degree) == (dt.date(2020, 9, 1), "2D")
    told = [finding.message for finding in report.flagged]
    assert "Cette dépense est déjà saisie ; elle change : degré." in told
    assert load(ACCOUNTS).updated == 1  # an empty period erases nothing
    assert Expense.objects.get().starts_on == dt.date(2020, 9, 1)


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("plateforme", "autre", "categorie", "Catégorie inconnue : fonctionnement, contenus"),
        ("1D", "3D", "degre", "Degré inconnu : 1D ou 2D."),
        ("Éditeur", "", "fournisseur", "Valeur obligatoire."),
        ("2020-1184", "2,17003E+13", "mandat", "arrondi par le tableur"),
        ("2020-1184", "", "mandat", "Valeur obligatoire."),
        ("11/12/2020", "32/12/2020", "paye_le", "Date attendue"),
        ("11/12/2020", "11/12/2998", "paye_le", "à venir"),
        ("31/08/2021", "31/08/2020", "periode_au", "précède son début"),
        ("3 200,00", "-3200", "montant", "déduisez un avoir"),
        ("3 200,00", "0", "montant", "positif"),
        ("3 200,00", "1,2345", "montant", "Trois décimales"),
    ],
)
def test_a_wrong_row_is_refused_alone(load, old, new, field, words):
    report = load(PLATFORM.replace(old, new, 1), ACCOUNTS)
    assert report.created == 1
    where, told = refusal(report)
    assert where == field
    assert words in told


def test_two_rows_of_the_same_expense_are_both_refused(load):
    report = load(PLATFORM, PLATFORM.replace("Éditeur", "Autre"))
    assert (report.created, len(report.refused)) == (0, 2)


def test_what_is_not_shared_or_stops_the_visa_is_flagged(load):
    report = load(PLATFORM.replace("1D", "2D"), ACCOUNTS.replace("2021-02-19", "2021-09-01"))
    told = [(finding.line, finding.field, finding.message) for finding in report.flagged]
    assert told == [
        (2, "degre", "L'état est du premier degré : elle n'est pas répartie."),
        (3, "paye_le", "Payée hors de la période de l'état : elle empêchera le visa."),
    ]


def test_a_visaed_statement_refuses_until_it_is_opened_again(statement, load):
    load(PLATFORM)
    give_visa(statement=statement, actor="gest")
    with pytest.raises(UnreadableFile, match="est visé : rouvrez-le"):
        load(ACCOUNTS)
    withdraw_visa(statement=statement, reason="oubli", actor="gest")
    assert load(ACCOUNTS).created == 1


def test_a_closed_statement_refuses(statement, load):
    load(PLATFORM)
    give_visa(statement=statement, actor="gest")
    close(statement=statement, actor="fin")
    with pytest.raises(UnreadableFile, match="est clos : il ne change plus"):
        load(ACCOUNTS)
    assert Expense.objects.count() == 1


def test_a_statement_of_another_issuer_is_unknown(statement, load):
    other = frozenset({IssuerFactory().pk})
    with pytest.raises(UnreadableFile, match=f"Aucun état des dépenses {NAME}"):
        load(PLATFORM, issuers=other)
    assert load(PLATFORM, issuers=frozenset({statement.schedule.issuer_id})).created == 1


def test_the_command_imports_and_names_the_statement(statement, tmp_path, capsys):
    path = tmp_path / "depenses.csv"
    path.write_text(f"{HEADER}\n{PLATFORM}\n", encoding="utf-8")
    call_command("import_expenses", path, "--statement", NAME.lower(), json=True)
    assert json.loads(capsys.readouterr().out)["created"] == 1
    with pytest.raises(CommandError, match="il manque : --statement"):
        call_command("import_expenses", path)
    with pytest.raises(CommandError, match="barème/ligne/année"):
        call_command("import_expenses", path, "--statement", "SOMME-1D")


def test_the_page_offers_the_statements_being_prepared_and_no_other(client, statement):
    user = account("gestionnaire", issuers=[statement.schedule.issuer])
    client.force_login(user)
    page = reverse("admin:entsvc_importrecord_try", args=["depenses"])
    shown = client.get(page, {"option_statement": NAME}).text
    assert f'<option value="{NAME}" selected>' in shown
    assert "2020-2021 : " in shown
    file = SimpleUploadedFile("depenses.csv", f"{HEADER}\n{PLATFORM}\n".encode())
    missing = client.post(page, {"file": file})
    assert "Ce champ est obligatoire" in missing.text
    file.seek(0)
    sent = client.post(page, {"file": file, "option_statement": NAME})
    assert not Expense.objects.exists()
    client.post(sent.url)
    assert Expense.objects.get().mandat == "2020-1184"
    give_visa(statement=statement, actor="gest")
    assert NAME not in client.get(page).text.replace(f"comme {NAME}", "")
    user.issuers.set([IssuerFactory()])
    assert 'value="SOMME-1D' not in client.get(page).text


def test_a_statement_visaed_between_the_trial_and_the_confirmation_refuses(client, statement, load):
    load(ACCOUNTS)
    client.force_login(account("gestionnaire", issuers=[statement.schedule.issuer]))
    page = reverse("admin:entsvc_importrecord_try", args=["depenses"])
    file = SimpleUploadedFile("depenses.csv", f"{HEADER}\n{PLATFORM}\n".encode())
    sent = client.post(page, {"file": file, "option_statement": NAME})
    give_visa(statement=statement, actor="gest")
    assert "est visé : rouvrez-le" in client.post(sent.url, follow=True).text
    assert Expense.objects.count() == 1


def test_the_page_of_a_statement_leads_to_its_import_while_it_is_prepared(client, statement, load):
    load(ACCOUNTS)
    client.force_login(account("gestionnaire", issuers=[statement.schedule.issuer]))
    there = reverse("admin:invoicing_coststatement_import_expenses", args=[statement.pk])
    target = client.get(there).url
    assert target == (
        reverse("admin:entsvc_importrecord_try", args=["depenses"])
        + "?option_statement=SOMME-1D%2FCOMMUN%2F2020-2021"
    )
    page = reverse("admin:invoicing_coststatement_change", args=[statement.pk])
    assert there in client.get(page).text
    give_visa(statement=statement, actor="gest")
    assert there not in client.get(page).text

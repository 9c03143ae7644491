"""A titre whose number the accountant gives: a project first, then drawn again under that number."""

import datetime as dt
import io

import pytest
from django.db import IntegrityError, connection, transaction
from openpyxl import Workbook

from entsvc.importing import run_import
from entsvc.models import JournalEntry
from invoicing.accountant_numbers import (
    NumberRefused,
    draw_numbered,
    to_draw,
    under_its_number,
    write_number,
)
from invoicing.corrections import correct
from invoicing.importers.accountant_numbers import IMPORTER
from invoicing.models import NumberingPolicy, Series, Titre, TitreDocument
from invoicing.rendering import draw, render_missing
from tests.factories import IssuerFactory
from tests.invoicing.test_rendering import text_of
from tests.invoicing.world import ISSUED_ON, a_world

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]
DAY = ISSUED_ON + dt.timedelta(days=9)


@pytest.fixture
def external(world):
    for kind in (Series.TITRE, Series.CORRECTION):
        NumberingPolicy.objects.create(
            issuer=world.issuer,
            budget=world.issuer.budget_code,
            exercice=ISSUED_ON.year,
            kind=kind,
            mode=NumberingPolicy.Mode.EXTERNAL,
        )
    return world


@pytest.fixture
def titres(external):
    return external.issue().titres


def write(titre, number, **facts):
    return write_number(titre=titre, number=number, actor="fin", **facts)


def number_of(titre):
    return Titre.objects.values_list("external_reference", flat=True).get(pk=titre.pk)


# --- The project, then the titre --------------------------------------------------------------


def test_an_external_titre_goes_out_as_a_project_under_our_reference(titres):
    text = text_of(draw(titres[0]))
    assert "Projet / état liquidatif" in text
    assert titres[0].reference in text
    assert "rendu exécutoire" not in text
    assert "Pour payer" not in text


def test_once_its_number_is_read_it_is_drawn_as_a_titre(titres):
    list(render_missing(Titre.objects.all()))
    assert not to_draw(Titre.objects.all()).exists()
    write(titres[0], "CHO-778", on=DAY)
    assert [titre.pk for titre in draw_numbered(Titre.objects.all())] == [titres[0].pk]
    assert list(draw_numbered(Titre.objects.all())) == []
    titre = Titre.objects.prefetch_related("lines").get(pk=titres[0].pk)
    assert titre.documents.count() == 2
    # What was issued is what is printed: only the title and the number differ.
    titre.payload = under_its_number(titre)
    text = text_of(draw(titre))
    assert "Titre de perception" in text
    assert "N° CHO-778" in text
    assert titre.reference in text
    assert "Projet" not in text
    again = titre.documents.get(role=TitreDocument.Role.NUMBERED).document
    assert again.size == len(draw(titre))


def test_the_project_of_a_correction_is_drawn_under_its_number_too(external, titres):
    correction = correct(
        titre=titres[0],
        kind=Titre.Kind.ANNULATION,
        reason_code=Titre.Reason.DUPLICATE,
        reason="doublon",
        on=ISSUED_ON,
        signatory=external.signatory,
        actor="fin",
    )
    assert correction.payload["document"]["external"]
    write(correction, "A-9")
    numbered = under_its_number(Titre.objects.get(pk=correction.pk))["document"]
    assert (numbered["title"], numbered["number"]) == ("Titre d'annulation", "A-9")
    assert [titre.pk for titre in draw_numbered(Titre.objects.all())] == [correction.pk]


def test_a_titre_of_our_own_series_keeps_its_only_document(world, blank_pdf):
    titre = world.issue().titres[0]
    write(titre, "778")
    assert not to_draw(Titre.objects.all()).exists()


# --- Writing the number -----------------------------------------------------------------------


def test_a_number_is_journalled_and_written_once(titres):
    assert write(titres[0], "  778 ", on=DAY)
    assert not write(titres[0], "778")
    entry = JournalEntry.objects.get(action="external-reference")
    assert entry.summary.endswith("numéro du comptable « 778 », donné le 12/03/2025")
    assert entry.data == {"number": "778", "on": "2025-03-12"}


def test_a_wrong_number_is_mended_until_its_document_is_drawn(titres, blank_pdf):
    write(titres[0], "777")
    write(titres[0], "778")
    list(draw_numbered(Titre.objects.all()))
    with pytest.raises(NumberRefused, match="déjà produit au n° 778"):
        write(titres[0], "779")
    assert number_of(titres[0]) == "778"


def test_a_number_is_that_of_one_titre_of_the_exercice(titres):
    write(titres[0], "778")
    with pytest.raises(NumberRefused, match=f"Le n° 778 est déjà celui de {titres[0].reference}"):
        write(titres[1], "778")
    with pytest.raises(IntegrityError), transaction.atomic():
        Titre.objects.filter(pk=titres[1].pk).update(external_reference="778")


def test_two_issuers_and_two_series_share_their_numbers(external, titres):
    correction = correct(
        titre=titres[0],
        kind=Titre.Kind.ANNULATION,
        reason_code=Titre.Reason.DUPLICATE,
        reason="doublon",
        on=ISSUED_ON,
        signatory=external.signatory,
        actor="fin",
    )
    write(titres[1], "778")
    assert write(correction, "778")


@pytest.mark.parametrize(
    ("on", "message"),
    [
        (ISSUED_ON - dt.timedelta(days=1), "est du 03/03/2025"),
        (dt.date(2999, 1, 1), "Cette date est à venir"),
    ],
)
def test_a_number_is_given_neither_before_the_issue_nor_later_than_today(titres, on, message):
    with pytest.raises(NumberRefused, match=message):
        write(titres[0], "778", on=on)
    assert number_of(titres[0]) == ""


def test_a_number_is_no_way_to_replace_another_titre(titres):
    """SQLite alone has this instruction, which would remove the other row without a trigger."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite seul")
    write(titres[0], "778")
    sql = "UPDATE OR REPLACE invoicing_titre SET external_reference = '778' WHERE number = 2"
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert Titre.objects.count() == 3


# --- Reading a file ---------------------------------------------------------------------------


def file_of(tmp_path, *lines, name="numeros.csv"):
    path = tmp_path / name
    path.write_text("\n".join(["reference;numero;date", *lines]), encoding="utf-8")
    return path


def read(path, **facts):
    return run_import(IMPORTER, path, **{"dry_run": False, "actor": "fin", **facts})


def test_a_file_of_numbers_is_written_once(titres, tmp_path):
    one, two, _ = titres
    path = file_of(tmp_path, f"{one.reference};778;2025-03-12", f"{two.reference.lower()};779;")
    report = read(path, dry_run=True)
    assert (report.updated, number_of(one)) == (2, "")
    report = read(path)
    assert (report.rows, report.updated, report.unchanged, report.refused) == (2, 2, 0, [])
    assert (number_of(one), number_of(two)) == ("778", "779")
    again = read(path)
    assert (again.updated, again.unchanged) == (0, 2)
    assert JournalEntry.objects.filter(action="external-reference").count() == 2


def test_a_workbook_of_numbers_is_read_alike(titres, tmp_path):
    workbook = Workbook()
    workbook.active.append(["Référence", "Numéro", "Date"])
    workbook.active.append([titres[0].reference, 778, dt.datetime(2025, 3, 12)])
    content = io.BytesIO()
    workbook.save(content)
    path = tmp_path / "numeros.xlsx"
    path.write_bytes(content.getvalue())
    assert read(path).updated == 1
    assert number_of(titres[0]) == "778"


def test_each_wrong_row_is_refused_and_the_others_are_written(titres, tmp_path):
    one, two, three = (titre.reference for titre in titres)
    write(titres[2], "900")
    report = read(
        file_of(
            tmp_path,
            f"{one};778;",
            f"{two};778;",
            "INCONNU-2025-000001;1;",
            f"{three};901;",
            ";5;",
        )
    )
    assert report.updated == 1
    found = {finding.line: finding.message for finding in report.refused}
    assert "déjà celui de" in found[3]
    assert "Aucun titre de cette référence" in found[4]
    assert "porte déjà le n° 900" in found[5]
    assert "obligatoire" in found[6]


def test_an_account_writes_only_the_numbers_of_its_issuers(titres, tmp_path):
    other = IssuerFactory(code="AUTRE")
    path = file_of(tmp_path, f"{titres[0].reference};778;")
    report = read(path, issuers=frozenset({other.pk}))
    assert "Aucun titre de cette référence" in report.refused[0].message
    assert read(path, issuers=frozenset({titres[0].issuer_id})).updated == 1


def test_a_number_rounded_by_a_spreadsheet_is_refused(titres, tmp_path):
    report = read(file_of(tmp_path, f"{titres[0].reference};2,17E+13;"))
    assert "arrondi par le tableur" in report.refused[0].message


def test_a_local_issuer_reads_its_accounting_suite_too(db):
    world = a_world(members=1, regime="LOCAL")
    NumberingPolicy.objects.create(
        issuer=world.issuer, budget=world.issuer.budget_code, exercice=2025, kind=Series.TITRE,
        mode=NumberingPolicy.Mode.EXTERNAL,
    )  # fmt: skip
    [titre] = world.issue().titres
    write(titre, "4512")
    document = under_its_number(Titre.objects.get(pk=titre.pk))["document"]
    assert document["title"].startswith("Titre de recettes")

"""The CSV for an accounting suite: what each option of a layout writes, and who sets it."""

import csv
import datetime as dt
import io

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from invoicing.exports import columns
from invoicing.exports.accounting_csv import Unwritable, write_csv
from invoicing.models import ExportColumn, ExportLayout, Titre
from invoicing.regimes import load_regimes
from members.models import Issuer, Member
from tests.conventions.world import account
from tests.factories import IssuerFactory
from tests.invoicing.campaigns import accounts_of, campaign_of, day, issued, lived, reduce
from tests.invoicing.world import a_world


def a_layout(issuer, *codes, **facts):
    """A layout of these columns, each a code or (code, title)."""
    layout = ExportLayout.objects.create(issuer=issuer, **{"name": "essai", **facts})
    for rank, code in enumerate(codes, start=1):
        code, title = code if isinstance(code, tuple) else (code, "")
        ExportColumn.objects.create(layout=layout, position=10 * rank, code=code, title=title)
    return layout


def written(layout, titre):
    return write_csv(layout, campaign_of(titre), accounts_of(titre))


def rows_of(layout, titre, delimiter=";"):
    text = written(layout, titre).decode(layout.encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_it_works(world):
    titres = lived(world)
    layout = a_layout(world.issuer, ("reference", "REF"), "debtor", "amount", "received", "remaining")
    head, *rows = rows_of(layout, titres[0])
    assert head == ["REF", "Débiteur", "Montant de la pièce", "Encaissé", "Reste dû"]
    assert len(rows) == 4
    by_reference = {row[0]: row[1:] for row in rows}
    assert by_reference[titres[0].reference] == [titres[0].debtor_name, "45,00", "20,00", "25,00"]
    correction = Titre.objects.get(original=titres[2])
    assert by_reference[correction.reference] == [titres[2].debtor_name, "-35,00", "", ""]


def test_columns_come_in_the_order_they_are_given(world):
    titre = issued(world)[0]
    layout = a_layout(world.issuer, "siret", "reference")
    layout.columns.filter(code="siret").update(position=99)
    assert rows_of(layout, titre)[0] == ["Référence", "SIRET"]


def test_signed_amounts_add_up_to_what_is_due(world):
    titres = lived(world)
    layout = a_layout(world.issuer, "amount", "remaining", header=False, amounts="centimes")
    assert sum(int(row[0]) for row in rows_of(layout, titres[0])) == 23500
    layout.signed = False
    assert sum(int(row[0]) for row in rows_of(layout, titres[0])) == 30500
    layout.corrections = False
    assert sum(int(row[0]) for row in rows_of(layout, titres[0])) == 27000


@pytest.mark.parametrize(
    ("amounts", "expected"), [("virgule", "45,00"), ("point", "45.00"), ("centimes", "4500")]
)
def test_amounts_are_written_as_asked(world, amounts, expected):
    titre = issued(world)[0]
    layout = a_layout(world.issuer, "amount", amounts=amounts, header=False)
    assert rows_of(layout, titre)[0] == [expected]


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ("%d/%m/%Y", "03/03/2025"),
        ("%Y-%m-%d", "2025-03-03"),
        ("%Y%m%d", "20250303"),
        ("%d%m%Y", "03032025"),
    ],
)
def test_dates_are_written_as_asked(world, dates, expected):
    titre = issued(world)[0]
    layout = a_layout(world.issuer, "issued_on", dates=dates, header=False)
    assert rows_of(layout, titre)[0] == [expected]


@pytest.mark.parametrize(("separator", "mark"), [(";", ";"), (",", ","), ("tab", "\t"), ("|", "|")])
def test_columns_are_parted_as_asked(world, separator, mark):
    titre = issued(world)[0]
    layout = a_layout(
        world.issuer, "exercice", "budget", separator=separator, amounts="point", header=False
    )
    assert written(layout, titre).decode("utf-8-sig").splitlines()[0] == f"2025{mark}00"


def test_a_value_that_holds_the_separator_stays_one_cell(world):
    Member.objects.filter(pk=world.members[0].pk).update(name='Syndicat "du Lac" ; rive gauche')
    titre = issued(world)[0]
    layout = a_layout(world.issuer, "debtor", "exercice", header=False)
    assert ['Syndicat "du Lac" ; rive gauche', "2025"] in rows_of(layout, titre)


def test_the_file_of_a_spreadsheet_says_that_it_is_utf8(world):
    titre = issued(world)[0]
    assert written(a_layout(world.issuer, "debtor"), titre).startswith(b"\xef\xbb\xbf")


def test_windows_1252_writes_accents_and_keeps_what_it_can_say_otherwise(world):
    Member.objects.filter(pk=world.members[0].pk).update(name="L\u02bcŒuvre − Évry\u202f!")
    titre = issued(world)[0]
    layout = a_layout(world.issuer, "debtor", encoding="cp1252", header=False)
    assert ["L’Œuvre - Évry !"] in rows_of(layout, titre)


def test_a_character_that_windows_1252_has_not_is_refused_and_named(world):
    Member.objects.filter(pk=world.members[0].pk).update(name="Pécső")
    titres = issued(world)
    layout = a_layout(world.issuer, "debtor", encoding="cp1252")
    with pytest.raises(Unwritable) as refused:
        written(layout, titres[0])
    named = next(titre for titre in titres if titre.debtor_name == "Pécső")
    assert named.reference in str(refused.value)
    assert "« ő »" in str(refused.value)
    layout.encoding = "utf-8-sig"
    assert ["Pécső"] in rows_of(layout, titres[0])


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_text_is_taken_for_a_formula(world, start):
    Member.objects.filter(pk=world.members[0].pk).update(name=f"{start}1+1")
    titre = issued(world)[0]
    layout = a_layout(world.issuer, "debtor", ("amount", "=SOMME"))
    head, *rows = rows_of(layout, titre)
    assert head[1] == "'=SOMME"
    assert f"'{start}1+1" in {row[0] for row in rows}


def test_a_row_for_each_line_names_the_school(world):
    titres = issued(world)
    reduce(world, titres[2], "35.00", day(5))
    codes = ("reference", "uai", "school", "quantity", "unit_price", "line_amount", "line_number")
    layout = a_layout(world.issuer, *codes, rows="ligne", header=False)
    rows = rows_of(layout, titres[0])
    assert len(rows) == 7
    assert all(row[1:2] and row[4:6] == ["45,0000", "45,00"] for row in rows[:6])
    assert rows[-1][4:] == ["", "-35,00", "1"]


def test_a_unit_price_is_never_in_cents(world):
    titre = issued(world)[0]
    layout = a_layout(
        world.issuer, "unit_price", "line_amount", rows="ligne", amounts="centimes", header=False
    )
    assert rows_of(layout, titre)[0] == ["45,0000", "4500"]


def test_every_column_says_something_or_nothing_of_every_piece(db):
    for regime in Issuer.Regime:
        world = a_world(regime=regime)
        titres = lived(world)
        layout = a_layout(world.issuer, *columns.COLUMNS, rows="ligne")
        head, *rows = rows_of(layout, titres[0])
        assert head == [column.label for column in columns.COLUMNS.values()]
        filled = {name for row in rows for name, cell in zip(head, row, strict=True) if cell}
        silent = {"Numéro du comptable", "Code service", "Numéro d'engagement"}
        if regime == Issuer.Regime.LOCAL:
            silent |= {"Programme"}
        else:
            silent |= {"Fonction", "Code produit local"}
        assert set(head) - filled == silent


def test_a_layout_is_refused_where_a_comma_would_mean_two_things(world):
    layout = ExportLayout(issuer=world.issuer, name="essai", separator=",", amounts="virgule")
    with pytest.raises(ValidationError, match="La virgule"):
        layout.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        layout.save()


def test_two_layouts_of_an_issuer_have_two_names(world):
    a_layout(world.issuer)
    with pytest.raises(ValidationError, match="déjà un format"):
        ExportLayout(issuer=world.issuer, name="essai").full_clean()
    a_layout(IssuerFactory(code="AUTRE"))


def test_a_column_of_unknown_content_is_refused(world):
    with pytest.raises(ValidationError, match="Contenu inconnu"):
        ExportColumn(layout=a_layout(world.issuer), position=1, code="inconnu").full_clean()


# --- Those that are shipped -------------------------------------------------------------------


def test_each_issuer_is_given_two_layouts_and_keeps_what_it_makes_of_them(db):
    load_regimes(actor="essai")
    names = {"Tableur", "Suite comptable, une ligne par imputation"}
    for issuer in Issuer.objects.order_by("pk"):
        assert set(ExportLayout.objects.filter(issuer=issuer).values_list("name", flat=True)) == names
    for column in ExportColumn.objects.select_related("layout"):
        column.full_clean()
        assert not columns.COLUMNS[column.code].of_line
    layout = ExportLayout.objects.filter(name="Tableur").order_by("pk").first()
    layout.columns.all().delete()
    ExportLayout.objects.filter(issuer=layout.issuer).exclude(pk=layout.pk).delete()
    load_regimes(actor="essai")
    assert list(ExportLayout.objects.filter(issuer=layout.issuer)) == [layout]
    assert not layout.columns.exists()


# --- The pages --------------------------------------------------------------------------------


def form_of(layout, **changes):
    facts = {
        name: getattr(layout, name)
        for name in ("issuer_id", "name", "rows", "separator", "encoding", "amounts", "dates")
    }
    facts["issuer"] = facts.pop("issuer_id")
    data = {**facts, "header": "on", "columns-TOTAL_FORMS": 2, "columns-INITIAL_FORMS": 0}
    for rank, code in enumerate(("reference", "amount")):
        data |= {f"columns-{rank}-position": rank + 1, f"columns-{rank}-code": code}
    return {**data, **changes}


def test_finances_makes_a_layout_of_its_issuer_and_its_history_is_kept(client, world):
    account(client, "finances", world.issuer)
    new = ExportLayout(issuer=world.issuer, name="Ma suite")
    answer = client.post(reverse("admin:invoicing_exportlayout_add"), form_of(new))
    assert answer.status_code == 302
    layout = ExportLayout.objects.get()
    assert [column.code for column in layout.columns.all()] == ["reference", "amount"]
    assert layout.history.get().history_user.username == "finances"
    assert ExportColumn.history.count() == 2


def test_a_layout_without_column_or_with_columns_it_cannot_fill_is_refused(client, world):
    account(client, "finances", world.issuer)
    url = reverse("admin:invoicing_exportlayout_add")
    new = ExportLayout(issuer=world.issuer, name="Ma suite")
    page = client.post(url, form_of(new, **{"columns-TOTAL_FORMS": 0}))
    assert page.status_code == 200
    page = client.post(url, form_of(new, **{"columns-1-code": "uai"}))
    assert "Ligne : UAI" in page.content.decode()
    assert not ExportLayout.objects.exists()
    changes = {"columns-1-code": "uai", "rows": "ligne"}
    assert client.post(url, form_of(new, **changes)).status_code == 302


@pytest.mark.parametrize(
    ("role", "may_write"), [("finances", True), ("gestionnaire", False), ("lecture", False)]
)
def test_only_finances_writes_layouts_and_others_read_them(client, world, role, may_write):
    layout = a_layout(world.issuer, "reference")
    account(client, role, world.issuer)
    assert client.get(reverse("admin:invoicing_exportlayout_changelist")).status_code == 200
    change = client.get(reverse("admin:invoicing_exportlayout_change", args=[layout.pk]))
    assert change.status_code == 200
    add = client.get(reverse("admin:invoicing_exportlayout_add")).status_code
    delete = client.get(reverse("admin:invoicing_exportlayout_delete", args=[layout.pk])).status_code
    assert [add, delete] == ([200, 200] if may_write else [403, 403])


def test_the_page_of_a_layout_shows_its_first_rows_or_why_it_has_none(client, world):
    Member.objects.filter(pk=world.members[0].pk).update(name="Pécső")
    layout = a_layout(world.issuer, "reference", "debtor", "amount")
    account(client, "finances", world.issuer)
    url = reverse("admin:invoicing_exportlayout_change", args=[layout.pk])
    assert "Aperçu" not in client.get(url).content.decode()
    titre = issued(world)[0]
    page = client.get(url).content.decode()
    assert "Aperçu" in page
    assert titre.reference in page
    ExportLayout.objects.filter(pk=layout.pk).update(encoding="cp1252")
    assert "ne s&#x27;écrit pas en Windows-1252" in client.get(url).content.decode()


def test_a_layout_of_another_issuer_is_neither_shown_nor_used(client, world):
    titre = issued(world)[0]
    layout = a_layout(IssuerFactory(code="AUTRE"), "reference")
    account(client, "finances", world.issuer)
    assert (
        client.get(reverse("admin:invoicing_exportlayout_change", args=[layout.pk])).status_code == 302
    )
    url = reverse("collection:campaign-csv", args=[titre.campaign_id, layout.pk])
    assert client.get(url).status_code == 404


def test_a_due_day_is_written_of_titres_alone(world):
    titres = lived(world)
    layout = a_layout(world.issuer, "kind", "due_on", header=False)
    rows = rows_of(layout, titres[0])
    assert rows[0] == ["Titre", f"{titres[0].issued_on + dt.timedelta(days=30):%d/%m/%Y}"]
    assert rows[-1] == ["Réduction", ""]

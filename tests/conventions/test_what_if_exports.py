"""A simulation on paper, two pages whatever it holds, and as a workbook that adds up."""

import datetime as dt
import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from conventions.assessment import Decisions
from conventions.basis import Basis
from conventions.what_if import Reading, compare
from conventions.what_if_exports import write_simulation
from conventions.what_if_hypotheses import Changes
from conventions.what_if_paper import draw_simulation
from conventions.what_if_simulation import simulate
from entsvc.models import JournalEntry
from tariffs.engine import Band
from tests.conventions.what_if_world import join, simulated, three_members
from tests.conventions.world import PER_PUPIL, a_schedule, account
from tests.tariffs.bases import YEAR, charge, school, with_schools

pytestmark = pytest.mark.django_db

ON = dt.date(2026, 3, 3)
LONG = "Ligne au libellé interminable de la contribution aux services numériques éducatifs mutualisés"


def made_up(members, charges, **changes):
    """Simulate on members that stand in no database, priced by made-up charges."""
    schedule = a_schedule(PER_PUPIL)
    version = schedule.version_set.get()
    adoption = schedule.adoption_set.select_related("version", "act").get()
    facts = {"sources": {"DEPP": "Constat de rentrée"}}
    basis = Basis(school_year=YEAR, facts=facts, charges=tuple(charges), members=tuple(members))
    kinds = ("commune", "epci", "departement", "syndicat", "autre", "")
    known = {m.siret: kinds[number % 6] for number, m in enumerate(members)}
    return simulate(
        Reading(version, basis, adoption, basis.charges, Decisions(), known), Changes(**changes)
    )


def many(number):
    """Return members of every size, one in ten of unknown size."""
    return [
        replace(
            with_schools(n, school(n, None if n % 10 == 0 else 3 ** (n % 9))),
            name=f"Communauté d'agglomération de la très longue vallée numéro {n}",
        )
        for n in range(1, number + 1)
    ]


def pages(simulation):
    return [page.extract_text() for page in PdfReader(io.BytesIO(draw_simulation(simulation, ON))).pages]


def plain(text):
    return " ".join(text.replace("’", "'").split())


def test_it_works():
    first, second = map(plain, pages(simulated(three_members(), prices={"ELEVES": Decimal("5.00")})))
    assert "Simulation – sans valeur d'appel" in first
    assert "6,00 € par" in first
    assert "9 075,00 €" in first
    assert "−1 490,00 € (−16,4 %)" in first
    assert "SIMULATION – sans valeur d'appel" in second
    assert "Les plus fortes baisses" in second
    assert "Ensemble" in second


@pytest.mark.parametrize("members", [1, 3, 3000])
def test_there_are_two_pages_whatever_the_number_of_members(members):
    found = made_up(
        many(members), [charge("COMPTES", "pupils", price="6.00")], prices={"COMPTES": Decimal(5)}
    )
    assert len(pages(found)) == 2


def test_there_are_two_pages_however_long_the_tariff_and_its_words():
    bands = tuple(Band(n * 200, n * 200 + 199, Decimal("12345.67")) for n in range(60))
    charges = [charge(f"LIGNE-{n}", "pupils", price="6.1234", label=LONG + LONG) for n in range(20)]
    charges += [charge(f"TAILLE-{n}", "schools", "banded", bands=bands, label=LONG) for n in range(20)]
    found = made_up(many(400), charges, prices={f"LIGNE-{n}": Decimal("99.9999") for n in range(20)})
    found.version.label = "Version " * 12
    found.reading.schedule.name = "W" * 200
    found.reading.adoption.act.authority = "Comité syndical " * 12
    first, second = map(plain, pages(found))
    assert "autres lignes, dans le classeur" in first
    assert "Par taille" in second


def test_there_are_two_pages_when_nobody_can_be_compared():
    found = made_up(
        [with_schools(n, school(n, None)) for n in range(1, 50)],
        [charge("COMPTES", "pupils", price="6.00")],
    )
    first, second = map(plain, pages(found))
    assert "49 à part, hors des totaux" in first
    assert "et 45 autres, dans le classeur" in second


# The workbook.


def reopened(simulation):
    return load_workbook(io.BytesIO(write_simulation(simulation, ON)))


def rows(sheet):
    """Return the rows between the headings and the total, as they are shown once computed."""
    heads = [cell.value for cell in sheet[1]]
    return [
        dict(zip(heads, (cell.value for cell in row), strict=True))
        for row in sheet.iter_rows(min_row=2)
        if row[0].value != "Total"
    ]


def range_of(book, formula):
    """Return the values of the first range of a formula."""
    sheet, column, top, bottom = re.search(r"'([^']+)'!\$(\w)\$(\d+):\$\w\$(\d+)", formula).groups()
    return [book[sheet][f"{column}{line}"].value for line in range(int(top), int(bottom) + 1)]


def test_the_totals_of_the_workbook_are_formulas_over_its_members():
    schedule = three_members()
    join(schedule, None, name="Inconnue")
    found = simulated(schedule, prices={"ELEVES": Decimal("5.00")})
    book = reopened(found)
    assert book.sheetnames == [
        "Synthèse", "Tarif", "Par membre", "Par type", "Par taille", "À part", "Hypothèses",
    ]  # fmt: skip
    summary = {row["Ensemble"]: row for row in rows(book["Synthèse"])}
    for title, wanted in (("Total aujourd'hui", 9075), ("Total simulé", 7585)):
        assert sum(Decimal(str(x)) for x in range_of(book, summary[title]["Montant"])) == wanted
    assert summary["Écart"]["Montant"] == "=B3-B2"
    assert summary["Membres comparés"]["Nombre"] == 3
    assert summary["Membres à part (voir « À part »)"]["Nombre"] == 1
    for number, row in enumerate(rows(book["Par membre"]), start=2):
        assert row["Écart"] == f"=G{number}-F{number}"
        assert row["Écart en %"] == f'=IF(F{number}=0,"",H{number}/F{number})'
    assert [row["Membre"] for row in rows(book["À part"])] == ["Inconnue"]


def test_types_and_sizes_add_up_the_members_of_their_name():
    found = simulated(three_members(), prices={"ELEVES": Decimal("5.00")})
    book = reopened(found)
    for sheet, groups in (
        ("Par type", found.comparison.by_kind),
        ("Par taille", found.comparison.by_size),
    ):
        told = {row[next(iter(row))]: row for row in rows(book[sheet])}
        for group in groups:
            row = told[group.label]
            labels = range_of(book, row["Membres"])
            assert labels.count(group.label) == group.members
            amounts = re.search(r",('Par membre'!.*)\)", row["Simulé"])[1]
            simulated_amounts = range_of(book, amounts)
            mine = [
                a for a, label in zip(simulated_amounts, labels, strict=True) if label == group.label
            ]
            assert sum(Decimal(str(amount)) for amount in mine) == group.simulated


def test_the_workbook_says_the_tariff_before_and_after_and_where_counts_come_from():
    book = reopened(simulated(three_members(), prices={"ELEVES": Decimal("5.00")}))
    changed = [row for row in rows(book["Tarif"]) if row["Modifiée"]]
    assert [(row["Code"], row["Modifiée"]) for row in changed] == [("ELEVES", "oui")]
    assert changed[0]["Simulé"].startswith("5,00")
    facts = {row["Hypothèse"]: row["Valeur"] for row in rows(book["Hypothèses"])}
    assert facts["Simulation du"] == "03/03/2026"
    assert "Constat de rentrée" in facts["Effectifs"]
    assert "Sans valeur d'appel" in facts["Portée"]


def test_a_workbook_without_any_member_to_compare_opens():
    found = made_up([with_schools(1, school(1, None))], [charge("COMPTES", "pupils", price="6.00")])
    assert rows(reopened(found)["Par membre"]) == []


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF-1.7"), ("xlsx", b"PK")])
def test_both_are_given_by_the_page_as_files_and_the_journal_says_to_whom(client, suffix, start):
    schedule = three_members()
    account(client, "lecture", schedule.issuer)
    version = schedule.version_set.get()
    given = {"version": version.pk, "annee": "2024-2025", "prix-ELEVES": "5", "format": suffix}
    answer = client.get("/admin/simuler/", given)
    assert answer.content.startswith(start)
    name = f"simulation-{schedule.code}-2024-2025.{suffix}"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    entry = JournalEntry.objects.get(action="export")
    assert (entry.actor, name in entry.summary) == ("lecture", True)


def test_the_same_simulation_gives_the_same_paper():
    found = simulated(three_members(), prices={"ELEVES": Decimal("5.00")})
    assert draw_simulation(found, ON) == draw_simulation(found, ON)


def test_a_comparison_of_nobody_has_no_rate():
    basis = Basis(school_year=YEAR, facts={}, charges=(), members=())
    assert compare(basis, basis, {}).sums.rate is None

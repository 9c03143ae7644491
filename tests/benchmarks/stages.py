"""One stage of the benchmark, alone in its process: `python -m tests.benchmarks.stages STAGE …`.

The work is done once, on a database left by the stages before; its peak of memory is read before its
floor is measured.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import django

if __name__ == "__main__":
    django.setup()

from django.core.management import call_command
from django.template.loader import render_to_string

from conventions.assessment import read_basis
from conventions.basis import Basis
from conventions.importing import IMPORTER as CONVENTIONS
from conventions.models import Convention, Enrolment
from entsvc import school_year
from entsvc.importing import Importer, run_import
from invoicing import calculation, rendering
from invoicing.exports.yearly_call import write_yearly_call
from invoicing.issuing import issue
from invoicing.models import Anomaly, Bordereau, Call, CallLine, Run, Titre, TitreLine
from invoicing.regimes import load_regimes
from members.importers.annuaire import IMPORTER as ANNUAIRE
from members.importers.communes import IMPORTER as COMMUNES
from members.importers.headcounts import IMPORTER as HEADCOUNTS
from members.importers.members import IMPORTER as MEMBERS
from members.models import Act, Headcount, Signatory
from tariffs.models import Adoption, Band, Charge, Schedule, Version
from tariffs.printed import printed_line
from tests.benchmarks import floors, years
from tests.benchmarks.datasets import YEAR

ACTOR = "bench"
ISSUED_ON = date(2025, 3, 3)
BANDS = ((0, 50, "30.00"), (51, 150, "60.00"), (151, 250, "90.00"), (251, 1000, "150.00"))


@dataclass
class Measure:
    """What a stage did: `count` things named `unit`, its time, its floor's, its peak of memory."""

    stage: str
    count: int
    unit: str
    seconds: float
    floor: float | None = None
    floor_is: str = ""
    peak_mb: float = 0.0


@dataclass(frozen=True)
class Case:
    """What is measured: the folder of the files, the tariff, how many documents are drawn."""

    folder: Path
    schedule: str
    pdfs: int

    @property
    def year(self) -> int:
        return school_year.parse(YEAR)

    def tariff(self) -> Schedule:
        return Schedule.objects.select_related("issuer").get(code=self.schedule)


def prepare(case: Case) -> Measure:
    """Make the tables, load the regimes and, beside them, a tariff of three charges."""
    start = time.perf_counter()
    call_command("migrate", verbosity=0)
    load_regimes(actor=ACTOR)
    _three_charges(Schedule.objects.get(code="OCC-ENT-ECOLE"))
    return _measure("préparation", 1, "base", start)


def import_file(importer: Importer, name: str) -> Callable[[Case], Measure]:
    """Return the stage that imports one of the files."""

    def stage(case: Case) -> Measure:
        path = case.folder / f"{name}.csv"
        start = time.perf_counter()
        report = run_import(importer, path, dry_run=False, actor=ACTOR)
        measure = _measure(f"import {name}", report.rows, "lignes", start)
        if report.refused:
            print(f"{path.name} : {report.refused[0].message}", file=sys.stderr)
        measure.floor, measure.floor_is = floors.read_csv(path), "lire le CSV"
        return measure

    return stage


def compute(case: Case) -> Measure:
    """Read the basis and compute, keeping nothing."""
    schedule = case.tariff()
    start = time.perf_counter()
    results = read_basis(schedule, case.year).assess()
    lines = sum(len(result.lines) for result in results)
    measure = _measure("calcul", lines, "lignes", start)
    querysets = [
        Convention.objects.values_list("reference", "debtor__siret", "debtor__name", "signed_on"),
        Enrolment.objects.values_list(
            "convention", "school__uai", "school__name", "school__commune_name", "school__degree"
        ),
        Headcount.current.values_list("school", "source", "pupils"),
    ]
    measure.floor, measure.floor_is = floors.read_rows(querysets), "values_list"
    return measure


def keep(case: Case) -> Measure:
    """Compute and keep the run: what is timed is what comes on top of the calculation."""
    spent = [0.0]
    calculation.read_basis = _stopwatch(read_basis, spent)
    Basis.assess = _stopwatch(Basis.assess, spent)
    schedule = case.tariff()
    start = time.perf_counter()
    run = calculation.compute_run(schedule=schedule, year=case.year, actor=ACTOR)
    measure = _measure("enregistrement", 0, "lignes", start)
    measure.seconds -= spent[0]
    measure.count = CallLine.objects.filter(call__run=run).count()
    kept = [
        Run.objects.filter(pk=run.pk),
        Call.objects.filter(run=run),
        CallLine.objects.filter(call__run=run),
        Anomaly.objects.filter(run=run),
    ]
    measure.floor, measure.floor_is = floors.write_rows(kept), _bare_write()
    return measure


def issue_run(case: Case) -> Measure:
    """Issue every clean call of the run."""
    run = _run()
    signatory = Signatory.objects.get(issuer=run.campaign.schedule.issuer)
    start = time.perf_counter()
    issued = issue(run=run, on=ISSUED_ON, signatory=signatory, actor=ACTOR)
    measure = _measure("émission", len(issued.titres), "titres", start)
    if issued.blocked:
        print(f"{len(issued.blocked)} bloqués : {issued.blocked[0].messages[0]}", file=sys.stderr)
    del issued
    written = [Bordereau.objects.all(), Titre.objects.all(), TitreLine.objects.all()]
    measure.floor, measure.floor_is = floors.write_rows(written), _bare_write()
    return measure


def live(case: Case) -> Measure:
    """Live two years of the schedule, for the pages to have something to show."""
    start = time.perf_counter()
    return _measure("deux années", years.live(case.tariff()), "titres", start)


def draw(case: Case) -> Measure:
    """Draw and store the documents of the first titres, after one that loads the fonts."""
    first = list(Titre.objects.order_by("number").values_list("pk", flat=True)[: case.pdfs + 1])
    rendering.draw(Titre.objects.get(pk=first.pop()))
    titres = Titre.objects.filter(pk__in=first)
    start = time.perf_counter()
    done = sum(1 for _ in rendering.render_missing(titres))
    measure = _measure("PDF", done, "PDF", start)
    pages = [_html(titre) for titre in titres.prefetch_related("lines").order_by("number")]
    measure.floor, measure.floor_is = floors.draw(pages), "WeasyPrint seul"
    return measure


def export(case: Case) -> Measure:
    """Write the yearly call."""
    run = _run()
    path = case.folder / "appel.xlsx"
    start = time.perf_counter()
    write_yearly_call(run, path)
    measure = _measure("XLSX", CallLine.objects.filter(call__run=run).count(), "lignes", start)
    measure.floor, measure.floor_is = floors.write_cells(path), "openpyxl, cellules nues"
    return measure


STAGES: dict[str, Callable[[Case], Measure]] = {
    "preparation": prepare,
    "communes": import_file(COMMUNES, "communes"),
    "annuaire": import_file(ANNUAIRE, "annuaire"),
    "membres": import_file(MEMBERS, "membres"),
    "effectifs": import_file(HEADCOUNTS, "effectifs"),
    "conventions": import_file(CONVENTIONS, "conventions"),
    "calcul": compute,
    "enregistrement": keep,
    "emission": issue_run,
    "pdf": draw,
    "xlsx": export,
    "annees": live,
}


def _measure(stage: str, count: int, unit: str, start: float) -> Measure:
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = peak / 1024 / (1024 if sys.platform == "darwin" else 1)
    return Measure(stage, count, unit, seconds, peak_mb=peak_mb)


def _stopwatch(function: Callable, spent: list[float]) -> Callable:
    def timed(*args: object, **kwargs: object) -> object:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[0] += time.perf_counter() - start

    return timed


def _bare_write() -> str:
    from django.db import connection

    return "COPY" if connection.vendor == "postgresql" else "executemany"


def _run() -> Run:
    return Run.objects.select_related("campaign__schedule__issuer").latest("pk")


def _html(titre: Titre) -> str:
    lines = sorted(titre.lines.all(), key=lambda line: line.position)
    context = {**titre.payload, "lines": [printed_line(line) for line in lines]}
    return render_to_string("pdf/titre.html", context)


def _three_charges(model: Schedule) -> None:
    """Create the tariff of the made-up members, accounted for as another of the same issuer."""
    schedule = Schedule.objects.create(
        issuer=model.issuer,
        code="ESSAI",
        name="Trois lignes tarifaires",
        subject="Participation d'essai",
        programme=model.programme,
        account=model.account,
    )
    version = Version.objects.create(schedule=schedule, label="essai")
    scope = {"version": version, "degree": "premier", "sector": "public"}
    pupils = {"unit_label": "élève", "unit_plural": "élèves", "metric": "pupils"}
    schools = {"unit_label": "école", "unit_plural": "écoles", "metric": "schools"}
    unit = {"model": "unit", **scope}
    Charge.objects.create(
        code="ELEVE", label="Par élève", position=1, unit_price=Decimal("1.37"), **pupils, **unit
    )
    Charge.objects.create(
        code="ECOLE", label="Par école", position=2, unit_price=Decimal("45.00"), **schools, **unit
    )
    banded = Charge.objects.create(
        code="TAILLE", label="Selon la taille", position=3, model="banded", **schools, **scope
    )
    for lower, upper, price in BANDS:
        Band.objects.create(charge=banded, lower=lower, upper=upper, price=Decimal(price))
    act = Act.objects.create(
        issuer=model.issuer, kind="modele", authority="banc d'essai", subject="Tarif d'essai"
    )
    year = school_year.parse(YEAR)
    Adoption.objects.create(schedule=schedule, school_year=year, version=version, act=act)


def main() -> None:
    """Run one stage and print its measure as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("schedule")
    parser.add_argument("pdfs", type=int)
    options = parser.parse_args()
    case = Case(options.folder, options.schedule, options.pdfs)
    print(json.dumps(asdict(STAGES[options.stage](case))))


if __name__ == "__main__":
    main()

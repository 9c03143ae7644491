"""A take-over of more agreements than SQLite's limits: read again, completed, changed."""

from conventions.importing import IMPORTER
from conventions.models import Convention, Enrolment
from entsvc.importing import run_import
from members.importers.annuaire import IMPORTER as ANNUAIRE
from members.models import School
from tests.benchmarks.datasets import synthetic
from tests.factories import ScheduleFactory

MANY = 1_050  # SQLite nests a thousand expressions at most


def test_a_large_file_imported_again_changes_nothing_and_a_change_is_taken(db, tmp_path):
    ScheduleFactory(code="ESSAI")
    data = synthetic(tmp_path / "data", members=MANY, schools=MANY)
    path = data.folder / "conventions.csv"

    def take(importer, file):
        report = run_import(importer, file, dry_run=False, actor="essai")
        assert not report.refused
        return report.created, report.updated, report.unchanged

    assert take(IMPORTER, path) == (MANY, 0, 0)
    assert take(IMPORTER, path) == (0, 0, MANY)
    assert take(ANNUAIRE, data.folder / "annuaire.csv") == (0, MANY, 0)
    assert not School.objects.filter(degree="").exists()
    path.write_text(path.read_text(encoding="utf-8").replace("2024-09-02", "2024-09-03"), "utf-8")
    assert take(IMPORTER, path) == (0, MANY, 0)
    assert Convention.objects.filter(signed_on="2024-09-03").count() == MANY
    assert Enrolment.objects.count() == MANY

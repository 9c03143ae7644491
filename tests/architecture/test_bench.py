"""The benchmark runs from end to end on a handful of members, so that it can't rot unseen."""

import json
import os
import subprocess
import sys

from django.conf import settings

from tests.invoicing.scratch import POSTGRESQL

STAGES = [
    "import communes",
    "import annuaire",
    "import membres",
    "import effectifs",
    "import conventions",
    "calcul",
    "enregistrement",
    "émission",
    "PDF",
    "XLSX",
]
TINY = ["--quick", "--base", "sqlite", "--jeu", "synthetique", "--members", "4", "--schools", "7"]


def test_it_measures_every_stage_and_leaves_nothing_behind(tmp_path, migrated):
    report, place = tmp_path / "mesures.json", tmp_path / "place"
    place.mkdir()
    begun = [] if POSTGRESQL else ["--migrated", migrated.url.removeprefix("sqlite:///")]
    asked = [*TINY, *begun, "--pdfs", "1", "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *asked],
        cwd=settings.BASE_DIR,
        env={**os.environ, "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        timeout=300,  # a busy machine is slow, not broken
    )
    assert done.returncode == 0, done.stderr
    measures = json.loads(report.read_text(encoding="utf-8"))["mesures"]
    assert [measure["stage"] for measure in measures] == STAGES
    assert {m["stage"]: m["count"] for m in measures} == {
        **dict.fromkeys(("import annuaire", "import effectifs"), 7),
        **dict.fromkeys(("import communes", "import membres", "import conventions", "émission"), 4),
        **dict.fromkeys(("calcul", "enregistrement", "XLSX"), 21),
        "PDF": 1,
    }
    assert all(m["seconds"] > 0 and m["floor"] > 0 and m["peak_mb"] > 0 for m in measures)
    assert "Synthétique : 4 membres, 7 écoles, 3 lignes tarifaires" in done.stdout
    assert not list(place.iterdir())


def test_pytest_never_collects_the_benchmark():
    names = [path.name for path in (settings.BASE_DIR / "tests" / "benchmarks").glob("*.py")]
    assert names
    assert not [name for name in names if name.startswith("test_") or name.endswith("_test.py")]

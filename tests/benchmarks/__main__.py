"""`python -m tests.benchmarks`: measure every stage of the house on SQLite and on PostgreSQL.

Each stage runs in its own process, so that its peak of memory is its own. Nothing is left behind:
databases, files and documents live in places made for the occasion.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.databases import POSTGRESQL, SQLITE, gather_statistics, missing_server, scratch
from tests.benchmarks.datasets import ANNUAIRE_FILE, DataSet, region, synthetic

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT.parent / "shared" / "data"
MEMBERS, SCHOOLS, PDFS = 35_000, 60_000, 60
IMPORTS = ("communes", "annuaire", "membres", "effectifs", "conventions")
STAGES = ("calcul", "enregistrement", "emission", "pdf", "xlsx")
QUICK = 10


def main() -> int:
    """Measure what is asked, print the tables, return the exit code."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is removed
    started = time.monotonic()
    document = {"machine": report.machine(), "mesures": [], "sautes": []}
    with tempfile.TemporaryDirectory(prefix="entsvc-bench-") as place:
        databases = _databases(options, document["sautes"])
        if options.pages:
            return _pages(databases, options, Path(place))
        for dataset in _datasets(options, Path(place), document["sautes"]):
            rows = list(_measures(dataset, databases, options, Path(place)))
            document["mesures"] += rows
            print(report.table(dataset.title[:1].upper() + dataset.title[1:], rows), end="\n\n")
    document["duree"] = time.monotonic() - started
    print(f"Durée totale : {document['duree']:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=2), encoding="utf-8")
    return 0


def _pages(databases: list[str], options: argparse.Namespace, place: Path) -> int:
    """Print the server time of every main page, on a region that lived two years."""
    dataset = region(SOURCES, place / "region", one_in=options.one_in, lived=True)
    if dataset is None:
        print(f"{ANNUAIRE_FILE} absent : pages sautées.")
        return 1
    for kind in databases:
        with tempfile.TemporaryDirectory(dir=place) as folder, scratch(kind, Path(folder)) as url:
            environment = _environment(url, Path(folder))
            for stage in ("preparation", *IMPORTS, "annees"):
                print(f"{kind} : {stage}…", file=sys.stderr)
                _stage(stage, dataset, 0, environment)
            gather_statistics(url)
            print(f"{dataset.title}, {kind}", flush=True)
            command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.pages"]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description="Mesure chaque étape, sur SQLite et sur PostgreSQL."
    )
    parser.add_argument("--quick", action="store_true", help="Le dixième des tailles.")
    parser.add_argument("--json", type=Path, metavar="FICHIER", help="Écrit aussi les mesures.")
    parser.add_argument(
        "--migrated", type=Path, metavar="FICHIER", help="Une base SQLite déjà migrée, dont partir."
    )
    parser.add_argument("--base", choices=(SQLITE, POSTGRESQL), help="Une seule base.")
    parser.add_argument("--jeu", choices=("region", "synthetique"), help="Un seul jeu de données.")
    parser.add_argument("--members", type=int, help="Membres du jeu synthétique.")
    parser.add_argument("--schools", type=int, help="Écoles du jeu synthétique.")
    parser.add_argument("--pdfs", type=int, help="Documents à dessiner.")
    parser.add_argument("--pages", action="store_true", help="Le temps de serveur des pages, seul.")
    options = parser.parse_args()
    options.one_in = QUICK if options.quick else 1
    for name, size in (("members", MEMBERS), ("schools", SCHOOLS), ("pdfs", PDFS)):
        if getattr(options, name) is None:
            setattr(options, name, size // options.one_in)
    if not 1 <= options.members <= options.schools:
        parser.error("Il faut au moins une école par membre.")
    return options


def _databases(options: argparse.Namespace, skipped: list[str]) -> list[str]:
    databases = [options.base] if options.base else [SQLITE, POSTGRESQL]
    problem = missing_server() if POSTGRESQL in databases else ""
    if problem:
        _skip(problem, skipped)
        databases.remove(POSTGRESQL)
    return databases


def _datasets(options: argparse.Namespace, place: Path, skipped: list[str]) -> Iterator[DataSet]:
    if options.jeu != "synthetique":
        dataset = region(SOURCES, place / "region", one_in=options.one_in)
        if dataset:
            yield dataset
        else:
            _skip(f"{ANNUAIRE_FILE} absent : région sautée.", skipped)
    if options.jeu != "region":
        yield synthetic(place / "synthetique", members=options.members, schools=options.schools)


def _skip(message: str, skipped: list[str]) -> None:
    skipped.append(message)
    print(message, end="\n\n")


def _measures(
    dataset: DataSet, databases: list[str], options: argparse.Namespace, place: Path
) -> Iterator[dict]:
    files = [name for name in IMPORTS if (dataset.folder / f"{name}.csv").is_file()]
    for kind in databases:
        with (
            tempfile.TemporaryDirectory(dir=place) as folder,
            scratch(kind, Path(folder), options.migrated) as url,
        ):
            environment = _environment(url, Path(folder))
            _stage("preparation", dataset, options.pdfs, environment)
            for stage in (*files, *STAGES):
                print(f"{dataset.name}, {kind} : {stage}…", file=sys.stderr)
                measure = _stage(stage, dataset, options.pdfs, environment)
                yield {"set": dataset.name, "database": kind, **measure}


def _environment(url: str, folder: Path) -> dict[str, str]:
    """Return the environment of a stage: the settings of production, on a database of its own."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "entsvc.settings",
        "DATABASE_URL": url,
        "MEDIA_ROOT": str(folder / "media"),
        "DEBUG": "0",
        "SECRET_KEY": "cle-du-banc-d-essai",
        "ALLOWED_HOSTS": "127.0.0.1",
    }


def _stage(name: str, dataset: DataSet, pdfs: int, environment: dict[str, str]) -> dict:
    command = ["-m", "tests.benchmarks.stages", name, dataset.folder, dataset.schedule, pdfs]
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())

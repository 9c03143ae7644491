"""A production asked for, drawn, and opened."""

import csv
import io
import zipfile

from conventions import archive, productions
from conventions.models import PaperKind
from tests.conventions.world import YEAR

POLICY = "partenariat-occitanie-2024"


def write(schedule, kind=PaperKind.AGREEMENT, year=YEAR):
    return productions.written(issuer=schedule.issuer, year=year, kind=kind, actor="essai")


def finish(production):
    productions.produce(production_id=production.pk)
    return production


def zip_of(production):
    return zipfile.ZipFile(io.BytesIO(b"".join(archive.stream(production))))


def manifest_of(archived):
    text = archived.read(archive.MANIFEST).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))

"""Who imports, and an importer with one option of each sort."""

import pytest

from entsvc.importing import IMPORTERS, Importer, Layout, Option
from tests.entsvc.import_pages.sending import account


@pytest.fixture
def gestionnaire(client):
    client.force_login(account("gestionnaire"))
    return client


def whole(text):
    if not text.isdigit():
        raise ValueError("Écrivez un nombre entier.")
    return int(text)


@pytest.fixture
def optional(monkeypatch):
    """An importer with one option of each sort; what it was asked is kept."""
    asked = []

    def apply(records, job):
        asked.append(job.options)
        job.report.created += len(records)
        job.report.flag(None, "siret", "", "Rien sur cette ligne.")

    importer = Importer(
        name="essai",
        title="Essai d'options",
        layouts=(Layout("essai", ("siret",), lambda row, flag, options: row),),
        key=lambda row: row.line,
        key_column="siret",
        apply=apply,
        permissions=(),
        options=(
            Option("limit", "--limit", "Limite", "Combien, à ±20 % près.", whole, default=7),
            Option("strict", "--strict", "Tout refuser", "Au moindre doute.", bool, default=False),
        ),
    )
    monkeypatch.setitem(IMPORTERS, "essai", importer)
    return asked

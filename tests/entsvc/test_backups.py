"""A backup is whole or is not one, and what it gives back is proven before anyone uses it."""

import json
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from django.conf import settings

from entsvc import archive, backups, dumps
from tests.invoicing import scratch as scratch_database
from tests.invoicing.scratch import POSTGRESQL, REFUSED

PROGRAMS = ("pg_dump", "pg_restore", "psql")

pytestmark = pytest.mark.skipif(
    POSTGRESQL and not all(map(shutil.which, PROGRAMS)),
    reason="les programmes de PostgreSQL (pg_dump, pg_restore, psql) ne sont pas installés",
)


def run(script, place, *arguments):
    """Run a script of bin/ on a database and its documents."""
    return subprocess.run(
        [settings.BASE_DIR / "bin" / script, *map(str, arguments)],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "entsvc.settings",
            "DATABASE_URL": place.url,
            "MEDIA_ROOT": str(place.media),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_asking_how_to_restore_touches_no_database(tmp_path):
    database = tmp_path / "base.sqlite3"
    asked = subprocess.run(
        [settings.BASE_DIR / "bin" / "restore", "--help"],
        env={**os.environ, "DATABASE_URL": f"sqlite:///{database}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert asked.returncode == 0, asked.stderr
    assert "--replace" in asked.stdout
    assert not database.exists()


def titres(place):
    return place.rows("SELECT number, total FROM invoicing_titre ORDER BY number")


def tables(place):
    sql = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'"
    if POSTGRESQL:
        sql = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"
    return place.rows(sql)[0][0]


def documents(place):
    return {p.relative_to(place.media): p.read_bytes() for p in place.media.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def issued(demonstration_issued):
    """Three titres and their documents; only to be read or copied."""
    return demonstration_issued


@pytest.fixture(scope="module")
def saved(issued, tmp_path_factory):
    """The backup of these titres; only to be read."""
    folder = tmp_path_factory.mktemp("saved")
    done = run("backup", issued, folder, "--json")
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["archive"])


@pytest.fixture
def live(issued, tmp_path):
    """A copy of these titres that people work with."""
    (tmp_path / "live").mkdir()
    place = scratch_database.copy(issued, tmp_path / "live")
    yield place
    place.drop()


@pytest.fixture
def elsewhere(tmp_path):
    """An empty database and no document, as on a new machine."""
    (tmp_path / "elsewhere").mkdir()
    place = scratch_database.empty(tmp_path / "elsewhere")
    yield place
    place.drop()


@pytest.fixture
def altered(saved, tmp_path):
    """Rewrite the backup: what is given of the manifest and of the files takes the place of its own."""

    def rewrite(manifest=None, files=None):
        path = tmp_path / "altered.tar"
        with tarfile.open(saved) as source, tarfile.open(path, "w") as target:
            for member in source:
                content = source.extractfile(member).read()
                if member.name == archive.MANIFEST and manifest:
                    content = json.dumps({**json.loads(content), **manifest}).encode()
                content = (files or {}).get(member.name, content)
                (tmp_path / "member").write_bytes(content)
                target.add(tmp_path / "member", member.name)
        return path

    return rewrite


def test_a_backup_restores_elsewhere_the_ledger_green_and_the_rows_still_protected(
    issued, saved, elsewhere
):
    done = run("restore", elsewhere, saved)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Aucun écart." in done.stdout
    assert "Restauration terminée et vérifiée." in done.stdout
    assert titres(elsewhere) == titres(issued) != []
    assert documents(elsewhere) == documents(issued) != {}
    with elsewhere.connection() as raw:
        for forbidden in ("UPDATE invoicing_titre SET total = 1", "DELETE FROM entsvc_storeddocument"):
            with pytest.raises(REFUSED):
                raw.execute(forbidden)


def test_a_backup_is_for_its_owner_alone_and_leaves_nothing_else(saved):
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    with tarfile.open(saved) as tar:
        assert tar.getnames()[0] == archive.DATABASE
        assert tar.getnames()[-1] == archive.MANIFEST


def test_a_backup_never_replaces_another(db, saved):
    before = saved.read_bytes()
    with pytest.raises(backups.BackupRefused, match="existe déjà"):
        backups.back_up(saved)
    assert saved.read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 1


def test_a_backup_does_not_go_among_the_documents(db, media):
    with pytest.raises(backups.BackupRefused, match="parmi les documents"):
        backups.back_up(media / "sauvegardes")


def test_an_empty_database_has_nothing_to_back_up(elsewhere, tmp_path):
    done = run("backup", elsewhere, tmp_path / "saved")
    assert done.returncode == 1
    assert "Rien à sauvegarder" in done.stderr


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.9, 0.999])
def test_a_truncated_backup_is_refused(saved, tmp_path, kept):
    content = saved.read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(content.rstrip(b"\0")[: int(len(content.rstrip(b"\0")) * kept)])
    with pytest.raises(archive.BadArchive, match="tronquée|abîmée"):
        archive.read(cut)


def test_a_backup_that_this_account_may_not_read_is_not_called_damaged(saved, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(saved))

    monkeypatch.setattr(archive.tarfile, "open", refuse)
    with pytest.raises(
        archive.BadArchive, match=rf"le compte {os.getuid()} n'a pas le droit de le lire"
    ):
        archive.read(saved)


def test_a_folder_where_this_account_may_not_write_is_named(db, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(tmp_path / ".en-cours-x"))

    monkeypatch.setattr(archive.tempfile, "TemporaryDirectory", refuse)
    told = rf"le compte {os.getuid()} n'a pas le droit d'écrire dans {tmp_path}"
    with pytest.raises(backups.BackupRefused, match=told):
        backups.back_up(tmp_path)


def test_a_refused_backup_writes_nothing(saved, elsewhere, tmp_path):
    cut = tmp_path / "cut.tar"
    cut.write_bytes(saved.read_bytes()[:-200_000])
    done = run("restore", elsewhere, cut)
    assert done.returncode == 1
    assert "ne peut pas être restaurée" in done.stderr
    assert (tables(elsewhere), elsewhere.media.exists()) == (0, False)


def test_a_changed_byte_is_refused(saved, altered):
    with tarfile.open(saved) as tar:
        name = next(name for name in tar.getnames() if name.endswith(".pdf"))
        content = bytearray(tar.extractfile(name).read())
    content[100] ^= 1
    with pytest.raises(archive.BadArchive, match="n'est pas ce que dit son manifeste"):
        archive.read(altered(files={name: bytes(content)}))


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_name_that_leaves_the_folder_is_refused(name, tmp_path):
    path, content = tmp_path / "evil.tar", tmp_path / "content"
    content.write_bytes(b"x")
    facts = [1, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"]
    manifest = {
        "format": archive.FORMAT,
        "database": dict(zip(("size", "sha256"), facts, strict=True)),
        "documents": {"files": {name: facts}},
    }
    (tmp_path / "manifest").write_text(json.dumps(manifest))
    with tarfile.open(path, "w") as tar:
        tar.add(content, archive.DATABASE)
        info = tar.gettarinfo(content)
        info.name = archive.DOCUMENTS + name
        with content.open("rb") as stream:
            tar.addfile(info, stream)
        tar.add(tmp_path / "manifest", archive.MANIFEST)
    with pytest.raises(archive.BadArchive, match="sort du dossier"):
        archive.read(path)


def test_nothing_is_restored_over_live_data_without_the_word(saved, live):
    before = titres(live)
    done = run("restore", live, saved)
    assert done.returncode == 1
    assert "n'est pas vide" in done.stderr
    assert "--replace" in done.stderr
    assert titres(live) == before


def test_documents_already_there_are_refused_too(db, saved, media, monkeypatch):
    monkeypatch.setattr(dumps, "is_empty", lambda connection: True)
    media.mkdir()
    (media / "un.pdf").write_bytes(b"%PDF-")
    with pytest.raises(backups.BackupRefused, match="contient déjà des documents"):
        backups.restore(saved, replace=False)


def test_with_the_word_damaged_data_are_replaced(saved, live, issued):
    with live.connection() as raw:
        raw.execute("CREATE TABLE stray (id integer)")
        raw.execute("DELETE FROM django_session")
    lost = next(live.media.rglob("*.pdf"))
    lost.unlink()
    spoilt = next(live.media.rglob("*.pdf"))
    spoilt.write_bytes(b"%PDF-spoilt")
    done = run("restore", live, saved, "--replace")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (titres(live), documents(live)) == (titres(issued), documents(issued))
    assert tables(live) == tables(issued)


def test_a_database_that_cannot_be_read_back_leaves_the_present_one_alone(saved, altered, live):
    with tarfile.open(saved) as tar:
        whole = tar.extractfile(archive.DATABASE).read()
    half = whole[: len(whole) // 2]
    path = altered(
        manifest={"database": {"size": len(half), "sha256": sha256(half)}},
        files={archive.DATABASE: half},
    )
    before = titres(live)
    done = run("restore", live, path, "--replace")
    assert done.returncode == 1
    assert "elle est restée comme avant" in done.stderr
    assert titres(live) == before


def test_a_database_that_someone_uses_is_not_waited_for_without_end(saved, live):
    with live.connection() as raw:
        raw.execute("BEGIN")
        raw.execute("UPDATE members_member SET name = name")
        done = live.run("-c", PATIENT, str(saved))
        raw.execute("ROLLBACK")
    assert done.returncode == 1
    assert "quelqu'un s'en sert. Arrêtez web, worker et mails" in done.stderr


PATIENT = """
import sys
import django
django.setup()
from django.core.management import ManagementUtility
from django.db import connection
from entsvc import dumps
dumps.PATIENCE = 1
if connection.vendor == "sqlite":
    connection.settings_dict["OPTIONS"]["timeout"] = 2
ManagementUtility(["manage.py", "restore", sys.argv[1], "--replace"]).execute()
"""


def sha256(content):
    return archive.hashlib.sha256(content).hexdigest()


def test_a_backup_of_a_newer_code_is_refused_before_anything_is_written(db, altered, media):
    path = altered(manifest={"migrations": ["entsvc.0001_initial", "entsvc.9999_to_come"]})
    with pytest.raises(backups.BackupRefused, match=r"plus récent.* entsvc\.9999_to_come\."):
        backups.restore(path, replace=True)
    assert not media.exists()


def test_a_backup_of_the_other_kind_of_database_is_refused(db, altered):
    with pytest.raises(backups.BackupRefused, match="du même genre"):
        backups.restore(altered(manifest={"vendor": "oracle"}), replace=True)


def test_a_deviation_of_the_ledger_makes_the_restoration_fail(issued, elsewhere, tmp_path):
    """The backup is whole, but of a ledger that had already lost a document."""
    shutil.copytree(issued.media, tmp_path / "media")
    poor = scratch_database.Scratch(issued.url, tmp_path)
    next(poor.media.rglob("*.pdf")).unlink()
    assert run("backup", poor, tmp_path / "poor.tar").returncode == 0
    done = run("restore", elsewhere, tmp_path / "poor.tar")
    assert done.returncode == 1
    assert "le registre présente les écarts" in done.stderr
    assert "restaurez-le depuis la sauvegarde" in done.stdout


def test_a_file_removed_while_the_backup_is_made_is_left_out(monkeypatch, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    (media / "kept.pdf").write_bytes(b"%PDF-")
    (media / ".en-cours-x").write_bytes(b"half")
    (tmp_path / "dump").write_bytes(b"rows")
    found = [*archive._documents(media), media / "gone.csv"]
    monkeypatch.setattr(archive, "_documents", lambda media: found)
    manifest = archive.write(tmp_path / "a.tar", tmp_path / "dump", media, {})
    assert list(manifest["documents"]["files"]) == ["kept.pdf"]
    assert archive.read(tmp_path / "a.tar")["documents"]["count"] == 1


def test_a_failure_while_writing_leaves_no_file(monkeypatch, tmp_path):
    (tmp_path / "dump").write_bytes(b"rows")
    monkeypatch.setattr(archive, "_put", lambda *arguments: 1 / 0)
    (tmp_path / "to").mkdir()
    with pytest.raises(ZeroDivisionError):
        archive.write(tmp_path / "to" / "a.tar", tmp_path / "dump", tmp_path / "media", {})
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.skipif(not POSTGRESQL, reason="SQLite se sauvegarde sans programme")
@pytest.mark.parametrize(
    ("answer", "said"), [("pg_dump (PostgreSQL) 9.6.24", "postgresql-client-"), (None, "pg_dump manque")]
)
def test_programs_that_are_absent_or_too_old_are_named(answer, said, db, tmp_path, monkeypatch):
    if answer:
        (tmp_path / "pg_dump").write_text(f"#!/bin/sh\necho '{answer}'\n")
        (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(backups.BackupRefused, match=said):
        backups.back_up(tmp_path / "a.tar")


def test_the_default_name_says_when(tmp_path):
    assert backups._target(tmp_path).parent == tmp_path
    assert backups._target(tmp_path).name.startswith("entsvc-20")
    assert backups._target(tmp_path / "x.tar") == tmp_path / "x.tar"

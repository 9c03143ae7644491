"""The bytes of a document: written once, whole or absent, checked each time they are read."""

import hashlib
import stat
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from entsvc import documents
from entsvc.documents import CorruptDocument
from entsvc.models import StoredDocument

CONTENT = "Titre n° 1".encode()
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PATH = f"documents/{DIGEST[:2]}/{DIGEST[2:4]}/{DIGEST}.pdf"


def store(content=CONTENT):
    return documents.store(content, content_type="application/pdf", suffix=".pdf")


def files(media):
    return sorted(path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file())


def test_it_works(db, media):
    document = store()
    assert (document.sha256, document.path, document.size) == (DIGEST, PATH, len(CONTENT))
    assert document.content_type == "application/pdf"
    assert (media / PATH).read_bytes() == documents.read(document) == CONTENT


def test_the_same_bytes_are_kept_once(db, media):
    assert store() == store()
    assert StoredDocument.objects.count() == 1
    assert files(media) == [PATH]


def test_other_bytes_are_another_document(db, media):
    assert store() != store(b"autre")
    assert len(files(media)) == 2


def test_killed_between_the_file_and_its_row_the_next_call_finds_the_file(db, media, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("coupure")

    with monkeypatch.context() as patch:
        patch.setattr(StoredDocument.objects, "get_or_create", fail)
        with pytest.raises(RuntimeError):
            store()
    assert files(media) == [PATH]
    assert not StoredDocument.objects.exists()
    assert documents.read(store()) == CONTENT
    assert files(media) == [PATH]


@pytest.mark.parametrize("found", [b"", CONTENT[:-1], CONTENT + b" ", b"Titre n\xc2\xb0 2"])
def test_bytes_that_changed_are_never_served(db, media, found):
    document = store()
    (media / PATH).write_bytes(found)
    with pytest.raises(CorruptDocument, match=f"Le fichier {PATH} a été modifié"):
        documents.read(document)


def test_a_lost_file_is_named_with_what_to_do(db, media):
    document = store()
    (media / PATH).unlink()
    with pytest.raises(CorruptDocument, match=f"{PATH} est absent : restaurez-le"):
        documents.read(document)


def test_a_lost_file_comes_back_when_its_bytes_are_stored_again(db, media):
    document = store()
    (media / PATH).unlink()
    assert store() == document
    assert documents.read(document) == CONTENT


def test_a_file_is_whole_or_absent(db, media, monkeypatch):
    """Whatever breaks before the rename, neither the file nor a piece of it remains."""

    def fail(*args):
        raise OSError("disque plein")

    monkeypatch.setattr(documents.os, "fsync", fail)
    with pytest.raises(OSError, match="disque plein"):
        store()
    assert files(media) == []
    assert not StoredDocument.objects.exists()


def test_the_file_gets_its_name_only_once_complete_and_on_disk(db, media, monkeypatch):
    seen = []
    replace = Path.replace

    def watch(source, target):
        seen.append((source.read_bytes(), source.name.startswith(".en-cours-"), target.exists()))
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", watch)
    store()
    assert seen == [(CONTENT, True, False)]


def test_others_on_the_machine_cannot_read_a_document(db, media):
    store()
    assert stat.S_IMODE((media / PATH).stat().st_mode) == 0o640


def test_two_writers_of_the_same_bytes_leave_one_whole_file(db, media, monkeypatch):
    """Another process writes the file between our look and our writing."""
    save = default_storage.save

    def save_after_another(name, content):
        save(name, ContentFile(CONTENT))
        return save(name, content)

    monkeypatch.setattr(default_storage, "save", save_after_another)
    document = store()
    assert documents.read(document) == CONTENT
    assert files(media) == [PATH]

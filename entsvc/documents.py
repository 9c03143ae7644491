"""How the bytes of a document are kept: written once, named by their SHA-256, checked when read."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage

if TYPE_CHECKING:
    from entsvc.models import StoredDocument


_ABSENT = "Le fichier {} est absent : restaurez-le depuis la sauvegarde."
_CHANGED = "Le fichier {} a été modifié : restaurez-le depuis la sauvegarde."


class CorruptDocument(Exception):
    """The stored bytes are missing or are no longer those that were stored."""


class DurableFileSystemStorage(FileSystemStorage):
    """A file is whole or absent: temporary file, fsync, then rename."""

    def _save(self, name: str, content: File) -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".en-cours-")
        try:
            with os.fdopen(handle, "wb") as out:
                for chunk in content.chunks():
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).chmod(0o640)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return name


def store(content: bytes, *, content_type: str, suffix: str) -> "StoredDocument":
    """Keep bytes and return their row; the same bytes are kept once.

    The file is written before the row: killed in between, a file without a row remains, and the
    next call with the same bytes finds it.
    """
    from entsvc.models import StoredDocument

    digest = hashlib.sha256(content).hexdigest()
    path = f"documents/{digest[:2]}/{digest[2:4]}/{digest}{suffix}"
    if not default_storage.exists(path):
        written = default_storage.save(path, ContentFile(content))
        if written != path:  # another process wrote the same bytes meanwhile
            default_storage.delete(written)
    document, _ = StoredDocument.objects.get_or_create(
        sha256=digest,
        defaults={"path": path, "size": len(content), "content_type": content_type},
    )
    return document


def check(path: str, sha256: str, size: int, *, whole: bool = True) -> None:
    """Raise CorruptDocument when the file of a document is absent or is not what was stored.

    Its size alone tells it unless `whole`; memory does not grow with the file.
    """
    try:
        if default_storage.size(path) == size:
            if not whole:
                return
            with default_storage.open(path) as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == sha256:
                    return
    except FileNotFoundError as error:
        raise CorruptDocument(_ABSENT.format(path)) from error
    raise CorruptDocument(_CHANGED.format(path))


def read(document: "StoredDocument") -> bytes:
    """Return the stored bytes; raise CorruptDocument when they are not those that were stored."""
    try:
        with default_storage.open(document.path) as stream:
            content = stream.read()
    except FileNotFoundError as error:
        raise CorruptDocument(_ABSENT.format(document.path)) from error
    if hashlib.sha256(content).hexdigest() != document.sha256:
        raise CorruptDocument(_CHANGED.format(document.path))
    return content

"""A backup in one file: a tar of the database, the documents and, last, the manifest that proves it."""

import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

FORMAT = 1
MANIFEST, DATABASE, DOCUMENTS = "manifeste.json", "base", "documents/"
_UNFINISHED = ".en-cours-"
_MODE = 0o600
_CHUNK = 1024**2


class BadArchive(Exception):
    """The archive is not one of ours, or not whole."""


def write(target: Path, dump: Path, media: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write an archive under a temporary name, then give it its own; return its manifest.

    Only its owner may read it. Raise FileExistsError rather than overwrite. `facts` go into the manifest
    beside what it says of the files: {"database": {size, sha256}, "documents": {count, size, files}},
    where `files` gives [size, sha256] by path.
    """
    with unfinished(target) as temporary:
        with (
            os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as out,
            tarfile.open(fileobj=out, mode="w") as tar,
        ):
            database = _add(tar, dump, DATABASE)
            files = {}
            for path in _documents(media):
                try:
                    files[path.relative_to(media).as_posix()] = _add(tar, path, _member(path, media))
                except FileNotFoundError:
                    continue  # a file that was only tried, and has been removed since
            manifest = {
                "format": FORMAT,
                **facts,
                "database": dict(zip(("size", "sha256"), database, strict=True)),
                "documents": {
                    "count": len(files),
                    "size": sum(size for size, _ in files.values()),
                    "files": files,
                },
            }
            content = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
            _put(tar, MANIFEST, len(content), io.BytesIO(content))
            tar.close()
            out.flush()
            os.fsync(out.fileno())
        refuse_existing(target)
        temporary.rename(target)
    return manifest


def refuse_existing(target: Path) -> None:
    """Raise FileExistsError when there is already a file of that name."""
    if target.exists():
        raise FileExistsError(f"{target} existe déjà : une sauvegarde n'en remplace jamais une autre.")


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Give a name beside the target, in a folder that only its owner sees and that does not stay."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_UNFINISHED) as folder:
        yield Path(folder) / target.name


def read(path: Path) -> dict[str, Any]:
    """Return the manifest of an archive, once every byte is found to be as it says; raise BadArchive."""
    found, manifest = {}, None
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise BadArchive(f"{member.name} n'a rien à faire dans une sauvegarde.")
                if member.name == MANIFEST:
                    manifest = json.load(content)
                else:
                    found[member.name] = [member.size, _digest(content)]
        if manifest is None:
            raise BadArchive("elle n'a pas son manifeste, écrit en dernier : elle est tronquée.")
        _compare(manifest, found)
    except FileNotFoundError as error:
        raise BadArchive("le fichier est introuvable.") from error
    except PermissionError as error:
        raise BadArchive(f"le compte {os.getuid()} n'a pas le droit de le lire.") from error
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadArchive(f"elle est tronquée ou abîmée ({error}).") from error
    return manifest


def extract_database(path: Path, target: Path) -> None:
    """Write the database of an archive that was read into a file."""
    with tarfile.open(path, "r:") as tar:
        _extract(tar, tar.getmember(DATABASE), target)


def extract_documents(path: Path, media: Path) -> None:
    """Write the documents of an archive that was read, each whole or not at all; others stay."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.name.startswith(DOCUMENTS):
                target = media / member.name.removeprefix(DOCUMENTS)
                target.parent.mkdir(parents=True, exist_ok=True)
                with unfinished(target) as temporary:
                    _extract(tar, member, temporary)
                    temporary.chmod(0o640)
                    temporary.replace(target)
    os.sync()


def _documents(media: Path) -> list[Path]:
    """Return the files of the documents' folder, sorted, without those being written."""
    return sorted(
        path
        for path in media.rglob("*")
        if path.is_file() and not any(p.startswith(_UNFINISHED) for p in path.relative_to(media).parts)
    )


def has_documents(media: Path) -> bool:
    """Tell whether the documents' folder holds something."""
    return bool(_documents(media))


def _member(path: Path, media: Path) -> str:
    return DOCUMENTS + path.relative_to(media).as_posix()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> tuple[int, str]:
    """Add a file; return its size and SHA-256, of the very bytes that were added."""
    with path.open("rb") as source:
        reader = _Hashing(source)
        size = os.fstat(source.fileno()).st_size
        _put(tar, name, size, reader)
    return size, reader.sha256.hexdigest()


def _put(tar: tarfile.TarFile, name: str, size: int, content: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, _MODE, int(time.time())
    tar.addfile(info, content)


class _Hashing:
    """Reads a file and computes its SHA-256 on the way."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.sha256 = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self.source.read(size)
        self.sha256.update(chunk)
        return chunk


def _digest(content: IO[bytes]) -> str:
    sha256 = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        sha256.update(chunk)
    return sha256.hexdigest()


def _compare(manifest: dict[str, Any], found: dict[str, list]) -> None:
    """Raise BadArchive unless the archive holds what its manifest says, no more, under safe names."""
    if manifest["format"] != FORMAT:
        raise BadArchive(f"son format ({manifest['format']}) n'est pas celui que ce code sait lire.")
    database, documents = manifest["database"], manifest["documents"]
    expected = {DATABASE: [database["size"], database["sha256"]]}
    expected |= {DOCUMENTS + name: facts for name, facts in documents["files"].items()}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise BadArchive(f"{name} y manque.")
        if found[name] != expected.get(name):
            raise BadArchive(f"{name} n'est pas ce que dit son manifeste.")
        path = PurePosixPath(name.removeprefix(DOCUMENTS))
        if path.is_absolute() or ".." in path.parts:
            raise BadArchive(f"{name} sort du dossier des documents.")


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as out:
        while chunk := content.read(_CHUNK):
            out.write(chunk)

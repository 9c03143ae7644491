"""What the journal keeps of the contents of a bordereau: its chain then covers every piece."""

import hashlib
from collections.abc import Iterable

SEAL = "pieces_sha256"


def seal(pieces: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the data that the event of an issue keeps of its pieces: (reference, fingerprint) each.

    The SHA-256 of the list « reference fingerprint », one piece a line, in the order of references.
    """
    digest = hashlib.sha256()
    for reference, sha256 in sorted(pieces):
        digest.update(f"{reference} {sha256}\n".encode())
    return {SEAL: digest.hexdigest()}

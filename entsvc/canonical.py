"""One text for the same facts, and its SHA-256: what fingerprints of data are made of."""

import hashlib
import json
from typing import Any


def canonical(data: Any) -> str:
    """Return JSON data as one text, whatever the order in which the database gives its keys back."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def fingerprint(data: Any) -> str:
    """Return the SHA-256 of JSON data, in hexadecimal."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()

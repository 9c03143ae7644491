"""How a code is spelled in the database, whatever the case in which a file writes it."""


class Spellings:
    """Codes as they are written in the database, found whatever their case."""

    def __init__(self) -> None:
        self._codes: set[str] = set()
        self._by_upper: dict[str, str] = {}

    def add(self, code: str) -> None:
        """Note a code; the last one added wins between two that only their case tells apart."""
        self._codes.add(code)
        self._by_upper[code.upper()] = code

    def find(self, text: str) -> str:
        """Return the code as stored, or in upper case when there is none."""
        return text if text in self._codes else self._by_upper.get(text.upper(), text.upper())

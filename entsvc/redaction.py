"""What no log must keep: the one-time links."""

import logging
import re

_TOKEN = re.compile(r"(jeton=)[^\s&\"']+")


def without_tokens(text: str) -> str:
    """Return a text with the tokens of its addresses replaced by stars."""
    return _TOKEN.sub(r"\1***", text)


class WithoutTokens(logging.Filter):
    """Replace the tokens of the addresses by stars."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                without_tokens(item) if isinstance(item, str) else item for item in record.args
            )
        if isinstance(record.msg, str):
            record.msg = without_tokens(record.msg)
        return True

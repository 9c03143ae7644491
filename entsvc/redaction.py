"""What the log of the development server must not keep: the one-time links."""

import logging
import re

_TOKEN = re.compile(r"(jeton=)[^\s&\"']+")


class WithoutTokens(logging.Filter):
    """Replace the tokens of the addresses by stars."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                _TOKEN.sub(r"\1***", item) if isinstance(item, str) else item for item in record.args
            )
        if isinstance(record.msg, str):
            record.msg = _TOKEN.sub(r"\1***", record.msg)
        return True

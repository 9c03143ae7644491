"""What the processes write on their error output: lines of text, or one JSON object per line."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from entsvc.redaction import without_tokens

FORMATS = ("text", "json")
request_id: ContextVar[str] = ContextVar("request_id", default="")
# What a line may tell of a request, given as `extra`; anything else stays out.
FIELDS = ("method", "path", "status", "duration_ms", "user")


class JsonFormatter(logging.Formatter):
    """One JSON object per line, exceptions included; the one-time links are hidden everywhere."""

    def format(self, record: logging.LogRecord) -> str:
        """Return {time, level, logger, message} and, where there are some, the facts of the request."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_tokens(record.getMessage()),
        }
        if identifier := request_id.get() or _identifier_of(record):
            line["request_id"] = identifier
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = without_tokens(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def _identifier_of(record: logging.LogRecord) -> str:
    """Return the identifier of a request that Django tells of once it has left."""
    return getattr(getattr(record, "request", None), "identifier", "")


def configuration(form: str) -> dict[str, Any]:
    """Return the logging configuration, for Django and for gunicorn.

    « text » is Django's own, for whoever develops; « json » sends everything through one handler.
    """
    if form == "text":
        return _TEXT
    through = {"handlers": [], "propagate": True, "level": "INFO"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "entsvc.logs.JsonFormatter"}},
        "handlers": {"json": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["json"], "level": "INFO"},
        "loggers": {
            # What Django and gunicorn would write on their own.
            "django": through,
            "django.server": through,
            "gunicorn.error": through,
            # At each drawing, thousands of remarks on style sheets and fonts.
            "weasyprint": {"level": "ERROR"},
            "fontTools": {"level": "ERROR"},
        },
    }


_TEXT = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"no_token": {"()": "entsvc.redaction.WithoutTokens"}},
    "handlers": {
        "server": {
            "class": "logging.StreamHandler",
            "filters": ["no_token"],
            "formatter": "django.server",
        },
        "requests": {"class": "logging.StreamHandler", "formatter": "requests"},
    },
    "formatters": {
        "django.server": {
            "()": "django.utils.log.ServerFormatter",
            "format": "[{server_time}] {message}",
            "style": "{",
        },
        "requests": {"format": "[{asctime}] {message}", "style": "{"},
    },
    "loggers": {
        "django.server": {"handlers": ["server"], "level": "INFO", "propagate": False},
        "entsvc.requests": {"handlers": ["requests"], "level": "INFO", "propagate": False},
    },
}

"""Settings of gunicorn: `gunicorn --config=python:entsvc.serving entsvc.wsgi`.

The number of processes is WEB_CONCURRENCY, which gunicorn reads itself. Its access log stays off:
`entsvc.request_log` writes one, without the tokens of the addresses.
"""

import gc
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "entsvc.settings")

from django.conf import settings  # noqa: E402 - a bad environment stops the server at once, here

bind = "127.0.0.1:8000"
# Seconds: drawing a large document takes some; then what is left to the requests of a stopping server.
timeout = 120
graceful_timeout = 30
# A heartbeat on a disk would wait with it.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
logconfig_dict = settings.LOGGING


def post_worker_init(worker: Any) -> None:
    """Spare each page the rounds of the collector: what was loaded stays, and a page makes thousands."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)

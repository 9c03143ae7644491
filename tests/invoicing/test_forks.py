"""A forked process is a process of its own: settings read anew, words, exit code, death."""

import os
import signal

from tests.invoicing.forks import Forked

TELL = """
import sys
from django.conf import settings
from django.db import connection

print(sys.argv[1:], settings.MEDIA_ROOT, connection.settings_dict["NAME"])
sys.exit(3)
"""


def forked(tmp_path, *command):
    lead = {"DATABASE_URL": f"sqlite:///{tmp_path}/base.sqlite3", "MEDIA_ROOT": str(tmp_path / "media")}
    return Forked(command, {**os.environ, **lead})


def test_it_reads_its_own_environment_and_tells_how_it_ended(tmp_path):
    process = forked(tmp_path, "-c", TELL, "un", "deux")
    output, errors = process.communicate(timeout=60)
    assert output == f"['un', 'deux'] {tmp_path}/media {tmp_path}/base.sqlite3\n"
    assert (errors, process.returncode) == ("", 3)
    assert process.communicate() == (output, errors)


def test_an_error_that_nobody_catches_is_told_and_ends_with_1(tmp_path):
    process = forked(tmp_path, "-c", "raise ValueError('cassé')")
    _, errors = process.communicate(timeout=60)
    assert "ValueError: cassé" in errors
    assert process.returncode == 1


def test_it_can_be_killed(tmp_path):
    process = forked(tmp_path, "-c", "import threading; threading.Event().wait()")
    assert process.poll() is None
    process.kill()
    assert process.wait(timeout=60) == process.poll() == -signal.SIGKILL
    process.kill()
    process.communicate()

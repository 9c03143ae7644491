"""A command called in this process: what it writes, and how it fails."""

import io
import json

import pytest
from django.core.management import CommandError, call_command


def call(*arguments):
    """What a command writes on standard output and on standard error."""
    output, errors = io.StringIO(), io.StringIO()
    call_command(*map(str, arguments), stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


def call_json(*arguments):
    output, errors = call(*arguments, "--json")
    assert errors.strip(), "les mots vont sur la sortie d'erreur"
    return json.loads(output)


def failure(*arguments):
    """The JSON document and the words of a command that applied nothing."""
    output = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command(*map(str, arguments), "--json", stdout=output, stderr=io.StringIO())
    assert failed.value.returncode == 1
    return json.loads(output.getvalue()), str(failed.value)

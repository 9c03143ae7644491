"""Files as people send them, and the import commands run on them."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from members.models import Headcount, Member, School, Usage

CONTRACT_KEYS = {"file", "rows", "created", "updated", "unchanged", "refused", "flagged"}
FINDING_KEYS = {"line", "field", "value", "message"}


@dataclass(frozen=True)
class Outcome:
    """What a command said: its JSON document, and its words on standard error."""

    report: dict
    words: str

    @property
    def counts(self):
        """Return (rows, created, updated, unchanged, refused, flagged)."""
        report = self.report
        written = (report[name] for name in ("rows", "created", "updated", "unchanged"))
        return (*written, len(report["refused"]), len(report["flagged"]))

    @property
    def refused(self):
        """Return (line, field, value) of each refused row."""
        return [(f["line"], f["field"], f["value"]) for f in self.report["refused"]]

    @property
    def flagged(self):
        """Return (line, field, value) of each flagged row."""
        return [(f["line"], f["field"], f["value"]) for f in self.report["flagged"]]


def run(command, path, *, dry_run=False, **options):
    """Run an import with `--json` and check the shape that the contract promises."""
    out, err = io.StringIO(), io.StringIO()
    call_command(command, path, json=True, dry_run=dry_run, stdout=out, stderr=err, **options)
    report = json.loads(out.getvalue())
    assert set(report) >= CONTRACT_KEYS
    for finding in report["refused"] + report["flagged"]:
        assert set(finding) == FINDING_KEYS
        assert finding["message"]
    assert report["rows"] >= report["created"] + report["updated"] + report["unchanged"]
    return Outcome(report, err.getvalue())


def run_refused(command, path, **options):
    """Run an import that must change nothing and exit with 1; return its message."""
    before = snapshot()
    out = io.StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command(command, path, json=True, stdout=out, stderr=io.StringIO(), **options)
    document = json.loads(out.getvalue())
    assert refusal.value.returncode == 1
    assert document["error"] == str(refusal.value)
    assert (document["created"], document["updated"]) == (0, 0)
    assert snapshot() == before
    return str(refusal.value)


def write_csv(path: Path, *lines, encoding="utf-8", newline="\n"):
    """Write lines, the first being the header."""
    path.write_bytes((newline.join(lines) + newline).encode(encoding))
    return path


def write_xlsx(path: Path, *lines):
    """Write the same lines as text cells of a workbook."""
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line.split(";"))
    book.save(path)
    return path


def with_columns(lines, order):
    """Return the lines with their columns in another order."""
    return [";".join(line.split(";")[position] for position in order) for line in lines]


def snapshot():
    """Return all that the imports of this room write, but keys and times."""
    return {
        "schools": sorted(_values(School, "id")),
        "members": sorted(_values(Member, "id")),
        "headcounts": sorted(
            Headcount.current.values_list("school__uai", "school_year", "source_id", "pupils")
        ),
        "usages": sorted(
            Usage.current.values_list("school__uai", "school_year", "source_id", "active_pupils")
        ),
    }


def _values(model, *left_out):
    names = [f.attname for f in model._meta.concrete_fields if f.attname not in left_out]
    return [tuple(map(str, row)) for row in model.objects.order_by("pk").values_list(*names)]

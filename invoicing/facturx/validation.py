"""Whether an electronic invoice follows its official rules: asked each time, of the bytes themselves.

Nothing of it is stored: the answer follows from the bytes and from the edition of the rules installed,
and no invoice is kept that the rules refuse (see `production`).
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from entsvc.french import plural
from invoicing.facturx.invoice_xml import schema_refusal
from invoicing.facturx.profiles import Profile
from invoicing.facturx.schematrons import ABSENT, BR_FR, EN16931

RULES = {Profile.REFORM: (EN16931, BR_FR), Profile.CHORUS: (EN16931,)}
START, EACH = 60, 2  # seconds allowed to the processor, and for each file
NOT_RUN = "non vérifié (le moteur de règles n'est pas installé)"
FAILED = "non vérifié (le moteur de règles s'est arrêté)"


@dataclass(frozen=True)
class Ruling:
    """What one set of rules says of an invoice; `fired` is 0 when they did not run."""

    rules: str
    fired: int
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def words(self) -> str:
        """Return it in one French line."""
        if self.why_not:
            return f"Règles {self.rules} : {self.why_not}."
        if self.failures:
            return f"Règles {self.rules} : {plural(len(self.failures), 'écart')}."
        passed = plural(self.fired, "contrôle exécuté", "contrôles exécutés")
        return f"Règles {self.rules} : aucun écart, {passed}."


@dataclass(frozen=True)
class Verdict:
    """What the schema and the rules say of an invoice."""

    schema: str  # why the schema refuses it, nothing when it passes
    rulings: tuple[Ruling, ...]

    @property
    def refused(self) -> list[str]:
        """Return the reasons why it must not go out."""
        schema = [f"Schéma XSD : {self.schema}"] if self.schema else []
        return [*schema, *(failure for ruling in self.rulings for failure in ruling.failures)]

    @property
    def is_checked(self) -> bool:
        """Tell whether every set of rules that applies really ran."""
        return all(ruling.fired for ruling in self.rulings)

    @property
    def words(self) -> list[str]:
        """Return it in French lines; « valide » is never said of what was not checked."""
        schema = f"Schéma XSD : refusé, {self.schema}" if self.schema else "Schéma XSD : valide."
        return [schema, *(ruling.words for ruling in self.rulings)]


def check(xmls: Sequence[bytes], profile: Profile, rules: Sequence[str] = ()) -> list[Verdict]:
    """Return the verdict on each XML of a profile; all go through one process.

    `rules` are those to run, by default those of the profile.
    """
    names = tuple(rules) or RULES[profile]
    told = _run(xmls, names) if xmls else []
    return [
        Verdict(schema_refusal(xml), tuple(rulings)) for xml, rulings in zip(xmls, told, strict=True)
    ]


def is_installed() -> bool:
    """Tell whether the processor of the rules is there: it comes with the extra « validation »."""
    return importlib.util.find_spec("saxonche") is not None


def _run(xmls: Sequence[bytes], rules: Sequence[str]) -> list[list[Ruling]]:
    if not is_installed():
        return _unknown(xmls, rules, NOT_RUN)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{rank}.xml" for rank in range(len(xmls))]
        for file, xml in zip(files, xmls, strict=True):
            file.write_bytes(xml)
        command = [sys.executable, "-m", "invoicing.facturx.schematrons", *map(str, files)]
        try:
            done = subprocess.run(
                [*command, "--rules", *rules],
                cwd=settings.BASE_DIR,
                capture_output=True,
                timeout=START + EACH * len(files),
            )
            if done.returncode == ABSENT:
                return _unknown(xmls, rules, NOT_RUN)
            found = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            return _unknown(xmls, rules, FAILED)
    return [[_ruling(name, found[str(file)][name]) for name in rules] for file in files]


def _unknown(xmls: Sequence[bytes], rules: Sequence[str], why: str) -> list[list[Ruling]]:
    return [[Ruling(name, 0, why_not=why) for name in rules] for _ in xmls]


def _ruling(name: str, told: dict[str, Any]) -> Ruling:
    sorted_out: dict[bool, list[str]] = {True: [], False: []}
    for failure in told["failures"]:
        words = f"{failure['rule']} : {failure['message']}" if failure["rule"] else failure["message"]
        sorted_out[failure["flag"] == "warning"].append(words)
    why_not = "" if told["fired"] or sorted_out[False] else "non vérifié (aucune règle n'a été exécutée)"
    return Ruling(name, told["fired"], tuple(sorted_out[False]), tuple(sorted_out[True]), why_not)

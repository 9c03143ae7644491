"""Which schools a complete annuaire must name, and what becomes of those it names no more.

The annuaire gives no closing date: a school that closed is only absent from the next edition.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum

from django.db.models import Q
from django.utils import timezone

from entsvc import history
from entsvc.cells import read_day
from entsvc.french import integer, short_date
from entsvc.importing import Job, Option, Report
from entsvc.tabular import UnreadableFile, normalise
from members import identifiers
from members.geography import communes_of_today
from members.importers import repairs
from members.models import School

UAI_COLUMN = "identifiant_de_l_etablissement"
MANY = 10  # schools gone out of a hundred: more than a school year ever closes
EXPECTED = "Écrivez departement:80,02 ou academie:20 ou communes:31533,31555, ou tout pour la France."


class Kind(Enum):
    """What the codes of a perimeter name."""

    DEPARTEMENT = "departement"
    ACADEMY = "academie"
    COMMUNES = "communes"
    ALL = "tout"


READ = {
    Kind.DEPARTEMENT: repairs.departement_code,
    Kind.ACADEMY: repairs.academy_code,
    Kind.COMMUNES: identifiers.check_commune_code,
}


@dataclass(frozen=True)
class Perimeter:
    """A territory of which a file names every school."""

    kind: Kind
    codes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind.value}:{','.join(self.codes)}" if self.codes else self.kind.value

    def schools(self, prefix: str = "") -> Q:
        """Match its stored schools; `prefix` leads to them from another table."""
        if self.kind is Kind.ALL:
            return Q()
        if self.kind is Kind.ACADEMY:
            return Q(**{f"{prefix}academy_code__in": self.codes})
        if self.kind is Kind.COMMUNES:
            return Q(**{f"{prefix}commune_code__in": self.codes})
        held = Q(**{f"{prefix}departement_code__in": self.codes})
        for code in self.codes:  # a school typed by hand may have its commune only
            held |= Q(**{f"{prefix}departement_code": "", f"{prefix}commune_code__startswith": code})
        return held


def parse_perimeter(text: str) -> Perimeter | None:
    """Read « departement:80,02 », « academie:20 », « communes:31533 » or « tout »; empty is None.

    Raises ValueError (French message) for anything else.
    """
    if not text.strip():
        return None
    word, _, listed = text.partition(":")
    word = normalise(word)
    codes = listed.replace(",", " ").split()
    if word == Kind.ALL.value and not codes:
        return Perimeter(Kind.ALL)
    kind = next((kind for kind in READ if kind.value.rstrip("s") == word.rstrip("s")), None)
    if kind is None or not codes:
        raise ValueError(EXPECTED)
    return Perimeter(kind, tuple(sorted({READ[kind](code) for code in codes})))


OPTIONS = (
    Option(
        name="perimeter",
        flag="--perimeter",
        label="Territoire complet du fichier",
        help="Le fichier nomme toutes les écoles de ce territoire : celles qu'il ne nomme plus sont "
        f"marquées absentes, jamais supprimées. {EXPECTED}",
        parse=parse_perimeter,
    ),
    Option(
        name="as_of",
        flag="--as-of",
        label="Date du fichier",
        help="Jour depuis lequel ces écoles sont absentes, comme 2026-09-01 ; aujourd'hui par défaut.",
        parse=read_day,
    ),
)


def named_by(keys: Iterable[str]) -> set[str]:
    """Return the UAI that refused rows name: their seven digits tell which, be the letter wrong."""
    texts = (key.strip()[:7] for key in keys)
    return {t + identifiers.uai_letter(t) for t in texts if len(t) == 7 and t.isascii() and t.isdigit()}


def mark_absences(*, named: set[str], created: set[str], job: Job) -> None:
    """Mark the schools of the perimeter that the file does not name, and clear those named again.

    `named` are the UAI of all its rows, refused ones included; `created` those it has just brought.
    Raises UnreadableFile when the perimeter is not one, or when the file names none of its schools.
    """
    _clear_named(named, job)
    perimeter = job.options.get("perimeter")
    if perimeter is None:
        return
    _refuse_former_communes(perimeter)
    rows = School.objects.filter(perimeter.schools()).order_by("uai")
    rows = list(rows.values_list("pk", "uai", "absent_since"))
    if not any(uai in named for _, uai, _ in rows):
        message = (
            f"Le fichier ne nomme aucune école du territoire {perimeter} : vérifiez l'un et l'autre."
        )
        raise UnreadableFile(message)
    gone = {pk: uai for pk, uai, absent in rows if absent is None and uai not in named}
    before = sum(absent is None and uai not in created for _, uai, absent in rows)
    _mark(gone, file_date(job), job.report)
    if len(gone) * 100 > before * MANY:
        message = (
            f"{integer(len(gone))} écoles sur {integer(before)} disparaissent de ce territoire : "
            "le fichier est-il complet, tous types d'établissement compris ?"
        )
        job.report.flag(None, UAI_COLUMN, str(perimeter), message)


def file_date(job: Job) -> date:
    """Return the date of the file of an import: the one told, else today."""
    return job.options.get("as_of") or timezone.localdate()


def _clear_named(named: set[str], job: Job) -> None:
    """Let the schools named again be there; an older file than the one that missed them says nothing."""
    absent = School.objects.filter(absent_since__lte=file_date(job)).order_by("pk")
    back = [pk for pk, uai in absent.values_list("pk", "uai") if uai in named]
    history.update(School, back, absent_since=None)
    job.report.returned += len(back)


def _mark(gone: dict[int, str], day: date, report: Report) -> None:
    history.update(School, gone, absent_since=day)
    message = f"Absente de l'annuaire complet depuis le {short_date(day)}."
    for uai in gone.values():
        report.flag(None, UAI_COLUMN, uai, message)
    report.absent += len(gone)


def _refuse_former_communes(perimeter: Perimeter) -> None:
    """Refuse an arrondissement or a former code: its commune of today holds more than the file names."""
    if perimeter.kind is not Kind.COMMUNES:
        return
    today = communes_of_today()
    for code in perimeter.codes:
        if code in today:
            message = f"{code} n'est pas une commune d'aujourd'hui : le territoire serait {today[code]}."
            raise UnreadableFile(message)

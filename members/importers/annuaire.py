"""How a row of the annuaire de l'éducation becomes a school."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from entsvc.importing import (
    Importer,
    Report,
    RowError,
    checked,
    parse_date,
    plan_changes,
    write,
)
from entsvc.tabular import Row
from members import identifiers
from members.models import School

DEGREES = {
    "ecole": School.Degree.FIRST,
    "école": School.Degree.FIRST,
    "collège": School.Degree.COLLEGE,
    "college": School.Degree.COLLEGE,
    "lycée": School.Degree.LYCEE,
    "lycee": School.Degree.LYCEE,
}
SECTORS = {
    "public": School.Sector.PUBLIC,
    "privé": School.Sector.PRIVATE,
    "prive": School.Sector.PRIVATE,
    "": "",
}
LEVELS = {
    ("1", "1"): School.Level.PRIMAIRE,
    ("0", "1"): School.Level.ELEMENTAIRE,
    ("1", "0"): School.Level.MATERNELLE,
}
# The annuaire writes this date when it knows none.
UNKNOWN_OPENING = date(1965, 5, 1)


@dataclass(frozen=True)
class Record:
    """A checked row."""

    line: int
    school: School


def parse(row: Row, flag: Callable[[str, str, str], None]) -> Record:
    """Read a row of the annuaire; raise RowError for what can't be kept."""
    values = row.values
    kind, sector = values["type_etablissement"], values["statut_public_prive"]
    if sector.lower() not in SECTORS:
        raise RowError("statut_public_prive", sector, "Secteur attendu : Public ou Privé.")
    if not sector:
        message = "Secteur inconnu : sans lui, l'école bloquera son appel."
        flag("statut_public_prive", "", message)
    degree = DEGREES.get(kind.lower(), School.Degree.OTHER)
    levels = (values.get("ecole_maternelle", ""), values.get("ecole_elementaire", ""))
    school = School(
        uai=checked(
            "identifiant_de_l_etablissement",
            values["identifiant_de_l_etablissement"],
            identifiers.check_uai,
        ),
        name=_required("nom_etablissement", values),
        degree=degree,
        level=LEVELS.get(levels, "") if degree == School.Degree.FIRST else "",
        sector=SECTORS[sector.lower()],
        commune_code=checked("code_commune", values["code_commune"], identifiers.check_commune_code),
        commune_name=values.get("nom_commune", "")[:100],
        address=values.get("adresse_1", "")[:200],
        postal_code=values.get("code_postal", "")[:5],
        siren_siret=_siret(values.get("siren_siret", ""), flag),
        state=values.get("etat", "").upper()[:20],
        opened_on=_opened_on(values.get("date_ouverture", "")),
    )
    if school.state == "A FERMER":
        flag("etat", school.state, "Établissement annoncé à la fermeture.")
    return Record(row.line, school)


def apply(records: list[Record], report: Report) -> None:
    """Create or update schools by UAI."""
    fields = [f.name for f in School._meta.concrete_fields if f.name not in ("id", "uai", "search")]
    plan = plan_changes(School, ("uai",), (record.school for record in records), fields)
    plan.count_in(report)
    write(plan, School, fields)


IMPORTER = Importer(
    name="annuaire",
    columns=(
        "identifiant_de_l_etablissement",
        "nom_etablissement",
        "type_etablissement",
        "statut_public_prive",
        "code_commune",
    ),
    aliases={"uai": "identifiant_de_l_etablissement"},
    parse=parse,
    key=lambda record: record.school.uai,
    key_column="identifiant_de_l_etablissement",
    apply=apply,
)


def _required(column: str, values: dict[str, str]) -> str:
    if not values[column]:
        raise RowError(column, "", "Valeur obligatoire.")
    return values[column][:200]


def _siret(text: str, flag: Callable[[str, str, str], None]) -> str:
    if identifiers.is_rounded(text):
        raise RowError("siren_siret", text, "Nombre arrondi par un tableur : reprenez la source.")
    if not text:
        flag("siren_siret", "", "SIRET absent.")
        return ""
    try:
        identifiers.check_siret(text)
    except ValueError as error:
        flag("siren_siret", text, str(error))
    return text[:14]


def _opened_on(text: str) -> date | None:
    day = parse_date("date_ouverture", text)
    return None if day == UNKNOWN_OPENING else day

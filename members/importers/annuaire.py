"""How a row of the annuaire de l'éducation becomes a school, whatever its edition."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from entsvc.cells import NO, YES, RowError, checked, is_rounded, parse_date, required
from entsvc.changes import in_batches, plan_changes, write
from entsvc.importing import Flag, Importer, Job, Layout, Options, register
from entsvc.tabular import Row, normalise
from members import identifiers
from members.importers import perimeter, places, repairs
from members.importers.headers import ANNUAIRE_ALIASES
from members.models import School

UAI, NAME = "identifiant_de_l_etablissement", "nom_etablissement"
KIND, SECTOR, COMMUNE = "type_etablissement", "statut_public_prive", "code_commune"
DEGREES = {
    "ecole": School.Degree.FIRST,
    "college": School.Degree.COLLEGE,
    "lycee": School.Degree.LYCEE,
    "erea": School.Degree.OTHER,
    "medico_social": School.Degree.OTHER,
    "service_administratif": School.Degree.OTHER,
    "information_et_orientation": School.Degree.OTHER,
    "autre": School.Degree.OTHER,
}
SECTORS = {
    "public": School.Sector.PUBLIC,
    "privé": School.Sector.PRIVATE,
    "prive": School.Sector.PRIVATE,
    "": "",
}
LEVELS = {
    (True, True): School.Level.PRIMAIRE,
    (False, True): School.Level.ELEMENTAIRE,
    (True, False): School.Level.MATERNELLE,
    (False, False): "",
}
# Natures 1xx are écoles; those of level élémentaire (15x, 16x) hold the primaires too, so tell no level.
FIRST_DEGREE_NATURE = re.compile(r"1[0-9]{2}")
MATERNELLE_NATURES = ("101", "102", "103")
# The annuaire writes these dates when it knows none: its first loading, and a school not open yet.
UNKNOWN_OPENINGS = (date(1965, 5, 1), date(2099, 1, 1))
STATES = {
    "": "",
    "OUVERT": "",
    "A FERMER": "Établissement annoncé à la fermeture.",
    "A OUVRIR": "Établissement annoncé à l'ouverture : il n'est pas encore ouvert.",
}
# A workbook cell gives 2,17003E+13 as 21700300000000; no establishment is numbered 00000.
ROUNDED_SIRET = re.compile(r"[0-9]{9}00000")
ROUNDED = "Nombre arrondi par un tableur : reprenez la source."
WRITTEN = [
    field.name
    for field in School._meta.concrete_fields
    if field.name not in ("id", "uai", "search", "absent_since")
]


@dataclass(frozen=True, slots=True)
class Record:
    """A checked row; `shared` when the annuaire says that several rows bear its UAI.

    `answers_rpi` when it says whether the school is in a RPI, `doubtful` when its SIRET is no SIRET.
    """

    line: int
    school: School
    shared: bool
    answers_rpi: bool
    doubtful: bool


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a row of the annuaire; raise RowError for what can't be kept."""
    values = row.values
    uai = checked(UAI, values[UAI], identifiers.check_uai)
    name = required(NAME, values[NAME])
    sector = values[SECTOR].lower()
    if sector not in SECTORS:
        raise RowError(SECTOR, values[SECTOR], "Secteur attendu : Public ou Privé.")
    departement = _warned("code_departement", values, flag, repairs.departement_code)
    commune = _commune_code(values, departement)
    opened_on = parse_date("date_ouverture", values.get("date_ouverture", ""))
    siren_siret, doubtful = _siren_siret(values.get("siren_siret", ""), flag)
    if not sector:
        flag(SECTOR, "", "Secteur inconnu : sans lui, l'école bloquera son appel.")
    departement = departement or identifiers.departement_of(commune)
    school = School(
        uai=uai,
        name=name,
        kind=_cut(KIND, values, flag),
        degree=_degree(values, flag),
        sector=SECTORS[sector],
        commune_code=commune,
        commune_name=_cut("nom_commune", values, flag),
        departement_code=departement,
        academy_code=_warned("code_academie", values, flag, repairs.academy_code),
        circumscription_code=_warned("code_circonscription", values, flag, identifiers.check_uai),
        circumscription=_cut("nom_circonscription", values, flag),
        address=_address(values, flag),
        postal_code=_warned(
            "code_postal", values, flag, lambda text: repairs.postal_code(text, departement=departement)
        ),
        siren_siret=siren_siret,
        state=_state(values.get("etat", ""), flag),
        opened_on=None if opened_on in UNKNOWN_OPENINGS else opened_on,
    )
    school.level = _level(values) if school.degree == School.Degree.FIRST else ""
    school.rpi_code = _warned(
        "rpi_disperse", values, flag, lambda text: repairs.rpi_code(text, departement=departement)
    )
    school.rpi = _rpi(values, school.rpi_code)
    return Record(
        line=row.line,
        school=school,
        shared=_says_yes("multi_uai", values),
        answers_rpi=_answers_rpi(values, school.rpi_code),
        doubtful=doubtful,
    )


def apply(records: list[Record], job: Job) -> None:
    """Create or update schools by UAI, then mark those that a complete file no longer names."""
    places.settle(((record.line, record.school) for record in records), job.report)
    for record in records:
        if record.shared:
            message = "L'annuaire connaît plusieurs sites sous ce code : vérifiez le nom et l'adresse."
            job.report.flag(record.line, UAI, record.school.uai, message)
    _keep_known_sirets(records)
    answered = {record.school.uai: ("rpi", "rpi_code") for record in records if record.answers_rpi}
    plan = plan_changes(School, "uai", (record.school for record in records), WRITTEN, answered)
    for school in (*plan.create, *plan.update):
        school.degree = school.degree or School.Degree.OTHER
    plan.count_in(job.report)
    write(plan, School, WRITTEN)
    perimeter.mark_absences(
        named={record.school.uai for record in records} | perimeter.named_by(job.refused_keys),
        created={school.uai for school in plan.create},
        job=job,
    )


IMPORTER = register(
    Importer(
        name="annuaire",
        title="Annuaire de l'éducation",
        layouts=(
            Layout(
                name="annuaire",
                columns=(UAI, NAME, KIND, SECTOR, COMMUNE),
                aliases=ANNUAIRE_ALIASES,
                parse=parse,
            ),
        ),
        key=lambda record: record.school.uai,
        key_column=UAI,
        apply=apply,
        permissions=("members.add_school", "members.change_school"),
        options=perimeter.OPTIONS,
    )
)


def _keep_known_sirets(records: list[Record]) -> None:
    """Let a wrong SIRET say nothing of the schools that have one: it never replaces it."""
    doubtful = {record.school.uai: record.school for record in records if record.doubtful}
    for batch in in_batches(doubtful):
        known = School.objects.filter(uai__in=batch).exclude(siren_siret="")
        for uai in known.order_by("pk").values_list("uai", flat=True):
            doubtful[uai].siren_siret = ""


def _warned(column: str, values: dict[str, str], flag: Flag, check: Callable[[str], str]) -> str:
    """Return a checked code, or nothing and a flag: these columns may warn, they never refuse a row."""
    text = values.get(column, "")
    if not text:
        return ""
    try:
        return check(text)
    except ValueError as error:
        flag(column, text[:50], str(error))
        return ""


LONGEST = {
    column: School._meta.get_field(name).max_length
    for column, name in (
        (KIND, "kind"),
        ("nom_commune", "commune_name"),
        ("nom_circonscription", "circumscription"),
        ("adresse_1", "address"),
    )
}


def _cut(column: str, values: dict[str, str], flag: Flag) -> str:
    """Return a text, flagged when too long to be kept whole."""
    text, longest = values.get(column, ""), LONGEST[column]
    if len(text) > longest:
        flag(column, text[:50], f"Plus de {longest} caractères : la fin n'est pas gardée.")
    return text[:longest]


def _commune_code(values: dict[str, str], departement: str) -> str:
    return checked(
        COMMUNE,
        values[COMMUNE],
        lambda text: repairs.commune_code(
            text, departement=departement, postal_code=values.get("code_postal", "")
        ),
    )


def _degree(values: dict[str, str], flag: Flag) -> str:
    """Return the degree of the type, or that of the nature when the file leaves the type empty."""
    kind = normalise(values[KIND])
    if not kind:
        nature = values.get("code_nature", "")
        return School.Degree.FIRST if FIRST_DEGREE_NATURE.fullmatch(nature) else ""
    if kind not in DEGREES:
        flag(KIND, values[KIND][:50], "Type d'établissement inconnu : son degré n'est pas su.")
    return DEGREES.get(kind, School.Degree.OTHER)


def _level(values: dict[str, str]) -> str:
    flags = ("ecole_maternelle", "ecole_elementaire")
    if any(values.get(column) for column in flags):
        return LEVELS[_says_yes(flags[0], values), _says_yes(flags[1], values)]
    return School.Level.MATERNELLE if values.get("code_nature") in MATERNELLE_NATURES else ""


def _says_yes(column: str, values: dict[str, str]) -> bool:
    return values.get(column, "").lower() in YES


def _rpi(values: dict[str, str], code: str) -> str:
    if _says_yes("rpi_concentre", values):
        return School.Rpi.CONCENTRATED
    return School.Rpi.DISPERSED if code else ""


def _answers_rpi(values: dict[str, str], code: str) -> bool:
    """Tell whether the file has both columns of RPI and both are read: blank there is « none »."""
    concentrated, dispersed = values.get("rpi_concentre"), values.get("rpi_disperse")
    if concentrated is None or dispersed is None:
        return False
    return concentrated.lower() in YES | NO and bool(code or not dispersed)


def _address(values: dict[str, str], flag: Flag) -> str:
    """Join the lines of an address, each once, but the one that repeats postal code and commune."""
    town = f"{values.get('code_postal', '')} {values.get('nom_commune', '')}"
    lines = dict.fromkeys(values.get(f"adresse_{rank}", "") for rank in (1, 2, 3))
    kept = [line for line in lines if line and not (line[:1].isdigit() and _same(line, town))]
    return _cut("adresse_1", {"adresse_1": ", ".join(kept)}, flag)


def _same(line: str, town: str) -> bool:
    """Compare as the post writes: « 31600 ST LYS » is « 31600 Saint-Lys »."""
    words = {"st": "saint", "ste": "sainte"}
    return [words.get(w, w) for w in normalise(line).split("_")] == normalise(town).split("_")


def _siren_siret(text: str, flag: Flag) -> tuple[str, bool]:
    """Return the code and whether its key is wrong; refuse what a spreadsheet rounded, be it in full."""
    code = re.sub(r"[\s.]", "", text)
    if is_rounded(text):
        raise RowError("siren_siret", text, ROUNDED)
    if not text:
        flag("siren_siret", "", "SIRET absent.")
        return "", False
    try:
        check = identifiers.check_siren if len(code) == 9 else identifiers.check_siret
        return check(code), False
    except ValueError as error:
        if ROUNDED_SIRET.fullmatch(code):
            raise RowError("siren_siret", text, ROUNDED) from error
        flag("siren_siret", text[:50], str(error))
    return (code if len(code) <= 14 else ""), True


def _state(text: str, flag: Flag) -> str:
    state = text.upper().replace("À", "A")
    message = STATES.get(state, "État inconnu : l'annuaire dit OUVERT, A FERMER ou A OUVRIR.")
    if message:
        flag("etat", state[:50], message)
    return state[:20]

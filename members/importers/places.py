"""Which commune of today a school is in: arrondissements, merged communes and former codes mapped."""

from collections.abc import Iterable

from entsvc.changes import in_batches
from entsvc.importing import Report
from members import identifiers
from members.geography import communes_of_today
from members.models import Commune, School

COLUMN = "code_commune"


def settle(rows: Iterable[tuple[int, School]], report: Report) -> None:
    """Give (line, school) the code and the name of their commune of today, and flag what looks wrong.

    Says nothing of a commune while the table of its département has not been imported.
    """
    rows = list(rows)
    today = communes_of_today()
    names = _names({today[school.commune_code] for _, school in rows if school.commune_code in today})
    for _, school in rows:
        if school.commune_code in today:
            school.commune_code = today[school.commune_code]
            school.commune_name = names[school.commune_code]
    unknown = _unknown({school.commune_code for _, school in rows})
    for line, school in rows:
        code, departement = school.commune_code, school.departement_code
        if code in unknown:
            message = (
                "Commune inconnue de la table des communes : vérifiez le code, ou importez la table."
            )
            report.flag(line, COLUMN, code, message)
        elif departement != identifiers.departement_of(code):
            message = f"Cette commune n'est pas du département {departement} que donne le fichier."
            report.flag(line, COLUMN, code, message)


def _names(codes: set[str]) -> dict[str, str]:
    names = {}
    for batch in in_batches(sorted(codes)):
        names |= dict(Commune.objects.filter(pk__in=batch).order_by("pk").values_list("pk", "name"))
    return names


def _unknown(codes: set[str]) -> set[str]:
    """Return the codes missing from the table of communes, where that of their département is there."""
    if not Commune.objects.exists():
        return set()
    missing = codes - _names(codes).keys()
    there = {
        departement
        for departement in {identifiers.departement_of(code) for code in missing}
        if Commune.objects.filter(pk__startswith=departement).exists()
    }
    return {code for code in missing if identifiers.departement_of(code) in there}

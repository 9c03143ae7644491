"""Small pieces of the official code tables, and how their imports are run.

Rows of communes, EPCI and départements: INSEE (COG), DGCL/BANATIC, Licence Ouverte 2.0.
"""

import json

from django.conf import settings

from entsvc.importing import run_import
from members.models import Commune, Member, Membership

DATA = settings.BASE_DIR.parent / "shared" / "data"
FLAT_HEADER = (
    "code_insee;nom;departement;region;siren;siret_principal_derive_A_VERIFIER;codes_postaux;population;"
    "siren_epci;nom_epci;nature_epci"
)
ORCHIES = "59449;Orchies;59;32;215904491;;59310;8390;200041960;CC Pévèle-Carembault;CC"
TEMPLEUVE = "59586;Templeuve-en-Pévèle;59;32;215905860;;59242;6979;200041960;CC Pévèle-Carembault;CC"
AMIENS = "80021;Amiens;80;32;218000198;21800019800018;80000|80080|80090;135449;;;"
MIQUELON = "97501;Miquelon-Langlade;975;975;;;97500;596;;;"

ARBOYS = {
    "code": "01015",
    "nom": "Arboys en Bugey",
    "departement": "01",
    "type": "commune-actuelle",
    "siren": "200053668",
    "codesPostaux": ["01300"],
    "anciensCodes": ["01340"],
    "population": 710,
}
ARBIGNIEU = {
    "code": "01015",
    "nom": "Arbignieu",
    "departement": "01",
    "type": "commune-deleguee",
    "chefLieu": "01015",
}
CORDIEUX = {
    "code": "01120",
    "nom": "Cordieux",
    "departement": "01",
    "type": "commune-associee",
    "chefLieu": "01262",
}
MONTLUEL = {
    "code": "01262",
    "nom": "Montluel",
    "departement": "01",
    "type": "commune-actuelle",
    "siren": "210102620",
    "codesPostaux": ["01120"],
}
MARSEILLE = {
    "code": "13055",
    "nom": "Marseille",
    "departement": "13",
    "type": "commune-actuelle",
    "siren": "211300553",
    "codesPostaux": ["13001", "13002"],
}
MARSEILLE_1 = {
    "code": "13201",
    "nom": "Marseille 1er Arrondissement",
    "departement": "13",
    "type": "arrondissement-municipal",
    "commune": "13055",
    "codesPostaux": ["13001"],
}
SAINT_PIERRE = {
    "code": "97502",
    "nom": "Saint-Pierre",
    "departement": "975",
    "type": "commune-actuelle",
    "codesPostaux": ["97500"],
}
TABLE = [ARBOYS, ARBIGNIEU, CORDIEUX, MONTLUEL, MARSEILLE, MARSEILLE_1, SAINT_PIERRE]


def table(path, objects):
    """Write a JSON table."""
    path.write_text(json.dumps(objects, ensure_ascii=False), encoding="utf-8")
    return path


def take(importer, path, *, dry_run=False, **options):
    """Import a file; return its report, and its counts (rows, created, updated, unchanged, skipped)."""
    report = run_import(importer, path, dry_run=dry_run, actor="essai", options=options)
    told = (report.rows, report.created, report.updated, report.unchanged, report.skipped)
    return report, told


def refused(report):
    """Return (line, column, value) of each refused row."""
    return [(finding.line, finding.field, finding.value) for finding in report.refused]


def flagged(report):
    """Return (line, column) of each flagged row."""
    return [(finding.line, finding.field) for finding in report.flagged]


def communes_of(body):
    """Return {INSEE code: (from, to)} of the communes of a grouping."""
    rows = Membership.objects.filter(body=body).order_by("valid_from", "commune__insee_code")
    return {row.commune.insee_code: (row.valid_from, row.valid_to) for row in rows}


def territory():
    """Return all that the tables write, to compare."""
    members = Member.objects.order_by("pk").values_list(
        "kind", "name", "siren", "siret", "siret_to_verify", "insee_code", "postal_code", "successor_id"
    )
    return (
        list(Commune.objects.order_by("code").values_list("code", "name", "kind", "today_id")),
        list(members),
        list(
            Membership.objects.order_by("pk").values_list(
                "body_id", "commune_id", "valid_from", "valid_to"
            )
        ),
    )

"""The files that the benchmark imports: a real region, or as many made-up members as asked."""

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stdnum import luhn

from members.identifiers import uai_letter

SEED = 2024
FORMER, YEAR = "2023-2024", "2024-2025"
ANNUAIRE_FILE = "annuaire_occitanie_2024-11-26.csv"
COMMUNES_FILE = "communes_siren_epci_2025.csv"

ANNUAIRE = (
    "Identifiant_de_l_etablissement;Nom_etablissement;Type_etablissement;Statut_public_prive;Adresse_1;"
    "Code_postal;Code_commune;Nom_commune;Ecole_maternelle;Ecole_elementaire;SIREN_SIRET;"
    "date_ouverture;etat"
)
COMMUNES = (
    "code_insee;nom;departement;region;siren;siret_principal_derive_A_VERIFIER;codes_postaux;population;"
    "siren_epci;nom_epci;nature_epci"
)
PER_EPCI = 28
MEMBERS = "siret;nom;type;code_insee;adresse;code_postal;ville;courriel"
CONVENTIONS = (
    "siret_membre;bareme;reference;date_signature;premiere_annee;derniere_annee;date_fin;"
    "ecoles;options;unites"
)
HEADCOUNTS = "uai;annee_scolaire;eleves;eleves_actifs;source"


@dataclass(frozen=True)
class DataSet:
    """Files ready to import: `title` for people, `schedule` the tariff that calls them."""

    name: str
    title: str
    schedule: str
    folder: Path


def region(source: Path, folder: Path, *, one_in: int = 1, lived: bool = False) -> DataSet | None:
    """Write one agreement per commune of Occitanie that has public écoles; None without the sources.

    `one_in` keeps one commune out of that many; the annuaire is imported whole. A `lived` region has
    agreements of two school years, and made-up counts of both.
    """
    if not all((source / name).is_file() for name in (ANNUAIRE_FILE, COMMUNES_FILE)):
        return None
    folder.mkdir()
    (folder / "annuaire.csv").write_bytes((source / ANNUAIRE_FILE).read_bytes())
    (folder / "communes.csv").write_bytes((source / COMMUNES_FILE).read_bytes())
    schools = _public_schools(source / ANNUAIRE_FILE)
    communes = [c for c in _read(source / COMMUNES_FILE) if c["code_insee"] in schools][::one_in]
    _write(folder / "membres.csv", MEMBERS, (_commune(commune) for commune in communes))
    rows = (
        _agreement(
            commune["siret_principal_derive_A_VERIFIER"],
            "OCC-ENT-ECOLE",
            f"ENT-2024-{commune['code_insee']}",
            schools[commune["code_insee"]],
            since=FORMER if lived else YEAR,
        )
        for commune in communes
    )
    _write(folder / "conventions.csv", CONVENTIONS, rows)
    if lived:
        named = [uai for commune in communes for uai in schools[commune["code_insee"]]]
        _write(folder / "effectifs.csv", HEADCOUNTS, _two_counts(named))
    count = sum(len(schools[commune["code_insee"]]) for commune in communes)
    title = f"région : {len(communes)} communes, {count} écoles, 1 ligne tarifaire"
    return DataSet("region", title, "OCC-ENT-ECOLE", folder)


def synthetic(folder: Path, *, members: int, schools: int) -> DataSet:
    """Write made-up members, each with one school, the other schools falling on a few large ones."""
    folder.mkdir()
    rng = random.Random(SEED)
    owners = list(range(members))
    weights = [rng.paretovariate(1.2) for _ in owners]
    owners += rng.choices(range(members), weights, k=schools - members)
    _write(folder / "annuaire.csv", ANNUAIRE, (_school(n, owner) for n, owner in enumerate(owners)))
    _write(folder / "communes.csv", COMMUNES, (_code(number) for number in range(members)))
    _write(folder / "membres.csv", MEMBERS, (_member(number) for number in range(members)))
    counts = ([_uai(n), YEAR, rng.randint(12, 480), "", "DEPP"] for n in range(schools))
    _write(folder / "effectifs.csv", HEADCOUNTS, counts)
    enrolled = defaultdict(list)
    for number, owner in enumerate(owners):
        enrolled[owner].append(_uai(number))
    rows = (_agreement(_siret(n), "ESSAI", f"ESSAI-{n:06d}", enrolled[n]) for n in range(members))
    _write(folder / "conventions.csv", CONVENTIONS, rows)
    title = f"synthétique : {members} membres, {schools} écoles, 3 lignes tarifaires"
    return DataSet("synthetique", title, "ESSAI", folder)


def _read(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from csv.DictReader(stream, delimiter=";")


def _write(path: Path, header: str, rows: Iterable[list]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(header + "\n")
        csv.writer(stream, delimiter=";", lineterminator="\n").writerows(rows)


def _public_schools(path: Path) -> dict[str, list[str]]:
    schools = defaultdict(list)
    for row in _read(path):
        if row["Type_etablissement"] == "Ecole" and row["Statut_public_prive"] == "Public":
            schools[row["Code_commune"]].append(row["Identifiant_de_l_etablissement"])
    return schools


def _commune(row: dict[str, str]) -> list[str]:
    siret, code, name = (
        row[c] for c in ("siret_principal_derive_A_VERIFIER", "code_insee", "nom")
    )  # fmt: skip
    postal_code = row["codes_postaux"].replace(",", " ").replace("|", " ").split()[0]
    email = f"mairie-{code}@example.org"
    return [siret, f"Commune de {name}", "commune", code, "Hôtel de ville", postal_code, name, email]


def _two_counts(uais: list[str]) -> Iterator[list]:
    rng = random.Random(SEED)
    for uai in uais:
        pupils = rng.randint(12, 480)
        yield [uai, FORMER, pupils, "", "DEPP"]
        yield [uai, YEAR, max(pupils + rng.randint(-20, 20), 1), "", "DEPP"]


def _agreement(
    siret: str, schedule: str, reference: str, schools: list[str], since: str = YEAR
) -> list[str]:
    signed_on, ends_on = f"{since[:4]}-09-02", "2025-09-05"
    return [siret, schedule, reference, signed_on, since, YEAR, ends_on, " ".join(schools), "", ""]


def _siret(number: int) -> str:
    siren = f"2{number:07d}"
    siret = f"{siren}{luhn.calc_check_digit(siren)}0001"
    return siret + luhn.calc_check_digit(siret)


def _uai(number: int) -> str:
    digits = f"{number:07d}"
    return digits + uai_letter(digits)


def _place(member: int) -> tuple[str, str, str]:
    departement = 1 + member // 900
    departement += departement >= 20  # there is no département 20
    return f"{departement:02d}{member % 900 + 1:03d}", f"{departement:02d}000", f"Ville {member}"


def _code(number: int) -> list[str]:
    code, postal_code, city = _place(number)
    epci = number // PER_EPCI
    siren = f"24{epci:06d}"
    siren += luhn.calc_check_digit(siren)
    known = [code, city, code[:2], "76", _siret(number)[:9], _siret(number), postal_code, "1000"]
    return [*known, siren, f"CC {epci}", "CC"]


def _member(number: int) -> list[str]:
    code, postal_code, city = _place(number)
    email = f"mairie-{number}@example.org"
    return [_siret(number), f"Commune de {city}", "commune", code, "Mairie", postal_code, city, email]


def _school(number: int, owner: int) -> list[str]:
    code, postal_code, city = _place(owner)
    name, address = f"École publique {number}", f"{number % 90 + 1} rue de l'École"
    known = ["Ecole", "Public", address, postal_code, code, city, "1", "1", _siret(owner)]
    return [_uai(number), name, *known, "1980-09-01", "OUVERT"]

"""The worked examples of the regimes, from the files to a stored run."""

from decimal import Decimal

import pytest

from conventions.models import Convention
from invoicing.calculation import compute_run
from invoicing.models import DecidedDeduction, YearPool
from members.models import Member
from tariffs.adoption import NotAdopted
from tests.conventions.tariff import adopt, per_pupil, per_school
from tests.factories import (
    HeadcountSourceFactory,
    ScheduleFactory,
    valid_siret,
    valid_uai,
)
from tests.members.files import run, write_csv
from tests.tariffs.bases import SITETV_BANDS

pytestmark = pytest.mark.django_db

ANNUAIRE = "uai;nom_etablissement;type_etablissement;statut_public_prive;code_commune;nom_commune"
MEMBERS = "siret;nom;type"
COUNTS = "uai;annee_scolaire;eleves;eleves_actifs;source"
CONVENTIONS = (
    "siret_membre;bareme;reference;date_signature;premiere_annee;derniere_annee;date_fin;"
    "ecoles;options;unites"
)
SAUBENS, EPCI, SOMME = "21310533100010", valid_siret(300), "22800001400016"


def take_over(tmp_path, *, schools, member, counts=(), conventions):
    """Import the four files, as staff would."""
    kinds = {"E": "Ecole", "C": "Collège"}
    files = {
        "import_conventions": (CONVENTIONS, *conventions),
        "import_headcounts": (COUNTS, *counts),
        "import_members": (MEMBERS, member),
        "import_annuaire": (
            ANNUAIRE,
            *(f"{uai};École {uai};{kinds[k]};Public;31533;Saubens" for uai, k in schools),
        ),
    }
    for command, lines in files.items():
        outcome = run(command, write_csv(tmp_path / f"{command}.csv", *lines))
        assert not outcome.report["refused"]


def deduct(schedule, year, siret, amount):
    DecidedDeduction.objects.create(
        schedule=schedule,
        school_year=year,
        debtor=Member.objects.get(siret=siret),
        label="Subvention",
        amount=Decimal(amount),
        reason="Décision d'essai",
    )


def lines_of(call):
    return {line.charge: str(line.amount) for line in call.lines.order_by("position")}


def test_example_a_from_the_files_to_a_stored_run(tmp_path):
    HeadcountSourceFactory(code="DEPP")
    colleges = adopt(
        ScheduleFactory(code="SOMME-COLLEGES"),
        per_pupil(degree="college"),
        {"code": "ROBERT", "unit_price": Decimal("409.40"), "degree": "college"},
        per_pupil(code="MAXICOURS", metric="active_pupils", degree="college"),
        {
            "code": "LABOMEP",
            "model": "allocation",
            "unit_price": None,
            "pool": Decimal("2000.00"),
            "degree": "college",
        },
        {
            "code": "SITETV",
            "model": "banded",
            "unit_price": None,
            "degree": "college",
            "bands": SITETV_BANDS,
        },
        years=(2020,),
    )
    uai = valid_uai(501)
    take_over(
        tmp_path,
        schools=[(uai, "C")],
        member=f"{SOMME};Département de la Somme;departement",
        counts=[f"{uai};2020-2021;412;380;DEPP"],
        conventions=[f"{SOMME};SOMME-COLLEGES;C-1;2014-06-24;2014-2015;;;{uai};;"],
    )
    deduct(colleges, 2020, SOMME, "1000.00")

    stored = compute_run(schedule=colleges, year=2020, actor="essai")

    [call] = stored.calls.all()
    assert lines_of(call) == {
        "COMPTES": "2472.00",
        "ROBERT": "409.40",
        "MAXICOURS": "2280.00",
        "LABOMEP": "2000.00",
        "SITETV": "315.50",
        "DEDUCTION": "-1000.00",
    }
    assert call.siret == SOMME
    assert stored.total == call.total == Decimal("6476.90")
    assert not stored.anomalies.exists()


def test_example_b_from_the_files_to_a_stored_run(tmp_path):
    HeadcountSourceFactory(code="DEPP")
    schedule = adopt(
        ScheduleFactory(code="SOMME-1D"),
        per_pupil(code="COMMUN", model="allocation", unit_price=None),
        years=(2014,),
    )
    for number, pupils in [(1, 300), (2, 500), (3, 133)]:
        uai, siret = valid_uai(550 + number), valid_siret(550 + number)
        take_over(
            tmp_path,
            schools=[(uai, "E")],
            member=f"{siret};Commune {number};commune",
            counts=[f"{uai};2014-2015;{pupils};;DEPP"],
            conventions=[f"{siret};SOMME-1D;B-{number};2014-06-24;2014-2015;;;{uai};;"],
        )
    assert compute_run(schedule=schedule, year=2014, actor="essai").total == 0
    YearPool.objects.create(
        schedule=schedule,
        school_year=2014,
        charge="COMMUN",
        amount=Decimal("10000.00") - Decimal("2500.00") - Decimal("1000.00"),
        reason="Compte administratif",
    )

    stored = compute_run(schedule=schedule, year=2014, actor="essai")

    totals = [str(call.total) for call in stored.calls.order_by("siret")]
    assert totals == ["2090.03", "3483.39", "926.58"]
    assert stored.total == Decimal("6500.00")
    assert not stored.anomalies.exists()


def test_example_c_from_the_files_to_a_stored_run(tmp_path):
    HeadcountSourceFactory(code="DEPP")
    npdc = adopt(
        ScheduleFactory(code="NPDC-ENT"),
        per_pupil(code="BASE", unit_price=Decimal("1.30")),
        per_pupil(
            code="ACCOMPAGNEMENT",
            unit_price=Decimal("0.30"),
            degree="",
            subscription="ACCOMPAGNEMENT",
        ),
        {"code": "DEMIJOURNEE", "metric": "units", "unit_price": Decimal("150.00"), "degree": ""},
        years=(2023,),
    )
    one, two = valid_uai(601), valid_uai(602)
    take_over(
        tmp_path,
        schools=[(one, "E"), (two, "E")],
        member=f"{EPCI};CA d'essai;epci",
        counts=[f"{one};2023-2024;4000;;DEPP", f"{two};2023-2024;812;;DEPP"],
        conventions=[
            f"{EPCI};NPDC-ENT;N-1;2023-06-15;2023-2024;;;{one} {two};ACCOMPAGNEMENT;DEMIJOURNEE=3"
        ],
    )

    stored = compute_run(schedule=npdc, year=2023, actor="essai")

    assert stored.total == Decimal("8149.20")
    assert not stored.anomalies.exists()

    deduct(npdc, 2023, EPCI, "500.00")
    assert compute_run(schedule=npdc, year=2023, actor="essai").total == Decimal("7649.20")
    stored.refresh_from_db()
    assert stored.total == Decimal("8149.20"), "a run does not change after the fact"


@pytest.fixture
def occitanie():
    return adopt(ScheduleFactory(code="OCC-ENT-ECOLE"), per_school("50.00"), years=(2019, 2020))


def test_example_d_from_the_files_to_a_stored_run(tmp_path, occitanie):
    uais = [valid_uai(number) for number in (701, 702, 703)]
    take_over(
        tmp_path,
        schools=[(uai, "E") for uai in uais],
        member=f"{SAUBENS};Commune de Saubens;commune",
        conventions=[
            f"{SAUBENS};OCC-ENT-ECOLE;D-1;2020-09-01;2020-2021;2020-2021;2021-10-31;{' '.join(uais)};;"
        ],
    )

    stored = compute_run(schedule=occitanie, year=2020, actor="essai")

    [call] = stored.calls.all()
    assert (call.siret, call.name, str(call.total)) == (SAUBENS, "Commune de Saubens", "150.00")
    assert not stored.anomalies.exists()
    with pytest.raises(NotAdopted):
        compute_run(schedule=occitanie, year=2021, actor="essai")


@pytest.mark.parametrize(("removed_in_time", "expected"), [(False, "200.00"), (True, "150.00")])
def test_example_e_from_the_files_to_a_stored_run(tmp_path, occitanie, removed_in_time, expected):
    uais = [valid_uai(number) for number in (801, 802, 803, 804)]
    take_over(
        tmp_path,
        schools=[(uai, "E") for uai in uais],
        member=f"{SAUBENS};Commune de Saubens;commune",
        conventions=[f"{SAUBENS};OCC-ENT-ECOLE;E-1;2019-09-01;2019-2020;2020-2021;;{' '.join(uais)};;"],
    )
    if removed_in_time:
        convention = Convention.objects.get()
        convention.enrolments.filter(school__uai=uais[3]).update(last_year=2019)

    assert compute_run(schedule=occitanie, year=2019, actor="essai").total == Decimal("200.00")
    stored = compute_run(schedule=occitanie, year=2020, actor="essai")

    assert str(stored.total) == expected
    assert not stored.anomalies.exists()

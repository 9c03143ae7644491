"""The regimes as shipped, from imported files to a stored run: worked examples and decisions."""

from datetime import date
from decimal import Decimal

import pytest

from conventions.importing import IMPORTER as CONVENTIONS
from conventions.models import Conditions
from entsvc.importing import run_import
from entsvc.templatetags.french import by_charge
from invoicing.calculation import CampaignRefused, compute_run, recompute
from invoicing.issuing import issue
from invoicing.models import Acceptance, CallRules, DecidedDeduction, Exclusion, YearPool
from invoicing.regimes import load_regimes
from members import counts
from members.importers.annuaire import IMPORTER as ANNUAIRE
from members.importers.headcounts import IMPORTER as HEADCOUNTS
from members.importers.members import IMPORTER as MEMBERS
from members.models import Member, School, Signatory, Usage
from tariffs.models import Adoption, Schedule
from tariffs.printed import printed_line
from tests.factories import MemberFactory, SchoolFactory, valid_siret, valid_uai

pytestmark = pytest.mark.django_db

A, B, C = (valid_siret(number) for number in (1, 2, 3))
U1, U2, U3, U4 = (valid_uai(number) for number in (11, 12, 13, 14))
HEADERS = {
    "annuaire": "uai;nom_etablissement;type_etablissement;statut_public_prive;code_commune",
    "membres": "siret;nom;type;adresse;code_postal;ville",
    "effectifs": "uai;annee_scolaire;eleves;eleves_actifs;source",
    "conventions": (
        "siret_membre;bareme;reference;date_signature;premiere_annee;derniere_annee;date_fin;"
        "ecoles;options;unites"
    ),
}
IMPORTERS = {
    "annuaire": ANNUAIRE,
    "membres": MEMBERS,
    "effectifs": HEADCOUNTS,
    "conventions": CONVENTIONS,
}


@pytest.fixture(scope="module", autouse=True)
def regimes(kept):
    return kept(lambda: load_regimes(actor="test"))


@pytest.fixture
def bring(tmp_path):
    """Import rows as files of the contract, refusing none."""

    def write(**rows):
        for name, lines in rows.items():
            path = tmp_path / f"{name}.csv"
            path.write_text("\n".join([HEADERS[name], *lines]), encoding="utf-8")
            report = run_import(IMPORTERS[name], path, dry_run=False, actor="test")
            assert report.refused == []

    return write


def compute(code, year):
    run = compute_run(schedule=Schedule.objects.get(code=code), year=year, actor="test")
    assert [result.total for result in recompute(run)] == [
        call.total for call in run.calls.order_by("siret")
    ]
    return run


def totals(run):
    return {call.siret: call.total for call in run.calls.order_by("siret")}


def messages(run, code):
    found = run.anomalies.filter(code=code).order_by("pk")
    return [anomaly.message.replace("\u00a0", " ").replace("\u202f", " ") for anomaly in found]


def bring_college(bring, pupils, active, *, others=()):
    schools = [(U1, pupils, active), *others]
    bring(
        annuaire=[f"{uai};Collège {uai};Collège;Public;80021" for uai, _, _ in schools],
        membres=[f"{A};Département;departement;Hôtel;80000;Amiens"],
        effectifs=[f"{uai};2020-2021;{p};{a};DEPP" for uai, p, a in schools if p is not None],
        conventions=[
            f"{A};SOMME-COLLEGES;CHARTE;2014-09-01;2014-2015;;;{' '.join(s[0] for s in schools)};;"
        ],
    )


def test_example_a_one_college_of_412_pupils_with_a_subsidy(bring):
    bring_college(bring, 412, 380)
    schedule = Schedule.objects.get(code="SOMME-COLLEGES")
    DecidedDeduction.objects.create(
        schedule=schedule,
        school_year=2020,
        debtor=Member.objects.get(siret=A),
        label="Subvention FEDER",
        amount=Decimal("1000.00"),
        reason="Décision du 1er juin 2021",
    )
    run = compute("SOMME-COLLEGES", 2020)
    amounts = {line.charge: line.amount for line in run.calls.get().lines.order_by("position")}
    assert amounts == {
        "COMPTES": Decimal("2472.00"),
        "ROBERT": Decimal("409.40"),
        "MAXICOURS": Decimal("2280.00"),
        "LABOMEP": Decimal("2000.00"),
        "SITETV": Decimal("315.50"),
        "DEDUCTION": Decimal("-1000.00"),
    }
    assert totals(run) == {A: Decimal("6476.90")}


def test_example_b_a_pool_shared_to_the_cent(bring):
    debtors = [(A, U1, 300), (B, U2, 500), (C, U3, 133)]
    bring(
        annuaire=[f"{uai};École;Ecole;Public;80021" for _, uai, _ in debtors],
        membres=[f"{siret};Commune;commune;Mairie;80000;Amiens" for siret, _, _ in debtors],
        effectifs=[f"{uai};2020-2021;{pupils};;DEPP" for _, uai, pupils in debtors],
        conventions=[
            f"{siret};SOMME-1D;CHARTE-{siret};2014-09-01;2014-2015;;;{uai};;"
            for siret, uai, _ in debtors
        ],
    )
    without_pool = compute("SOMME-1D", 2020)
    assert without_pool.anomalies.filter(code="missing_pool", blocking=True).count() == 3
    YearPool.objects.create(
        schedule=Schedule.objects.get(code="SOMME-1D"),
        school_year=2020,
        charge="COMMUN",
        amount=Decimal("6500.00"),
        reason="État des dépenses",
    )
    CallRules.objects.filter(schedule__code="SOMME-1D").update(needs_statement=False)
    run = compute("SOMME-1D", 2020)
    assert totals(run) == {A: Decimal("2090.03"), B: Decimal("3483.39"), C: Decimal("926.58")}
    assert not run.anomalies.exists()


def test_example_c_an_epci_with_flat_support_half_days_and_a_subsidy(bring):
    bring(
        annuaire=[f"{U1};École;Ecole;Public;59123", f"{U2};École;Ecole;Public;59123"],
        membres=[f"{A};CC;epci;Siège;59310;Orchies"],
        effectifs=[f"{U1};2023-2024;4000;;DEPP", f"{U2};2023-2024;812;;MANUEL"],
        conventions=[f"{A};NPDC-ENT;N1;2023-07-01;2023-2024;;;{U1} {U2};ACCOMPAGNEMENT;DEMIJOURNEE=3"],
    )
    assert totals(compute("NPDC-ENT", 2023)) == {A: Decimal("8149.20")}
    DecidedDeduction.objects.create(
        schedule=Schedule.objects.get(code="NPDC-ENT"),
        school_year=2023,
        debtor=Member.objects.get(siret=A),
        label="Subventions des communes",
        amount=Decimal("500.00"),
        reason="Délibérations des communes",
    )
    assert totals(compute("NPDC-ENT", 2023)) == {A: Decimal("7649.20")}


def test_example_d_three_schools_at_fifty_euros(bring):
    bring(
        annuaire=[f"{uai};École;Ecole;Public;34199" for uai in (U1, U2, U3)],
        membres=[f"{A};Commune;commune;Mairie;34120;Pézenas"],
        conventions=[f"{A};OCC-ENT-ECOLE;M1;2020-09-10;2020-2021;2020-2021;2021-10-31;{U1} {U2} {U3};;"],
    )
    run = compute("OCC-ENT-ECOLE", 2020)
    assert totals(run) == {A: Decimal("150.00")}
    assert not run.anomalies.exists()


@pytest.mark.parametrize(("left", "due"), [(4, "200.00"), (3, "150.00")])
def test_example_e_the_list_of_the_year_decides(bring, left, due):
    schools = [U1, U2, U3, U4][:left]
    bring(
        annuaire=[f"{uai};École;Ecole;Public;34199" for uai in schools],
        membres=[f"{A};Commune;commune;Mairie;34120;Pézenas"],
        conventions=[
            f"{A};OCC-ENT-ECOLE;M1;2019-09-10;2019-2020;2020-2021;2021-10-31;{' '.join(schools)};;"
        ],
    )
    assert totals(compute("OCC-ENT-ECOLE", 2020)) == {A: Decimal(due)}


def test_d2_the_reading_of_le_robert_is_shown_on_the_run(bring):
    bring_college(bring, 412, 380)
    notices = messages(compute("SOMME-COLLEGES", 2020), "notice")
    assert any(
        notice.startswith("Comptes Le Robert Collège : D2 : 409,40 € sont comptés") for notice in notices
    )
    assert any("2473 €" in notice for notice in notices)


def test_d4_exactly_200_pupils_pays_the_lower_band_and_says_so(bring):
    bring_college(bring, 200, 10)
    run = compute("SOMME-COLLEGES", 2020)
    assert run.calls.get().lines.get(charge="SITETV").amount == Decimal("187.62")
    [edge] = messages(run, "band_edge")
    assert "D4 : exactement 200 élèves" in edge
    assert not run.anomalies.filter(blocking=True).exists()


def test_d4_is_silent_for_201_pupils(bring):
    bring_college(bring, 201, 10)
    run = compute("SOMME-COLLEGES", 2020)
    assert run.calls.get().lines.get(charge="SITETV").amount == Decimal("247.30")
    assert messages(run, "band_edge") == []


@pytest.mark.parametrize("pupils", [0, 1101])
def test_a_college_outside_the_bands_blocks_its_departement_naming_it(bring, pupils):
    bring_college(bring, pupils, 0)
    run = compute("SOMME-COLLEGES", 2020)
    [anomaly] = run.anomalies.filter(blocking=True)
    assert (anomaly.code, anomaly.uai) == ("outside_bands", U1)


def test_a_school_left_out_with_a_reason_no_longer_holds_the_departement(bring):
    bring_college(bring, 412, 380, others=[(U2, None, None)])
    schedule = Schedule.objects.get(code="SOMME-COLLEGES")
    assert compute("SOMME-COLLEGES", 2020).anomalies.filter(blocking=True).exists()
    Exclusion.objects.create(
        schedule=schedule,
        school_year=2020,
        school=School.objects.get(uai=U2),
        reason="Ouverture reportée.",
    )
    run = compute("SOMME-COLLEGES", 2020)
    assert not run.anomalies.filter(blocking=True).exists()
    assert totals(run) == {A: Decimal("7476.90")}
    [told] = messages(run, "excluded")
    assert told.endswith("est écartée de cet appel : Ouverture reportée.")


def test_an_approximate_count_blocks_until_it_is_accepted_with_a_reason(bring):
    bring(
        annuaire=[f"{U1};École;Ecole;Public;59123"],
        membres=[f"{A};CC;epci;Siège;59310;Orchies"],
        effectifs=[f"{U1};2023-2024;100;;IPS"],
        conventions=[f"{A};NPDC-ENT;N1;2023-07-01;2023-2024;;;{U1};;"],
    )
    assert compute("NPDC-ENT", 2023).anomalies.get().blocking
    Acceptance.objects.create(
        schedule=Schedule.objects.get(code="NPDC-ENT"),
        school_year=2023,
        code="count_not_billable",
        reason="Constat attendu",
    )
    anomaly = compute("NPDC-ENT", 2023).anomalies.get()
    assert (anomaly.blocking, anomaly.accepted) == (False, "Constat attendu")


def test_an_acceptance_for_one_school_leaves_the_others_blocked(bring):
    bring(
        annuaire=[f"{uai};École;Ecole;Public;59123" for uai in (U1, U2)],
        membres=[f"{A};CC;epci;Siège;59310;Orchies"],
        effectifs=[f"{uai};2023-2024;100;;IPS" for uai in (U1, U2)],
        conventions=[f"{A};NPDC-ENT;N1;2023-07-01;2023-2024;;;{U1} {U2};;"],
    )
    Acceptance.objects.create(
        schedule=Schedule.objects.get(code="NPDC-ENT"),
        school_year=2023,
        code="count_not_billable",
        school=School.objects.get(uai=U2),
        reason="Vérifié",
    )
    run = compute("NPDC-ENT", 2023)
    assert {a.uai: a.blocking for a in run.anomalies.all()} == {U1: True, U2: False}


def test_a_missing_count_cannot_be_accepted(bring):
    bring(
        annuaire=[f"{U1};École;Ecole;Public;59123"],
        membres=[f"{A};CC;epci;Siège;59310;Orchies"],
        conventions=[f"{A};NPDC-ENT;N1;2023-07-01;2023-2024;;;{U1};;"],
    )
    Acceptance.objects.create(
        schedule=Schedule.objects.get(code="NPDC-ENT"),
        school_year=2023,
        code="missing_count",
        reason="Tant pis",
    )
    assert compute("NPDC-ENT", 2023).anomalies.get().blocking


def test_d21_2024_2025_needs_its_own_vote_in_npdc():
    from tariffs.adoption import NotAdopted

    with pytest.raises(NotAdopted, match="2024-2025"):
        compute_run(schedule=Schedule.objects.get(code="NPDC-ENT"), year=2024, actor="test")


def test_an_approximate_usage_blocks_like_an_approximate_count(bring):
    bring_college(bring, 412, 380)
    counts.withdraw(Usage, Usage.current.values_list("pk", flat=True).order_by("pk"))
    bring(effectifs=[f"{U1};2020-2021;;380;IPS"])
    found = compute("SOMME-COLLEGES", 2020).anomalies.filter(blocking=True)
    assert [(a.code, a.uai) for a in found] == [("count_not_billable", U1)]


def test_d10_a_school_of_unknown_sector_blocks_instead_of_passing_for_public(bring):
    bring(
        annuaire=[f"{U1};École;Ecole;;59123"],
        membres=[f"{A};CC;epci;Siège;59310;Orchies"],
        effectifs=[f"{U1};2023-2024;100;;DEPP"],
        conventions=[f"{A};NPDC-ENT;N1;2023-07-01;2023-2024;;;{U1};;"],
    )
    [anomaly] = compute("NPDC-ENT", 2023).anomalies.filter(blocking=True)
    assert (anomaly.code, anomaly.uai) == ("sector_unknown", U1)


def test_a_decision_that_changes_nothing_is_told(bring):
    bring_college(bring, 412, 380)
    common = {
        "schedule": Schedule.objects.get(code="SOMME-COLLEGES"),
        "school_year": 2020,
        "reason": "essai",
    }
    YearPool.objects.create(charge="LABOMEP", amount=Decimal("1.00"), **common)
    DecidedDeduction.objects.create(
        debtor=MemberFactory(siret=B), label="FEDER", amount=Decimal("1.00"), **common
    )
    Exclusion.objects.create(school=SchoolFactory(uai=U2), **common)
    told = messages(compute("SOMME-COLLEGES", 2020), "unused_decision")
    assert [any(word in message for message in told) for word in ("LABOMEP", B, U2)] == [True] * 3


def test_a_supplementary_campaign_does_not_bill_everyone_again():
    schedule = Schedule.objects.get(code="NPDC-ENT")
    with pytest.raises(CampaignRefused):
        compute_run(schedule=schedule, year=2023, actor="test", rank=2)


def test_two_deductions_and_a_pool_are_printed_apart_with_what_proves_them(bring):
    bring(
        annuaire=[f"{U1};École;Ecole;Public;80021"],
        membres=[f"{A};Commune;commune;Mairie;80000;Amiens"],
        effectifs=[f"{U1};2020-2021;10;;DEPP"],
        conventions=[f"{A};SOMME-1D;C;2014-09-01;2014-2015;;;{U1};;"],
    )
    common = {"schedule": Schedule.objects.get(code="SOMME-1D"), "school_year": 2020}
    YearPool.objects.create(charge="COMMUN", amount=Decimal("100.00"), reason="État n° 7", **common)
    for label, amount in (("FEDER", "10.00"), ("Région", "5.00")):
        DecidedDeduction.objects.create(
            debtor=Member.objects.get(siret=A),
            label=label,
            amount=Decimal(amount),
            reason=f"Décision {label}",
            **common,
        )
    CallRules.objects.filter(schedule__code="SOMME-1D").update(needs_statement=False)
    run = compute("SOMME-1D", 2020)
    signatory = Signatory.objects.get(issuer__code="SOMME")
    [titre] = issue(run=run, on=date(2021, 10, 4), signatory=signatory, actor="test").titres
    groups = by_charge(
        [printed_line(line) for line in titre.lines.order_by("position")], titre.payload["charges"]
    )
    printed = [[row["line"]["amount"] for row in group["rows"]] for group in groups]
    assert printed == [["100.00"], ["-10.00"], ["-5.00"]]
    assert groups[-1]["rows"][-1]["carried"] == titre.total == Decimal("85.00")
    proofs = " ".join(titre.payload["foundations"])
    assert all(word in proofs for word in ("État n° 7", "Décision FEDER", "Décision Région"))


@pytest.mark.parametrize(
    ("code", "years"),
    [
        ("SOMME-COLLEGES", {2014, 2020}),
        ("SOMME-1D", {2014, 2020}),
        ("NPDC-ENT", {2023}),
        ("OCC-ENT-ECOLE", {2020, 2024}),
    ],
)
def test_each_schedule_is_adopted_for_the_years_of_its_acts_only(code, years):
    from tariffs.models import Adoption

    adopted = Adoption.objects.filter(schedule__code=code)
    assert {adoption.school_year for adoption in adopted} == years


def test_the_conditions_of_the_transfer_come_with_the_act_that_adopted_its_tariff(db):
    load_regimes(actor="essai")
    conditions = Conditions.objects.get(issuer__code="NPDC")
    adoption = Adoption.objects.get(schedule__code="NPDC-ENT", school_year=2023)
    assert (conditions.label, conditions.act) == ("15 juin 2023", adoption.act)
    assert "Conditions" not in load_regimes(actor="essai")

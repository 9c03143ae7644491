"""Six communes, their schools and what a région académique bills them: where the journeys start.

Names, numbers and days never change: neither do the pictures of the guides.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from conventions.models import Paper
from conventions.policies import CHARTER
from entsvc.models import DatedFigure
from invoicing import bordereaux
from invoicing.calculation import compute_run
from invoicing.issuing import Issued, issue
from invoicing.models import Campaign
from invoicing.payments import record_payment
from invoicing.rendering import render_missing
from members.identifiers import uai_letter
from members.models import HeadcountSource, Issuer, Member, School, Signatory
from tariffs.models import Schedule, Version
from tests.factories import (
    AccountantFactory,
    ActFactory,
    AdoptionFactory,
    ChargeFactory,
    ConventionFactory,
    DatedTextFactory,
    EnrolmentFactory,
    HeadcountFactory,
    IssuerFactory,
    MemberFactory,
    PaperFactory,
    ScheduleFactory,
    SchoolFactory,
    SignatoryFactory,
    VersionFactory,
    valid_siret,
)

LAST, NOW = 2024, 2025  # the school year that was billed, and the one to prepare
VOTED_ON = dt.date(2024, 6, 20)
ISSUED_ON = dt.date(2025, 3, 3)
PRICE = Decimal("6.00")
TEXTS = {
    "force-executoire": "Titre exécutoire.",
    "paiement": "Votre comptable public vire la somme, avec la référence à rappeler.",
    "delai": "avant le 15 du deuxième mois qui suit le mois d'émission",
    "retard": "Toute somme non réglée à cette date peut être majorée de 10 %.",
    "recours": "Tribunal administratif {tribunal}.",
    "recours-correction": "Tribunal administratif {tribunal}.",
}
# Commune, INSEE code, postal code; then its schools: name, level, pupils of last year and of this one.
COMMUNES = (
    ("Caussade", "82037", "82300", (("Les Marronniers", "EE", 212, 208), ("Les Lilas", "EM", 118, 121))),
    ("Castelsarrasin", "82033", "82100", (("Le Port", "EE", 243, 251), ("Les Halles", "EP", 187, 180))),
    ("Lauzerte", "82094", "82110", (("Le Lac", "EP", 96, 92),)),
    ("Moissac", "82112", "82200", (("Les Tilleuls", "EE", 204, 214), ("Le Cloître", "EM", 101, 97))),
    ("Montech", "82125", "82700", (("Le Ruisseau", "EE", 231, 238),)),
    ("Nègrepelisse", "82134", "82800", (("Les Hirondelles", "EP", 164, 171),)),
)


@dataclass
class Territory:
    """An issuer, who signs for it, its only schedule, the members and schools by the names above."""

    issuer: Issuer
    signatory: Signatory
    schedule: Schedule
    version: Version
    members: dict[str, Member]
    schools: dict[str, School]

    def adopt(self, year: int) -> None:
        """Adopt the first version for another school year."""
        act = ActFactory(
            issuer=self.issuer, number=f"{year}-24", date=dt.date(year, 6, 20), subject="Tarif de l'ENT"
        )
        AdoptionFactory(version=self.version, act=act, school_year=year)

    def count(self, year: int) -> None:
        """Count the pupils of a school year, as if by hand."""
        source = HeadcountSource.objects.get(code="DEPP")
        for name, pupils in pupils_of(year).items():
            school = self.schools[name]
            HeadcountFactory(school=school, school_year=year, source=source, pupils=pupils)

    def bill(self, year: int, *, on: dt.date) -> Issued:
        """Compute and issue a school year, draw its documents, sign and send its bordereau."""
        run = compute_run(schedule=self.schedule, year=year, actor="gestionnaire")
        issued = issue(run=run, on=on, signatory=self.signatory, actor="finances")
        list(render_missing(issued.bordereau.titres.all()))
        bordereaux.sign(bordereau=issued.bordereau, signatory=self.signatory, on=on, actor="finances")
        bordereaux.send(bordereau=issued.bordereau, on=on, actor="finances")
        return issued

    def campaign(self, year: int) -> Campaign:
        """Open the campaign of a school year."""
        return Campaign.objects.create(schedule=self.schedule, school_year=year)


def a_territory() -> Territory:
    """Make the territory: agreements in force, last year's tariff adopted, its pupils counted."""
    issuer = IssuerFactory(
        code="ENT",
        name="Région académique d'essai",
        siret=valid_siret(900001),
        departements="82",
        email="ent@academie.example",
        tribunal="de Toulouse",
    )
    AccountantFactory(issuer=issuer)
    for code, body in TEXTS.items():
        DatedTextFactory(scope=issuer.regime, code=code, body=body)
    for code in ("prescription-emission", "prescription-recouvrement"):
        figure = {"code": code, "value": 5, "unit": "ans", "source": "Code civil, art. 2224"}
        DatedFigure.objects.create(scope=issuer.regime, valid_from=dt.date(2010, 1, 1), **figure)
    for rank, (code, label, billable) in enumerate(
        (("DEPP", "Constat de rentrée", True), ("ANNUAIRE", "Colonne de l'annuaire", False)), start=1
    ):
        HeadcountSource.objects.create(code=code, label=label, rank=rank, billable=billable)
    schedule = ScheduleFactory(
        issuer=issuer,
        code="ENT-ECOLES",
        name="ENT des écoles",
        subject="Participation au service ENT des écoles",
    )
    version = VersionFactory(schedule=schedule, label="Tarif 2024")
    ChargeFactory(
        version=version,
        code="ELEVES",
        label="Participation par élève",
        unit_label="élève",
        unit_plural="élèves",
        metric="pupils",
        unit_price=PRICE,
    )
    territory = Territory(issuer, SignatoryFactory(issuer=issuer), schedule, version, {}, {})
    for rank, commune in enumerate(COMMUNES, start=1):
        _join(territory, rank, *commune)
    territory.adopt(LAST)
    territory.count(LAST)
    return territory


def a_year_billed() -> Territory:
    """Make the territory with last year issued, and paid but by two of its communes."""
    territory = a_territory()
    issued = territory.bill(LAST, on=ISSUED_ON)
    for rank, titre in enumerate(issued.bordereau.titres.order_by("number")):
        if rank not in (2, 3):
            record_payment(
                titre=titre,
                amount=titre.total,
                received_on=dt.date(2025, 4, 15),
                reference=f"VIR-2025-{rank + 1:03}",
                actor="finances",
            )
    return territory


def pupils_of(year: int) -> dict[str, int]:
    """Return the pupils of each school, by its name."""
    return {
        name: (before, now)[year == NOW] for *_, schools in COMMUNES for name, _, before, now in schools
    }


def uai_of(school: str) -> str:
    """Return the UAI of a school of the territory."""
    digits = f"082{list(pupils_of(LAST)).index(school) + 101:04}"
    return digits + uai_letter(digits)


def counts_file(year: int) -> str:
    """Return the counts of a school year as the file that staff import."""
    label = f"{year}-{year + 1}"
    rows = (f"{uai_of(name)};{label};{pupils};;DEPP" for name, pupils in pupils_of(year).items())
    return "\n".join(["uai;annee_scolaire;eleves;eleves_actifs;source", *rows, ""])


def _join(
    territory: Territory, rank: int, name: str, insee: str, postal: str, schools: Iterable[tuple]
) -> None:
    member = MemberFactory(
        siret=valid_siret(100 + rank),
        name=f"Commune de {name}",
        insee_code=insee,
        postal_code=postal,
        city=name,
        email=f"mairie@{insee}.example",
    )
    act = ActFactory(
        issuer=None,
        member=member,
        number=f"{rank}",
        authority="conseil municipal",
        subject="Adhésion à la charte ENT",
        date=dt.date(2024, 5, 14),
        transmitted_on=dt.date(2024, 5, 16),
    )
    convention = ConventionFactory(
        schedule=territory.schedule,
        reference=f"ENT-2024-{rank:03}",
        policy=CHARTER.code,
        party=member,
        act=act,
        signed_on=dt.date(2024, 5, 14),
        transmitted_on=dt.date(2024, 5, 16),
        first_year=LAST,
        last_year=LAST + 2,
    )
    PaperFactory(convention=convention, role=Paper.Role.SIGNED)
    territory.members[name] = member
    for school, level, *_ in schools:
        territory.schools[school] = SchoolFactory(
            uai=uai_of(school),
            name=f"École {school}",
            level=level,
            commune_code=insee,
            commune_name=name,
            departement_code="82",
            state="OUVERT",
        )
        EnrolmentFactory(convention=convention, school=territory.schools[school])

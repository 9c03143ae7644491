"""A small complete world: an issuer that may issue, and members that owe 45 € for each school."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from invoicing.calculation import compute_run
from invoicing.issuing import Issued, issue
from invoicing.models import Run
from members.models import Accountant, Issuer, Member, Signatory
from tariffs.models import Schedule
from tests.factories import (
    AccountantFactory,
    ActFactory,
    AdoptionFactory,
    ChargeFactory,
    ConventionFactory,
    DatedTextFactory,
    EnrolmentFactory,
    IssuerFactory,
    LocalIssuerFactory,
    MemberFactory,
    ScheduleFactory,
    SignatoryFactory,
    VersionFactory,
)

YEAR = 2024
ISSUED_ON = dt.date(2025, 3, 3)
TEXTS = ("force-executoire", "paiement", "delai", "retard", "recours")


@dataclass
class World:
    """What a test needs to compute and issue; `members` go by SIRET, member n has n schools."""

    issuer: Issuer
    accountant: Accountant
    signatory: Signatory
    schedule: Schedule
    members: list[Member]

    def compute(self) -> Run:
        return compute_run(schedule=self.schedule, year=YEAR, actor="essai")

    def issue(self, run: Run | None = None, **changes: Any) -> Issued:
        asked = {"on": ISSUED_ON, "signatory": self.signatory, "actor": "essai", **changes}
        return issue(run=run or self.compute(), **asked)

    def join(self, schools: int, **facts: Any) -> Member:
        """Add a member whose agreement names that many schools."""
        member = MemberFactory(**facts)
        convention = ConventionFactory(schedule=self.schedule, party=member)
        EnrolmentFactory.create_batch(schools, convention=convention)
        return member


def a_world(
    *, members: int = 3, regime: str = Issuer.Regime.STATE, charges: Sequence[dict] = ({},)
) -> World:
    """Make a world whose tariff has these charges: what each changes in the factory's 45 € a school."""
    state = regime == Issuer.Regime.STATE
    issuer = (IssuerFactory if state else LocalIssuerFactory)()
    imputation = {} if state else {"programme": "", "function_code": "020", "local_product": "ENT1"}
    schedule = ScheduleFactory(issuer=issuer, **imputation)
    version = VersionFactory(schedule=schedule)
    for position, facts in enumerate(charges, start=1):
        ChargeFactory(version=version, position=position, **facts)
    # Once adopted, a version no longer changes.
    AdoptionFactory(version=version, act=ActFactory(issuer=issuer), school_year=YEAR)
    for code in TEXTS:
        body = "Tribunal administratif {tribunal}." if code == "recours" else f"Texte {code}."
        DatedTextFactory(scope=regime, code=code, body=body)
    world = World(
        issuer=issuer,
        accountant=AccountantFactory(issuer=issuer),
        signatory=SignatoryFactory(issuer=issuer),
        schedule=schedule,
        members=[],
    )
    # The factories' SIRETs grow: joining them from the last to the first, no order is by chance.
    sirets = sorted((MemberFactory.build().siret for _ in range(members)), reverse=True)
    joined = [world.join(members - rank, siret=siret) for rank, siret in enumerate(sirets)]
    world.members = joined[::-1]
    return world


def draw_blank(monkeypatch: Any) -> None:
    """Draw every document as a few bytes that name its titre."""

    def draw(template, context, **kwargs):
        document = context["document"]
        return f"%PDF {document.get('reference') or document['number']}".encode()

    monkeypatch.setattr("invoicing.rendering.render_pdf", draw)
    monkeypatch.setattr("invoicing.bordereau_pdf.render_pdf", draw)

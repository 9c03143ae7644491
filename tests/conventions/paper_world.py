"""A partnership of 2024-2025 with its schools, its tariff, its signatory and the default texts."""

from conventions.models import AmendedSchool
from conventions.papers.defaults import load_default_texts
from tests.conventions.world import PER_SCHOOL, a_schedule
from tests.factories import (
    AmendmentFactory,
    ConventionFactory,
    EnrolmentFactory,
    MemberFactory,
    SchoolFactory,
    SignatoryFactory,
)

POLICY = "partenariat-occitanie-2024"


def a_partnership(schools=3, policy=POLICY, schedule=None, texts=True, **facts):
    """Make an agreement that names some schools, and all that its papers read."""
    if texts:
        load_default_texts()
    schedule = schedule or a_schedule(PER_SCHOOL)
    SignatoryFactory(issuer=schedule.issuer)
    facts = {"reference": "ENT-2024-031", "signed_on": None, **facts}
    facts.setdefault("party", MemberFactory(name="Commune d'Essai", email="mairie@example.org"))
    convention = ConventionFactory(schedule=schedule, policy=policy, **facts)
    for _ in range(schools):
        EnrolmentFactory(convention=convention, school=SchoolFactory(level="EE"))
    return convention


def an_amendment(convention, added=1, removed=0, **facts):
    """Ask for a list with some schools more and some less."""
    amendment = AmendmentFactory(convention=convention, number=1, **facts)
    kept = [row.school for row in convention.enrolments.order_by("school__uai")][removed:]
    for school in (*kept, *(SchoolFactory(level="EM") for _ in range(added))):
        AmendedSchool.objects.create(amendment=amendment, school=school)
    return amendment

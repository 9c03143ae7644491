"""A year whose tariff reads pupils, with two members: one of two schools, one of one."""

import datetime as dt

from django.utils import timezone

from conventions import etats
from conventions.models import MemberEtat
from members import counts
from members.models import Headcount, HeadcountSource
from tests.conventions.world import PER_PUPIL, YEAR, a_member, a_schedule, a_school
from tests.factories import ConventionFactory, EnrolmentFactory, HeadcountFactory

TOWN, OTHER = "mairie@muret.example", "mairie@saubens.example"
OPENED = dt.datetime(2025, 1, 13, 10, tzinfo=dt.UTC)
UNTIL = dt.date(2025, 1, 28)
WITHIN = dt.datetime(2025, 1, 20, 10, tzinfo=dt.UTC)


class EtatWorld:
    """The schedule, Muret and its two schools (120 and 80 pupils), Saubens and its own (50)."""

    def __init__(self, *charges):
        self.schedule = a_schedule(*(charges or [PER_PUPIL]))
        self.issuer = self.schedule.issuer
        self.issuer.email = "ent@academie.example"
        self.issuer.save()
        self.muret = a_member(name="Muret", email=TOWN)
        self.saubens = a_member(name="Saubens", email=OTHER)
        self.agreement = self.join(self.muret, ("Le Lac", 120), ("La Tour", 80))
        self.join(self.saubens, ("Les Prés", 50))

    def join(self, member, *schools):
        convention = ConventionFactory(schedule=self.schedule, party=member)
        for name, pupils in schools:
            school = a_school(name=name, commune_name=member.name)
            EnrolmentFactory(convention=convention, school=school)
            HeadcountFactory(school=school, school_year=YEAR, pupils=pupils)
        return convention

    def school(self, name):
        return self.agreement.enrolments.get(school__name=name).school

    def open(self):
        self.etat = etats.open_etat(
            schedule=self.schedule, year=YEAR, until=UNTIL, actor="agent", at=OPENED
        )
        return self.etat

    def shown(self, member=None):
        rows = MemberEtat.objects.select_related("debtor", "etat__schedule__issuer")
        return rows.get(etat=self.etat, debtor=member or self.muret)


def count(school, pupils):
    """Replace the count of a school, as an import or a hand does."""
    row = Headcount(
        school=school, school_year=YEAR, source=HeadcountSource.objects.get(code="DEPP"), pupils=pupils
    )
    counts.keep(Headcount, [row])


def at_noon(monkeypatch, day):
    """Make it noon of a day, for the pages."""
    noon = dt.datetime(day.year, day.month, day.day, 12, tzinfo=timezone.get_default_timezone())
    monkeypatch.setattr(timezone, "now", lambda: noon)

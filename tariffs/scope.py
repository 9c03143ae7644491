"""Which agreements and which schools a charge bills."""

from collections.abc import Iterable, Iterator

from tariffs.facts import ALLOCATION, BANDED, PUPILS, SCHOOLS, Agreement, Charge, Member, School


def schools_read(charges: Iterable[Charge], member: Member, metric: str) -> set[str]:
    """Return the UAIs of a member of which the charges read a count: `pupils` or `active_pupils`.

    A band for the school is chosen by its pupils.
    """
    return {
        school.uai
        for charge in charges
        if reads(charge, metric)
        for _, school in applicable(charge, member)
    }


def reads(charge: Charge, metric: str) -> bool:
    """Tell whether a charge reads a count of the schools it bills: `pupils` or `active_pupils`."""
    by_band = metric == PUPILS and charge.model == BANDED and charge.metric == SCHOOLS
    return charge.metric == metric or by_band


def shares_year_pool(charge: Charge) -> bool:
    """Tell whether a charge shares out a pool that is known each year only: its tariff fixes none."""
    return charge.model == ALLOCATION and charge.pool is None


def applicable(charge: Charge, member: Member) -> Iterator[tuple[Agreement, School]]:
    """Yield the schools of a member that a charge bills, with their agreements."""
    for agreement in member.agreements:
        if subscribed(charge, agreement):
            for school in agreement.billed:
                if school.degree and in_scope(charge, school, agreement):
                    yield agreement, school


def subscribed(charge: Charge, agreement: Agreement) -> bool:
    """Tell whether an agreement takes a charge: an option is for who subscribed it."""
    return not charge.subscription or charge.subscription in agreement.subscriptions


def in_scope(charge: Charge, school: School, agreement: Agreement) -> bool:
    """Tell whether a charge bills a school: a private one only where its agreement says so."""
    public_or_agreed = school.sector != "prive" or agreement.private_included
    return (
        public_or_agreed
        and charge.degree in ("", school.degree)
        and charge.sector in ("", school.sector)
    )

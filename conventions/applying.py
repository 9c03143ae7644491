"""What an accepted amendment changes: schools of its year and the following ones, communes, bodies.

Called inside the transaction that accepts it, with the agreement locked: see `conventions.filings`.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from django.db.models import Model, Q
from django.utils import timezone

from conventions import life, states
from conventions.models import AmendedCommune, Amendment, Convention, Enrolment
from entsvc import school_year
from members import memberships
from members.models import GroupedSchool, Member, Membership, School

REFERENCE_LENGTH = Convention._meta.get_field("reference").max_length
CARRIED = ("project_submitted_on", "project_validated_on", "opened_on")


def apply(amendment: Amendment, schools: Iterable[School], *, actor: str) -> Convention:
    """Write what an accepted amendment asks for; return the agreement that names its schools.

    That is a new agreement when another body signs or pays from its school year on.
    """
    schools = list(schools)
    move_communes(amendment, schools)
    if amendment.new_party_id or amendment.new_debtor_id:
        return succeed(amendment, schools, actor=actor)
    set_list(amendment, schools)
    return amendment.convention


def set_list(amendment: Amendment, schools: Iterable[School]) -> None:
    """Make these the schools of the amendment's year and of the following ones, open to the end.

    The years before are left as they were. A school that was to come later comes from that year on, what
    is known of its opening kept; a row that began in that year or later and that the list does not
    continue is deleted, its history kept.
    """
    wanted, convention = {school.pk: school for school in schools}, amendment.convention
    year, reason = amendment.school_year, _reason(amendment)
    reaching = Q(last_year=None) | Q(last_year__gte=year)
    for row in convention.enrolments.filter(reaching).order_by("school", "first_year", "pk"):
        if row.school_id in wanted and row.first_year <= year:
            del wanted[row.school_id]
            _change(row, reason, last_year=_kept_until(row, convention))
        elif row.school_id in wanted:
            del wanted[row.school_id]
            years = {"first_year": year, "last_year": _kept_until(row, convention)}
            _change(row, reason, amendment=amendment, **years)
        elif row.first_year >= year:
            row._change_reason = reason
            row.delete()
        else:
            _change(row, reason, last_year=year - 1)
    for school in wanted.values():
        row = Enrolment(convention=convention, school=school, first_year=year, amendment=amendment)
        row._change_reason = reason
        row.save()


def move_communes(amendment: Amendment, schools: Iterable[School]) -> None:
    """Make communes join or leave the RPI on the day of the amendment, with their schools.

    The schools of a commune that joins are those of the list; all of one that leaves leave with it.
    """
    body, day = amendment.convention.party, amendment.dated
    rows = list(amendment.communes.select_related("commune").order_by("pk"))
    joining = [row.commune for row in rows if row.change == AmendedCommune.Change.JOINS]
    leaving = [row.commune for row in rows if row.change == AmendedCommune.Change.LEAVES]
    held = Membership.objects.filter(body=body, valid_to=None)
    _leave(Membership, held.filter(commune__in=[commune.pk for commune in leaving]), day)
    open_already = set(held.order_by("pk").values_list("commune_id", flat=True))
    for commune in joining:
        if commune.pk not in open_already:
            Membership.objects.create(body=body, commune=commune, valid_from=day)
    grouped = GroupedSchool.objects.filter(body=body, valid_to=None)
    left = [commune.insee_code for commune in leaving if commune.insee_code]
    _leave(GroupedSchool, grouped.filter(school__commune_code__in=left), day)
    codes = {commune.insee_code for commune in joining} - {""}
    entering = [(body.pk, school.pk) for school in schools if school.commune_code in codes]
    if entering:
        memberships.apply_moves(GroupedSchool, Member.Kind.RPI, entering, day, exclusive=True)


def succeed(amendment: Amendment, schools: Iterable[School], *, actor: str) -> Convention:
    """Close the agreement at the year before, and open the one that follows with the new bodies.

    Same schedule, text, votes and end; the schools of the list go on, their openings known.
    """
    old, year = amendment.convention, amendment.school_year
    first_day = amendment.dated
    new = _successor(amendment)
    new._change_reason = _reason(amendment)
    new.save()
    _carry_schools(amendment, new, schools)
    _carry_options(old, new, year, _reason(amendment))
    old.last_year = year - 1
    last_day = max(first_day - timedelta(days=1), old.signed_on or date.min)
    old.ends_on = min(old.last_day or last_day, last_day)
    over = old.status == states.IN_FORCE and first_day <= timezone.localdate()
    before, old.status = old.status, states.EXPIRED if over else old.status
    old._change_reason = _reason(amendment)
    old.save()
    comment = f"Par l'avenant n° {amendment.number} à la convention {old.reference}."
    if over:
        told = f"La convention {new.reference} prend la suite. {comment}"
        life.log(old, "echoir", before, old.status, actor=actor, comment=told)
    told = f"Prend la suite de la convention {old.reference}. {comment}"
    life.log(new, "reprise", states.DRAFT, new.status, actor=actor, comment=told)
    return new


def payer_for(party: Member) -> Member | None:
    """Return who pays for a new party where no one is named: itself, or who represents the RPI."""
    payer = party.representative if party.kind == Member.Kind.RPI else party
    return payer if payer and payer.siret else None


def derived_reference(convention: Convention, number: int) -> str:
    """Return a free reference for what follows an agreement, « 2020-017-A2 » after amendment 2."""
    taken = set(
        Convention.objects.filter(schedule=convention.schedule_id)
        .order_by("pk")
        .values_list("reference", flat=True)
    )
    suffix, rank = f"-A{number}", 1
    while (found := convention.reference[: REFERENCE_LENGTH - len(suffix)] + suffix) in taken:
        rank += 1
        suffix = f"-A{number}-{rank}"
    return found


def _successor(amendment: Amendment) -> Convention:
    old = amendment.convention
    party = amendment.new_party or old.party
    debtor = amendment.new_debtor or (payer_for(party) if amendment.new_party_id else old.debtor)
    return Convention(
        schedule=old.schedule,
        reference=derived_reference(old, amendment.number),
        policy=old.policy,
        status=states.IN_FORCE,
        party=party,
        debtor=debtor,
        first_year=amendment.school_year,
        last_year=old.last_year,
        signed_on=amendment.signed_on or amendment.filing.filed_on,
        transmitted_on=old.transmitted_on,
        fixed_start=old.fixed_start,
        ends_on=old.ends_on,
        act=amendment.act or old.act,
        committee_act=old.committee_act,
        conditions=old.conditions,
        succeeds=old,
        private_included=old.private_included,
    )


def _carry_schools(amendment: Amendment, new: Convention, schools: Iterable[School]) -> None:
    """Name the schools in the new agreement; what the old one held beyond its last year goes."""
    old, year = amendment.convention, amendment.school_year
    reaching = Q(last_year=None) | Q(last_year__gte=year)
    held = {row.school_id: row for row in old.enrolments.filter(reaching).order_by("-first_year", "pk")}
    for school in schools:
        before = held.get(school.pk)
        facts = {name: getattr(before, name) for name in CARRIED} if before else {}
        source = None if before else amendment
        row = Enrolment(convention=new, school=school, first_year=year, amendment=source, **facts)
        row._change_reason = _reason(amendment)
        row.save()
    for row in old.enrolments.filter(reaching).order_by("pk"):
        row._change_reason = _reason(amendment)
        if row.first_year >= year:
            row.delete()
        elif row.last_year is not None:
            _change(row, _reason(amendment), last_year=year - 1)


def _carry_options(old: Convention, new: Convention, year: int, reason: str) -> None:
    """Carry the options that run beyond the last year, and the units delivered since."""
    reaching = Q(last_year=None) | Q(last_year__gte=year)
    for row in old.subscriptions.filter(reaching).order_by("pk"):
        carried = type(row)(
            convention=new,
            code=row.code,
            first_year=max(year, row.first_year),
            last_year=row.last_year,
        )
        carried._change_reason = reason
        if row.first_year >= year:
            row._change_reason = reason
            row.delete()
        carried.save()
    for row in old.units.filter(school_year__gte=year).order_by("pk"):
        _change(row, reason, convention=new)
    # What is billed apart is owed by whom it was delivered to.
    since = old.deliveries.filter(delivered_on__gte=school_year.first_day(year), apart=False)
    for row in since.order_by("pk"):
        _change(row, reason, convention=new)


def _kept_until(row: Enrolment, convention: Convention) -> int | None:
    """Return None, open to the end, for a row that would stop before the agreement."""
    ends_before = row.last_year is not None and (
        convention.last_year is None or row.last_year < convention.last_year
    )
    return None if ends_before else row.last_year


def _leave(model: type[Membership] | type[GroupedSchool], rows: Iterable[Model], day: date) -> None:
    """End spans the day before; one that began on that day or later never was."""
    ended = []
    for row in rows.order_by("pk"):
        if row.valid_from < day:
            ended.append(row.pk)
        else:
            row.delete()
    memberships.end(model, ended, day)


def _change(row: Model, reason: str, **values: object) -> None:
    """Write what differs, with its reason in the history; nothing when nothing does."""
    if all(getattr(row, name) == value for name, value in values.items()):
        return
    for name, value in values.items():
        setattr(row, name, value)
    row._change_reason = reason
    row.save()


def _reason(amendment: Amendment) -> str:
    year = school_year.label(amendment.school_year)
    return f"Avenant n° {amendment.number} à partir de {year}"

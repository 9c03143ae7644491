"""The life of an amendment: asked for, sent to be signed, filed, sent back, decided or dropped.

Rules 6.1 to 6.3 of the 2020-2021 partnership of the académie de Montpellier, with decisions D6 and D23
to D25: only an agreement whose text has a window takes one. Each step is one transaction that locks the
agreement first, so that two steps on it follow one another.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from conventions import applying, invitations, life, states
from conventions.amendments import OpenWindow, Ruling, judge
from conventions.estimates import estimate
from conventions.models import (
    AmendedCommune,
    AmendedSchool,
    Amendment,
    Convention,
    Paper,
    PaperKind,
)
from conventions.papers import freezing, sources, texts
from conventions.school_lists import (
    NoWindow,
    candidates,
    enrolled,
    judged,
    lists_by_year,
    policy_of,
    schools_of,
    window_of,
)
from conventions.wishes import (
    AmendmentRefused,
    Wish,
    check_decision,
    check_filing,
    check_opening,
    check_wish,
    wish,
    wish_of,
    wrong_dates,
)
from entsvc import mail, school_year
from entsvc.french import day_and_month
from entsvc.scans import CheckedPdf
from members.models import Act, Member, School
from members.portal.access import addresses

__all__ = [
    "AmendmentRefused",
    "NoWindow",
    "OpenWindow",
    "candidates",
    "change_list",
    "decide",
    "drop",
    "enrolled",
    "file",
    "judged",
    "lists_by_year",
    "open_amendment",
    "recipients",
    "send",
    "send_back",
    "window_of",
]

CODES = {True: "accepter", False: "constater_sans_effet"}
MAILS = {True: "amendment_accepted", False: "amendment_without_effect"}
KEEP: Any = object()


def open_amendment(
    *,
    convention: Convention,
    school_year: int,
    schools: Iterable[School],
    actor: str,
    reason: str = "",
    joining: Iterable[Member] = (),
    leaving: Iterable[Member] = (),
    new_party: Member | None = None,
    new_debtor: Member | None = None,
) -> Amendment:
    """Open an amendment that asks for a whole list of schools from a school year on.

    `joining` and `leaving` are communes of the RPI; `new_party` and `new_debtor` other bodies that sign
    and pay. Raises AmendmentRefused where the agreement does not take it.
    """
    with transaction.atomic():
        convention = _locked(convention.pk)
        check_opening(convention, school_year)
        asked = wish(convention, schools, joining, leaving, new_party, new_debtor)
        check_wish(convention, school_year, asked)
        amendment = Amendment(
            convention=convention,
            number=_next_number(convention),
            school_year=school_year,
            requested_by=actor,
            reason=reason,
            new_party=asked.new_party,
            new_debtor=asked.new_debtor,
        )
        _refuse_broken_rules(amendment)
        amendment.save()
        _write(amendment, asked)
        words = {"actor": actor, "comment": reason, "amendment": amendment}
        life.log(convention, life.AMENDMENT_OPENED, states.DRAFT, states.DRAFT, **words)
    return amendment


def change_list(
    *,
    amendment: Amendment,
    schools: Iterable[School],
    actor: str,
    reason: str | None = None,
    joining: Iterable[Member] | None = None,
    leaving: Iterable[Member] | None = None,
    new_party: Member | None = KEEP,
    new_debtor: Member | None = KEEP,
) -> Amendment:
    """Change what an amendment asks for, until it is filed; what is not given stays as it was.

    One sent to be signed, or sent back, becomes a draft again: its paper must be produced anew.
    """
    with transaction.atomic():
        amendment, convention = _both(amendment)
        held = wish_of(amendment)
        asked = wish(
            convention,
            schools,
            held.joining if joining is None else joining,
            held.leaving if leaving is None else leaving,
            amendment.new_party if new_party is KEEP else new_party,
            amendment.new_debtor if new_debtor is KEEP else new_debtor,
        )
        is_draft = amendment.status == states.DRAFT
        if not is_draft:
            _after("modifier", amendment)
        check_opening(convention, amendment.school_year)
        check_wish(convention, amendment.school_year, asked)
        changes = {
            "reason": amendment.reason if reason is None else reason,
            "new_party": asked.new_party,
            "new_debtor": asked.new_debtor,
        }
        if is_draft:
            for name, value in changes.items():
                setattr(amendment, name, value)
            amendment.save()
            words = {"actor": actor, "comment": changes["reason"], "amendment": amendment}
            life.log(convention, life.AMENDMENT_CHANGED, states.DRAFT, states.DRAFT, **words)
        else:
            _move(amendment, "modifier", actor, changes["reason"], changes)
        _write(amendment, asked)
    return amendment


def send(*, amendment: Amendment, actor: str, invite: bool = False) -> Paper:
    """Produce the amendment to sign, frozen, and wait for it; `invite` tells the member's offices."""
    try:
        with transaction.atomic():
            amendment, convention = _both(amendment)
            _after("envoyer", amendment)
            check_opening(convention, amendment.school_year)
            check_wish(convention, amendment.school_year, wish_of(amendment))
            _move(amendment, "envoyer", actor)
            paper = freezing.freeze(PaperKind.AMENDMENT, convention, amendment, actor=actor)
            if invite:
                invitations.invite(convention, amendment)
            return paper
    except (sources.PaperRefused, texts.NoText) as error:
        raise AmendmentRefused(str(error)) from error


def file(
    *,
    amendment: Amendment,
    pdf: CheckedPdf,
    received_on: date | None,
    actor: str,
    transmitted_on: date | None = None,
    proof: CheckedPdf | None = None,
    signed_on: date | None = None,
    act: Act | None = None,
    comment: str = "",
) -> Amendment:
    """Receive the signed amendment, a PDF, and what proves the day of its transmission.

    That day counts when it is proved, else the day of reception (decision D23). `act` is the member's
    deliberation, where there is one. Past the end of the agreement only staff file, and `comment` why.
    Raises AmendmentRefused for dates that can't be, or a paper signed before the request changed.
    """
    with transaction.atomic():
        amendment, convention = _both(amendment)
        _after("deposer", amendment)
        signed_on = signed_on or amendment.signed_on
        problem = wrong_dates(
            received_on, transmitted_on, proof is not None, timezone.localdate(), signed_on
        )
        if problem:
            raise AmendmentRefused(problem)
        check_filing(convention, transmitted_on if proof else received_on, comment)
        kind = PaperKind.AMENDMENT
        if freezing.is_outdated(pdf, convention, amendment, kind):
            raise AmendmentRefused(
                "Ce fichier est celui qui avait été déposé avant que la demande change : faites signer "
                "le nouvel avenant."
            )
        kept = {"kind": kind, "actor": actor}
        signed = Paper.Role.SIGNED
        freezing.receive(pdf, pdf.name or "avenant.pdf", convention, amendment, role=signed, **kept)
        document = None
        if proof is not None:
            called, supporting = proof.name or "preuve-de-transmission.pdf", Paper.Role.SUPPORTING
            paper = freezing.receive(proof, called, convention, amendment, role=supporting, **kept)
            document = paper.document
        changes = {
            "received_on": received_on,
            "transmitted_on": transmitted_on,
            "transmission_proof": document,
            "signed_on": signed_on,
            "act": act or amendment.act,
        }
        _move(amendment, "deposer", actor, comment, changes)
    return amendment


def send_back(*, amendment: Amendment, actor: str, comment: str) -> Amendment:
    """Send a filed amendment back to the member, saying why; the day it was filed no longer counts."""
    if not comment.strip():
        raise AmendmentRefused("Dites au membre, en commentaire, ce qu'il doit reprendre.")
    with transaction.atomic():
        amendment, convention = _both(amendment)
        undated = {"received_on": None, "transmitted_on": None, "transmission_proof": None}
        _move(amendment, "renvoyer", actor, comment, undated)
        _tell("amendment_sent_back", amendment, convention, convention, comment=comment.strip())
    return amendment


def decide(*, amendment: Amendment, actor: str, comment: str = "") -> Amendment:
    """Accept a filed amendment and apply it, or find it without effect: the rule decides, not the actor.

    What it adds and removes, its day and the reason are frozen with it. Raises AmendmentRefused where
    the acceptance can't be written (see `wishes.check_decision`).
    """
    with transaction.atomic():
        amendment, convention = _both(amendment)
        _after("accepter", amendment)
        ruling = _ruling(amendment, convention)
        asked = wish_of(amendment)
        words = ruling.reason
        if ruling.counts:
            check_decision(amendment, ruling.filing, asked)
            if asked.new_party or asked.new_debtor:
                follows = applying.derived_reference(convention, amendment.number)
                words += f" La convention {follows} prend la suite."
        changes = {
            "dated": ruling.dated,
            "ruling": words,
            "added": list(ruling.added),
            "removed": list(ruling.removed),
        }
        _move(amendment, CODES[ruling.counts], actor, comment, changes)
        holder = convention
        if ruling.counts:
            holder = _apply(amendment, asked, actor)
        _tell(MAILS[ruling.counts], amendment, convention, holder, comment=comment.strip())
    return amendment


def drop(*, amendment: Amendment, actor: str, comment: str = "") -> Amendment:
    """Give up an amendment that is not filed."""
    with transaction.atomic():
        amendment, _ = _both(amendment)
        _move(amendment, "abandonner", actor, comment)
    return amendment


def recipients(convention: Convention) -> list[str]:
    """Return who is told of an amendment: the offices of the party and of who pays for it."""
    told = [convention.party]
    if convention.debtor_id != convention.party_id:
        told.append(convention.debtor)
    return list(dict.fromkeys(address for member in told for address in addresses(member)))


def _locked(key: int) -> Convention:
    rows = Convention.objects.select_for_update(of=("self",))
    return rows.select_related("party", "debtor", "schedule").get(pk=key)


def _both(amendment: Amendment) -> tuple[Amendment, Convention]:
    """Lock the agreement, then read the amendment again as it is now."""
    convention = _locked(amendment.convention_id)
    fresh = Amendment.objects.select_related("new_party", "new_debtor").get(pk=amendment.pk)
    fresh.convention = convention
    return fresh, convention


def _after(code: str, amendment: Amendment) -> str:
    """Return where an action leads; raise IllegalTransition where it does not exist."""
    return states.after(states.AMENDMENT_ACTIONS, code, amendment.status, states.AMENDMENT_STATES)


def _move(
    amendment: Amendment,
    code: str,
    actor: str,
    comment: str = "",
    changes: dict[str, Any] | None = None,
) -> None:
    try:
        life.move_amendment(amendment, code, actor=actor, comment=comment, changes=changes)
    except life.Refused as error:
        raise AmendmentRefused(str(error)) from error


def _ruling(amendment: Amendment, convention: Convention) -> Ruling:
    try:
        window = policy_of(convention).window
    except NoWindow as error:
        raise AmendmentRefused(str(error)) from error
    current = frozenset(school.uai for school in enrolled(convention, amendment.school_year))
    ruling = judge(amendment.filing, current, window)
    if ruling.dated is None:
        raise AmendmentRefused(ruling.reason)
    return ruling


def _apply(amendment: Amendment, asked: Wish, actor: str) -> Convention:
    try:
        with transaction.atomic():
            return applying.apply(amendment, asked.schools, actor=actor)
    except IntegrityError as error:
        raise AmendmentRefused(
            "Une autre personne change ces écoles ou ce RPI au même moment : rechargez la page et "
            "recommencez."
        ) from error


def _next_number(convention: Convention) -> int:
    """Return the number after those given here and those signed on paper before."""
    last = convention.amendments.aggregate(last=Max("number"))["last"] or 0
    return max(last, convention.amendments_before) + 1


def _refuse_broken_rules(amendment: Amendment) -> None:
    try:
        amendment.validate_constraints()
    except ValidationError as error:
        raise AmendmentRefused(" ".join(error.messages)) from error


def _write(amendment: Amendment, asked: Wish) -> None:
    """Write the list and the communes asked for; rows that stay keep their history."""
    wanted = {school.pk: school for school in asked.schools}
    for row in amendment.schools.order_by("pk"):
        if wanted.pop(row.school_id, None) is None:
            row.delete()
    for school in wanted.values():
        AmendedSchool.objects.create(amendment=amendment, school=school)
    change = AmendedCommune.Change
    moves = {(member.pk, change.JOINS) for member in asked.joining}
    moves |= {(member.pk, change.LEAVES) for member in asked.leaving}
    for row in amendment.communes.order_by("pk"):
        if (row.commune_id, row.change) in moves:
            moves.remove((row.commune_id, row.change))
        else:
            row.delete()
    for key, moved in sorted(moves):
        AmendedCommune.objects.create(amendment=amendment, commune_id=key, change=moved)


def _tell(
    template: str, amendment: Amendment, convention: Convention, holder: Convention, *, comment: str
) -> None:
    """Write to the offices concerned, in the transaction that does what is told.

    `holder` is the agreement that names the schools from now on, which another body may have signed.
    """
    year = amendment.school_year
    schools, window = enrolled(holder, year), policy_of(convention).window
    context = {
        "amendment": amendment,
        "convention": convention,
        "holder": holder,
        "issuer": convention.schedule.issuer,
        "year": school_year.label(year),
        "closes": window.closes(year),
        "opens_day": day_and_month(window.opens(year)),
        "closes_day": day_and_month(window.closes(year)),
        "comment": comment,
        "schools": schools,
        "estimate": estimate(holder, year, schools),
        "added": schools_of(amendment.added),
        "removed": schools_of(amendment.removed),
        "link": mail.link("espace:home"),
    }
    told = dict.fromkeys([*recipients(convention), *recipients(holder)])
    mail.post(told, template, context)

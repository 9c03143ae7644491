"""Which agreements, amendments and papers an account of a mayor's office may open, and act upon."""

from collections.abc import Collection, Iterator

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone

from conventions import states
from conventions.models import Amendment, Convention, MemberEtat, Objection, Paper
from entsvc.changes import in_batches
from members import successions
from members.models import Member

# A draft is the issuer's alone; one that was given up is nobody's any more.
SHOWN = (states.SENT, states.SIGNED, states.IN_FORCE, states.TERMINATED, states.EXPIRED)


def conventions_of(members: QuerySet[Member]) -> QuerySet[Convention]:
    """Return the agreements that members sign or pay for."""
    keys = members.order_by().values("pk")
    return Convention.objects.filter(
        Q(party__in=keys) | Q(debtor__in=keys), status__in=SHOWN
    ).select_related("schedule__issuer", "party", "debtor", "act", "committee_act", "succeeds")


def issuers_of(members: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield members, among these, and the keys of the issuers whose agreements their pages show."""
    shown = conventions_of(Member.objects.filter(pk__in=members)).select_related(None).order_by()
    for party, debtor, issuer in shown.values_list("party", "debtor", "schedule__issuer").distinct():
        yield party, issuer
        yield debtor, issuer


def convention_or_404(request: HttpRequest, pk: int) -> Convention:
    """Return an agreement that the account may open."""
    return get_object_or_404(conventions_of(request.members), pk=pk)


def amendment_or_404(request: HttpRequest, pk: int) -> Amendment:
    """Return an amendment of an agreement that the account may open."""
    amendment = get_object_or_404(Amendment, pk=pk, convention__in=_keys(request))
    amendment.convention = convention_or_404(request, amendment.convention_id)
    return amendment


def paper_or_404(request: HttpRequest, pk: str) -> Paper:
    """Return a paper of an agreement that the account may open."""
    rows = Paper.objects.select_related("document")
    return get_object_or_404(rows, pk=pk, convention__in=_keys(request))


def may_act(request: HttpRequest, convention: Convention) -> bool:
    """Tell whether the account acts for who signs: who only pays reads."""
    return request.members.filter(pk=convention.party_id).exists()


def act_or_404(request: HttpRequest, convention: Convention) -> None:
    """Refuse to act to an account that does not act for who signs."""
    if not may_act(request, convention):
        raise Http404


def home_of(request: HttpRequest, convention: Convention) -> int:
    """Return the key of the member whose page leads to an agreement."""
    return convention.party_id if may_act(request, convention) else convention.debtor_id


def etats_of(members: Collection[int]) -> QuerySet[MemberEtat]:
    """Return what members, and those they took over, are shown before their bill, the latest first.

    Who took over a member pays for it: it reads and objects in its place.
    """
    stands = [*members, *successions.taken_over_by(members, timezone.localdate())]
    return (
        MemberEtat.objects.filter(debtor__in=stands)
        .select_related("debtor", "etat__schedule__issuer")
        .order_by("-etat__school_year", "-etat__opened_on", "etat__schedule", "debtor")
    )


def etat_or_404(request: HttpRequest, pk: int) -> MemberEtat:
    """Return what a member of the account is shown."""
    return get_object_or_404(etats_of(_members(request)), pk=pk)


def objection_or_404(request: HttpRequest, pk: int) -> Objection:
    """Return an objection of a member of the account."""
    shown = etats_of(_members(request)).order_by().values("pk")
    rows = Objection.objects.select_related("school", "shown__debtor", "shown__etat")
    return get_object_or_404(rows, pk=pk, shown__in=shown)


def etat_issuers_of(members: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield members, among these, and the keys of the issuers whose états they read, or are to read."""
    stands = {key: key for key in members} | successions.taken_over_by(members)
    for batch in in_batches(stands):
        rows = MemberEtat.objects.filter(debtor__in=batch).order_by()
        for debtor, issuer in rows.values_list("debtor", "etat__schedule__issuer").distinct():
            yield stands[debtor], issuer


def _members(request: HttpRequest) -> list[int]:
    return list(request.members.order_by("pk").values_list("pk", flat=True))


def _keys(request: HttpRequest) -> QuerySet:
    return conventions_of(request.members).order_by().values("pk")

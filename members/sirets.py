"""When a proposed SIRET becomes sure: a person says so, for one member or for many."""

from django.db import transaction
from django.db.models import QuerySet

from entsvc import history, journal
from entsvc.french import plural
from members.models import Member


def to_verify(members: QuerySet[Member]) -> QuerySet[Member]:
    """Leave those whose SIRET was only proposed."""
    return members.filter(siret_to_verify=True)


def verify(members: QuerySet[Member], *, actor: str) -> int:
    """Mark the proposed SIRET of members as verified, and return how many were."""
    with transaction.atomic():
        known = dict(to_verify(members).order_by("pk").values_list("pk", "siret"))
        history.update(Member, known, "SIRET vérifié", siret_to_verify=False)
        if known:
            summary = f"{plural(len(known), 'SIRET vérifié', 'SIRET vérifiés')}"
            sirets = sorted(known.values())
            journal.record(
                actor=actor,
                action="siret-verified",
                target="members.member",
                summary=summary,
                data={"sirets": sirets},
            )
    return len(known)

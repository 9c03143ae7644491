"""Who is told when the addresses that open a member's pages change."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import prefetch_related_objects

from entsvc import journal, mail
from entsvc.changes import in_batches
from members.models import Issuer, Member
from members.portal import access, reach


@dataclass(frozen=True)
class Change:
    """What is no longer the same in the addresses of a member."""

    member: Member
    before: list[str]
    added: list[str]
    removed: list[str]


def tell(
    *, before: Mapping[Member, list[str]], actor: str, issuers: frozenset[int] | None = None
) -> None:
    """Write down which members no longer have the addresses of `before`; mail those concerned.

    Whoever is added to the accesses is invited. All who had access are warned, so that nobody gets in
    without the mairie's knowledge; so are the issuers that deal with the member, even where it had no
    address to warn, but for `issuers`, those of the account that did it.
    """
    for batch in in_batches(before):
        prefetch_related_objects(batch, "contacts")
    changes = [change for member, known in before.items() if (change := _change(member, known))]
    with transaction.atomic():
        for change in changes:
            _record(change, actor)
            _invite(change)
            context = {"member": str(change.member), "added": change.added, "removed": change.removed}
            mail.post(change.before, "acces_modifies", context)
        _warn_issuers(changes, actor, issuers or frozenset())


def _change(member: Member, before: list[str]) -> Change | None:
    after = access.addresses(member)
    added = [address for address in after if address not in before]
    removed = [address for address in before if address not in after]
    return Change(member, before, added, removed) if added or removed else None


def _record(change: Change, actor: str) -> None:
    added, removed = len(change.added), len(change.removed)
    journal.record(
        actor=actor,
        action="espace-acces",
        target=change.member,
        summary=f"Accès à l'espace de {change.member} : {added} de plus, {removed} de moins",
        data={"added": change.added, "removed": change.removed},
    )


def _invite(change: Change) -> None:
    named = {contact.email.lower() for contact in change.member.contacts.all()}
    for address in change.added:
        if address in named:
            url = mail.link("espace:sign-in")
            context = {"member": str(change.member), "address": address, "url": url}
            mail.post([address], "acces_ouvert", context)


def _warn_issuers(changes: list[Change], actor: str, issuers: frozenset[int]) -> None:
    """Write once to each other issuer, of all the members that it deals with."""
    theirs: dict[int, list[Change]] = {}
    concerned = reach.by_member(change.member for change in changes)
    for change in changes:
        for key in concerned.get(change.member.pk, frozenset()) - issuers:
            theirs.setdefault(key, []).append(change)
    for issuer in Issuer.objects.filter(pk__in=theirs).order_by("pk"):
        context = {"issuer": issuer, "changes": theirs[issuer.pk], "actor": actor}
        mail.post([issuer.email], "acces_modifies_emetteur", context)

"""Who is told when the addresses that open a member's pages change."""

from django.db import transaction

from entsvc import journal, mail
from members.models import Member
from members.portal import access


def tell(*, member: Member, before: list[str], actor: str) -> None:
    """Write down that the addresses of a member are no longer those of `before`; mail those concerned.

    Whoever is added to the accesses is invited. All who had access are warned, so that nobody gets in
    without the mairie's knowledge; the first address that a member is given warns nobody.
    """
    after = access.addresses(member)
    added = [address for address in after if address not in before]
    removed = [address for address in before if address not in after]
    if not (added or removed):
        return
    named = {email.lower() for email in member.contacts.values_list("email", flat=True)}
    with transaction.atomic():
        journal.record(
            actor=actor,
            action="espace-acces",
            target=member,
            summary=f"Accès à l'espace de {member} : {len(added)} de plus, {len(removed)} de moins",
            data={"added": added, "removed": removed},
        )
        for address in added:
            if address in named:
                url = mail.link("espace:sign-in")
                context = {"member": str(member), "address": address, "url": url}
                mail.post([address], "acces_ouvert", context)
        context = {"member": str(member), "added": added, "removed": removed}
        mail.post(before, "acces_modifies", context)

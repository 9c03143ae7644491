"""Who is told that a paper waits for its signature: the offices of the member that signs it."""

from conventions.models import Amendment, Convention
from entsvc import mail
from entsvc.french import plural
from members.models import Member
from members.portal.access import addresses

NOBODY = (
    "Aucune adresse de courriel n'est connue de {member} : envoyez-lui le document par la poste, ou "
    "saisissez d'abord son courriel dans sa fiche."
)


def invite(convention: Convention, amendment: Amendment | None = None) -> int:
    """Write to the offices of the party that its agreement, or an amendment to it, waits to be signed.

    Called inside the transaction that sends the paper; returns how many addresses are told.
    """
    told = addresses(convention.party)
    context = {
        "convention": convention,
        "amendment": amendment,
        "party": str(convention.party),
        "issuer": convention.schedule.issuer,
        "link": mail.link("espace:home"),
    }
    mail.post(told, "a_signer", context)
    return len(told)


def who_is_told(member: Member) -> str:
    """Return in French whom `invite` will write to, or what to do when it can write to nobody."""
    told = addresses(member)
    if not told:
        return NOBODY.format(member=member)
    return f"Un courriel est envoyé à {plural(len(told), 'adresse')} : {', '.join(told)}."

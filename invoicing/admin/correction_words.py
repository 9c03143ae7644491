"""What the pages that correct titres say before the click: facts, warnings, and why not."""

from collections.abc import Iterable
from decimal import Decimal

from django.utils import timezone

from entsvc.french import euros, plural, short_date
from invoicing import called_again, corrections, mandats
from invoicing.apart import ENGAGEMENT
from invoicing.corrections import due
from invoicing.issuing import LINE_FACTS
from invoicing.models import Call, Titre, TitreEvent
from invoicing.payments import standing
from invoicing.reissue import Candidate

FINAL = "C'est définitif : une correction ne se corrige pas, un titre annulé se ré-émet."
OWN_BORDEREAU = (
    "Cette correction aura son propre bordereau. Pour annuler plusieurs titres sur un seul, cochez-les "
    "dans leur liste et choisissez l'action « Annuler »."
)


def facts_of(titre: Titre) -> list[str]:
    """Return what stands of a titre, before anything is done to it."""
    found = standing(titre)
    facts = [
        f"{titre.reference}, {titre.debtor_name} : {euros(titre.total)}, émis le "
        f"{short_date(titre.issued_on)}, exercice {titre.exercice}."
    ]
    rejection = rejection_of(titre)
    if rejection is not None:
        facts.append(rejected(rejection))
    taken = titre.total - found.due
    if taken:
        count = plural(titre.corrections.count(), "correction")
        facts.append(f"Déjà retiré : {euros(taken)}, par {count}.")
    facts.append(f"Dû après corrections : {euros(found.due)}. Déjà payé : {euros(found.paid)}.")
    return facts


def rejection_of(titre: Titre) -> TitreEvent | None:
    """Return the accountant's rejection of a titre, where it is the last answer."""
    answers = sorted(titre.events.all(), key=lambda event: event.pk)
    return answers[-1] if answers and answers[-1].kind == TitreEvent.Kind.REJECTED else None


def rejected(event: TitreEvent) -> str:
    """Tell a rejection with its reason."""
    return f"Rejeté par le comptable le {short_date(event.on)} : « {event.comment} »."


def warnings_of(titre: Titre, off: Decimal | None) -> list[str]:
    """Warn of what can't be undone, will have been paid too much, or would be called again.

    `off` is what comes off, None where it isn't known yet.
    """
    found, warnings = standing(titre), [FINAL]
    if off is None and found.paid:
        warnings.append(
            f"{euros(found.paid)} sont déjà payés : s'il reste dû moins que cela, le trop-perçu restera "
            "à rembourser par le comptable."
        )
    elif off is not None and found.paid > found.due - off:
        over = found.paid - (found.due - off)
        warnings.append(
            f"{euros(found.paid)} sont déjà payés : un trop-perçu de {euros(over)} restera à rembourser "
            "par le comptable."
        )
    asked = titre.mandat_requests.count()
    if asked:
        warnings.append(f"{plural(asked, 'mandat est déjà demandé', 'mandats sont déjà demandés')}.")
    return warnings


def warned_again(titre: Titre, kind: str) -> list[str]:
    """Warn of what the data of today would call again (see `called_again`)."""
    asked = called_again.still_asked([titre]).get(titre.pk)
    whole = kind == Titre.Kind.ANNULATION
    told = (called_again.told_of_annulation if whole else called_again.told_of_reduction)(titre, asked)
    return [told] if told else []


def blocked(found: Iterable[Candidate]) -> list[str]:
    """Say why calls can't make a titre."""
    return [
        f"L'appel de {item.call.name} est bloqué : {' '.join(item.reasons)}"
        for item in found
        if item.reasons
    ]


def warned_unchanged(titre: Titre, found: Iterable[Candidate]) -> list[str]:
    """Warn where the new titre would say what the one to replace says: nothing was mended."""
    if not any(_is_the_same(titre, item.call) for item in found):
        return []
    return [
        "Rien n'a changé depuis ce titre : même débiteur, même adresse, mêmes lignes. Si l'erreur est "
        "là, corrigez d'abord les données, puis relancez le calcul."
    ]


def _is_the_same(titre: Titre, call: Call) -> bool:
    """Tell whether a call bills the same debtor, under the same words, for the same lines."""
    member, then = call.debtor, titre.payload["debtor"]
    now = {
        "name": member.name,
        "siret": member.siret,
        "address": [*member.address.splitlines(), f"{member.postal_code} {member.city}"],
        "service_code": member.service_code,
        "engagement_number": call.run.facts.get(ENGAGEMENT) or member.engagement_number,
    }
    return all(then[name] == now[name] for name in now) and _lines(titre) == _lines(call)


def _lines(billed: Titre | Call) -> list[tuple]:
    return list(billed.lines.order_by("position").values_list(*LINE_FACTS))


def why_not_corrected(titre: Titre) -> str:
    """Say why nothing of a titre can be annulled or reduced, whatever is typed; else nothing."""
    if not due(titre):
        return f"Le titre {titre.reference} est déjà annulé : il n'en reste rien à retirer."
    return ""


def why_not_a_titre(titre: Titre) -> str:
    """Say that a correction is corrected by nothing."""
    if titre.kind == Titre.Kind.TITRE:
        return ""
    return f"{titre.reference} n'est pas un titre mais une correction : partez du titre d'origine."


def why_no_mandat(titre: Titre) -> str:
    """Say why no mandat is to be asked for, whatever is typed; else nothing."""
    if not corrections.why_closed(titre, timezone.localdate()):
        return f"L'exercice {titre.exercice} est encore ouvert : annulez ou réduisez ce titre."
    if not mandats.left_to_ask(titre):
        return f"Il ne reste rien à demander pour le titre {titre.reference}."
    return ""


def why_not_issued_again(titre: Titre) -> str:
    """Say why a titre annulled in full is not issued again in its exercice, past it; else nothing."""
    why = corrections.why_closed(titre, timezone.localdate())
    if not why or due(titre):
        return ""
    return (
        f"{why} : le titre {titre.reference}, annulé, n'y est plus ré-émis. Une campagne complémentaire "
        "appellera de nouveau ce que les données d'aujourd'hui demandent."
    )

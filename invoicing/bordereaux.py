"""The life of a bordereau: prepared when it is issued, then signed, then sent to the accountant.

Only the bordereau is signed (article L. 1617-5 4° of the CGCT), by the person whom its titres name.
"""

from datetime import date

from django.db import transaction
from django.db.models import TextChoices
from django.utils import timezone

from entsvc import journal
from entsvc.french import lower_first, short_date
from invoicing.models import Bordereau, BordereauEvent
from members.models import Signatory

SIGNED, SENT = BordereauEvent.Kind.SIGNED, BordereauEvent.Kind.SENT


class State(TextChoices):
    """Where a bordereau stands."""

    PREPARED = "prepare", "Préparé"
    SIGNED = "signe", "Signé"
    SENT = "envoye", "Envoyé au comptable"


class StepRefused(Exception):
    """The step can't be recorded so; the message says why, in French."""


def state_of(bordereau: Bordereau) -> State:
    """Return where a bordereau stands, from `events` where they are prefetched."""
    kinds = {event.kind for event in bordereau.events.all()}
    if SENT in kinds:
        return State.SENT
    return State.SIGNED if SIGNED in kinds else State.PREPARED


@transaction.atomic
def sign(*, bordereau: Bordereau, signatory: Signatory, on: date, actor: str) -> BordereauEvent:
    """Record who signed a bordereau, by what delegation, and when.

    Raises StepRefused for a signatory of another issuer or not in office that day, a day before the
    bordereau or to come, and for a bordereau already signed.
    """
    _lock(bordereau, SIGNED)
    if signatory.issuer_id != bordereau.issuer_id:
        raise StepRefused(f"Ce signataire n'est pas celui de {bordereau.issuer.name}.")
    if on < signatory.valid_from or (signatory.valid_to and on > signatory.valid_to):
        raise StepRefused(f"{signatory} n'a pas qualité pour signer le {short_date(on)}.")
    if on < bordereau.issued_on:
        raise StepRefused(
            f"Ce bordereau est du {short_date(bordereau.issued_on)} : donnez cette date ou une date "
            "postérieure."
        )
    event = BordereauEvent(kind=SIGNED, on=on, signatory=str(signatory), delegation=signatory.delegation)
    told = f"signé par {signatory} le {short_date(on)}"
    return _record(bordereau, event, told, actor)


@transaction.atomic
def send(*, bordereau: Bordereau, on: date, comment: str = "", actor: str) -> BordereauEvent:
    """Record that a signed bordereau went to the accountant.

    Raises StepRefused for one that is not signed, a day before the signature or to come, and for a
    bordereau already sent.
    """
    _lock(bordereau, SENT)
    signed = bordereau.events.filter(kind=SIGNED).first()
    if signed is None:
        raise StepRefused("Ce bordereau n'est pas signé : enregistrez d'abord sa signature.")
    if on < signed.on:
        raise StepRefused(
            f"Ce bordereau a été signé le {short_date(signed.on)} : donnez cette date ou une date "
            "postérieure."
        )
    event = BordereauEvent(kind=SENT, on=on, comment=" ".join(comment.split()))
    return _record(bordereau, event, f"envoyé au comptable le {short_date(on)}", actor)


def signature_warnings(bordereau: Bordereau, signatory: Signatory) -> list[str]:
    """Warn when the bordereau would be signed by someone whom its titres do not name."""
    if str(signatory) == bordereau.signatory:
        return []
    return [
        f"Les pièces de ce bordereau nomment {bordereau.signatory} : signé par {signatory}, elles "
        "seraient irrégulières (article L. 1617-5 4° du CGCT)."
    ]


def _lock(bordereau: Bordereau, step: BordereauEvent.Kind) -> None:
    """Let one step be recorded at a time, and each once."""
    Bordereau.objects.select_for_update(of=("self",)).get(pk=bordereau.pk)
    already = bordereau.events.filter(kind=step).first()
    if already:
        raise StepRefused(
            f"Ce bordereau est déjà {lower_first(step.label)}, depuis le {short_date(already.on)}."
        )


def _record(bordereau: Bordereau, event: BordereauEvent, told: str, actor: str) -> BordereauEvent:
    if event.on > timezone.localdate():
        raise StepRefused("Cette date est à venir : donnez le jour où cela a été fait.")
    event.bordereau, event.recorded_by = bordereau, actor
    event.save(force_insert=True)
    journal.record(
        actor=actor,
        action=f"bordereau-{event.kind}",
        target=bordereau,
        summary=f"{bordereau} : {told}",
        data={
            "on": event.on.isoformat(),
            "signatory": event.signatory,
            "delegation": event.delegation,
        },
    )
    return event

"""What a bordereau still owes to its channel: what the home page counts, and what lists show."""

from django.db.models import Exists, OuterRef, QuerySet

from invoicing.chorus.statuses import TO_DO
from invoicing.models import Bordereau, BordereauEvent, Channel, Deposit, DepositedPiece, Sending, Titre

# Of a deposit: what nobody knows to have arrived, what did not leave.
STATES = (Deposit.State.UNKNOWN, Deposit.State.WAITING)


def to_write(bordereaux: QuerySet[Bordereau]) -> QuerySet[Bordereau]:
    """Return those for Hélios that were not sent yet, and have no file."""
    sent = BordereauEvent.objects.filter(bordereau=OuterRef("pk"), kind=BordereauEvent.Kind.SENT)
    return _of_channel(bordereaux, Channel.Kind.HELIOS).filter(~Exists(sent))


def to_deposit(bordereaux: QuerySet[Bordereau]) -> QuerySet[Bordereau]:
    """Return those for Chorus Pro that are signed, and of which nothing was deposited yet.

    Those issued before their issuer chose that channel asked for no electronic invoice.
    """
    signed = BordereauEvent.objects.filter(bordereau=OuterRef("pk"), kind=BordereauEvent.Kind.SIGNED)
    framed = _of_channel(bordereaux, Channel.Kind.CHORUS_PRO).exclude(invoice_frame="")
    return framed.filter(Exists(signed))


def to_mend(pieces: QuerySet[DepositedPiece]) -> QuerySet[DepositedPiece]:
    """Return the pieces that Chorus Pro left, and that are neither under way again nor annulled."""
    again = DepositedPiece.objects.filter(titre=OuterRef("titre"), closed=False)
    gone = Titre.objects.filter(original=OuterRef("titre"), kind=Titre.Kind.ANNULATION)
    later = DepositedPiece.objects.filter(titre=OuterRef("titre"), pk__gt=OuterRef("pk"))
    return pieces.filter(~Exists(again), ~Exists(gone), ~Exists(later), closed=True)


def to_handle(pieces: QuerySet[DepositedPiece]) -> QuerySet[DepositedPiece]:
    """Return the pieces of which Chorus Pro waits for something, on its own portal."""
    return pieces.filter(closed=False, status__in=TO_DO)


def _of_channel(bordereaux: QuerySet[Bordereau], kind: Channel.Kind) -> QuerySet[Bordereau]:
    channel = Channel.objects.filter(issuer=OuterRef("issuer"), kind=kind)
    made = Sending.objects.filter(bordereau=OuterRef("pk"), channel=kind)
    return bordereaux.filter(Exists(channel), ~Exists(made))

"""Whether a bordereau already left by another channel: by two roads, its debtors would be billed twice.

The channel of an issuer may change, what was sent by the former one stays sent.
"""

from django.db.models import Exists, OuterRef, Q

from invoicing.models import Bordereau, BordereauEvent, Channel, DepositedPiece, Sending

Kind = Channel.Kind


def other_road(bordereau: Bordereau, kind: Channel.Kind) -> str:
    """Say by what other channel than `kind` a bordereau left; nothing when it may go by this one.

    By Chorus Pro as long as a piece of it is under way there; by Hélios once it accepted a file, or once
    the bordereau that has one was sent to the accountant; by the State's chain once an état names one of
    its pieces.
    """
    campaigns = bordereau.titres.order_by().values("campaign")
    sent = BordereauEvent.objects.filter(bordereau=bordereau, kind=BordereauEvent.Kind.SENT)
    under_way = DepositedPiece.objects.filter(sending=OuterRef("pk"), closed=False)
    others = (
        Sending.objects.filter(Q(bordereau=bordereau) | Q(campaign__in=campaigns))
        .exclude(channel=kind)
        .annotate(is_sent=Exists(sent), under_way=Exists(under_way))
        .order_by("pk")
    )
    for sending in others:
        if _left(sending, bordereau):
            return (
                f"{bordereau} est déjà parti par « {sending.get_channel_display()} » "
                f"({sending.file_name}) : par un second canal, ses débiteurs seraient appelés deux fois."
            )
    return ""


def _left(sending: Sending, bordereau: Bordereau) -> bool:
    if sending.channel == Kind.CHORUS_PRO:
        return sending.under_way
    if sending.channel == Kind.STATE:
        return bordereau.titres.filter(reference__in=sending.attachments).exists()
    if sending.answer == Sending.Answer.NONE:
        return sending.is_sent
    return sending.answer == Sending.Answer.TAKEN

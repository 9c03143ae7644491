"""Which frame an electronic invoice is written in, and for whom one is made by itself."""

from typing import TYPE_CHECKING

from django.db.models import TextChoices

from members.models import Issuer

if TYPE_CHECKING:
    from invoicing.models import Channel


class Profile(TextChoices):
    """The business process of the invoice (BT-23): it decides which rules apply."""

    # The frame of the reform: EN 16931 and the French rules BR-FR.
    REFORM = "S1", "S1 – réforme de la facture électronique (EN 16931 et règles françaises BR-FR)"
    # The former frame of Chorus Pro, which BR-FR-08 does not know: EN 16931 alone.
    CHORUS = "A1", "A1 – cadre historique de Chorus Pro (EN 16931 seule)"


def wants_facturx(issuer: Issuer) -> Profile | None:
    """Return the frame in which the titres of an issuer get their electronic invoice by themselves.

    The one place that decides it: its channel says so. None where each is made on demand.
    """
    from invoicing.models import Channel  # which reads the frames of this module

    channel = Channel.objects.filter(issuer=issuer).first()
    return frame_of(channel) if channel else None


def frame_of(channel: "Channel") -> Profile | None:
    """Return the frame that a channel asks for."""
    return Profile(channel.invoice_frame) if channel.invoice_frame else None

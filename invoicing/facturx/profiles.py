"""Which frame an electronic invoice is written in, and for whom one is offered."""

from enum import StrEnum

from members.models import Issuer


class Profile(StrEnum):
    """The business process of the invoice (BT-23): it decides which rules apply."""

    REFORM = "S1"  # the frame of the reform: EN 16931 and the French rules BR-FR
    CHORUS = "A1"  # the former frame of Chorus Pro, which BR-FR-08 does not know: EN 16931 alone

    @property
    def label(self) -> str:
        """Return its name on a screen."""
        return LABELS[self]


LABELS = {
    Profile.REFORM: "S1 – réforme de la facture électronique (EN 16931 et règles françaises BR-FR)",
    Profile.CHORUS: "A1 – cadre historique de Chorus Pro (EN 16931 seule)",
}


def wants_facturx(issuer: Issuer) -> bool:
    """Tell whether the titres of an issuer may have their electronic invoice.

    All of them for now, on demand: the one place where a channel chosen by issuer will decide.
    """
    return True

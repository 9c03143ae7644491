"""People of the house, issuers, members, schools, counts and the acts that bind them."""

from members.models import histories  # noqa: F401
from members.models.acts import Act
from members.models.contacts import Contact
from members.models.counts import Headcount, HeadcountSource, Usage
from members.models.filters import SavedFilter
from members.models.issuers import Accountant, Issuer, Signatory, User
from members.models.portal import LinkRequest, PortalAccess
from members.models.schools import ConfirmedDebtor, GroupedSchool, School
from members.models.territory import Commune, Member, Membership

__all__ = [
    "Accountant",
    "Act",
    "Commune",
    "ConfirmedDebtor",
    "Contact",
    "GroupedSchool",
    "Headcount",
    "HeadcountSource",
    "Issuer",
    "LinkRequest",
    "Member",
    "Membership",
    "PortalAccess",
    "SavedFilter",
    "School",
    "Signatory",
    "Usage",
    "User",
]

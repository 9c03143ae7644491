"""Staff pages of this room."""

from members.admin.accounts import IssuerAdmin
from members.admin.counts import HeadcountAdmin, UsageAdmin
from members.admin.debtors import ConfirmedDebtorAdmin
from members.admin.figures import DatedFigureAdmin
from members.admin.portal import PortalAccessAdmin
from members.admin.schools import SchoolAdmin
from members.admin.territory import CommuneAdmin, MemberAdmin

__all__ = [
    "CommuneAdmin",
    "ConfirmedDebtorAdmin",
    "DatedFigureAdmin",
    "HeadcountAdmin",
    "IssuerAdmin",
    "MemberAdmin",
    "PortalAccessAdmin",
    "SchoolAdmin",
    "UsageAdmin",
]

"""The histories of what lies below: they name the account that wrote, which only this room knows."""

from django.contrib.auth.models import Group
from simple_history import register

from entsvc.history import Kept
from entsvc.models import DatedFigure, DatedText

register(Group, app="members", records_class=Kept, m2m_fields=["permissions"])
register(DatedText, app="members")
register(DatedFigure, app="members")

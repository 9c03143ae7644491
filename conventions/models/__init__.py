"""Agreements: who signs and pays, which schools and years, how they change, end and are written."""

from conventions.models.agreements import Conditions, ConditionsNotice, Convention
from conventions.models.amendments import AmendedCommune, AmendedSchool, Amendment
from conventions.models.contradictoire import EtatContradictoire, MemberEtat, Objection
from conventions.models.deliveries import Delivery
from conventions.models.endings import Termination
from conventions.models.enrolments import DeliveredUnits, Enrolment, Subscription
from conventions.models.forecasts import Forecast, ForecastAmount, ForecastNotice
from conventions.models.log import Transition
from conventions.models.papers import Paper, PaperKind, PaperText, Production, ProductionItem
from conventions.models.years import Years

__all__ = [
    "AmendedCommune",
    "AmendedSchool",
    "Amendment",
    "Conditions",
    "ConditionsNotice",
    "Convention",
    "DeliveredUnits",
    "Delivery",
    "Enrolment",
    "EtatContradictoire",
    "Forecast",
    "ForecastAmount",
    "ForecastNotice",
    "MemberEtat",
    "Objection",
    "Paper",
    "PaperKind",
    "PaperText",
    "Production",
    "ProductionItem",
    "Subscription",
    "Termination",
    "Transition",
    "Years",
]

"""What is missing in the agreements themselves: text, votes, conditions, schools."""

from django.db.models import F, Q, Subquery

from conventions.assessment import covering
from conventions.conditions import BOUND
from conventions.findings import BLOCKING, TO_CHECK, Finding, Scope, agreements, all_agreements
from conventions.models import (
    Conditions,
    ConditionsNotice,
    Convention,
    DeliveredUnits,
    Delivery,
    Enrolment,
)
from conventions.on_file import SIGNED_STATES, without_scan
from conventions.policies import BY_TWO_THIRDS, POLICIES, WITH_CONDITIONS, Effect
from conventions.territories import doubled

# Which facts say from when an agreement takes effect, by what makes it do so (see `effect`).
_STARTLESS = {
    Effect.SIGNATURE: Q(signed_on__isnull=True),
    Effect.LATER_TRANSMISSION: Q(transmitted_on__isnull=True) | Q(act__transmitted_on__isnull=True),
    Effect.DAY_FIXED_BY_VOTE: Q(fixed_start__isnull=True)
    | Q(act__date__isnull=True)
    | Q(committee_act__date__isnull=True),
}
SIGNED = Q(status__in=SIGNED_STATES)


def _schoolless(scope: Scope) -> Q:
    enrolled = Enrolment.objects.order_by().filter(covering(scope.year)).values("convention")
    units = DeliveredUnits.objects.order_by().filter(school_year=scope.year, quantity__gt=0)
    delivered = Delivery.objects.order_by().of_year(scope.year).values("convention")
    return ~Q(pk__in=enrolled) & ~Q(pk__in=units.values("convention")) & ~Q(pk__in=delivered)


def _startless(scope: Scope) -> Q:
    """Match what is signed and whose day of effect can't be computed."""
    found = Q()
    for effect, lacking in _STARTLESS.items():
        texts = [policy.code for policy in POLICIES.values() if policy.effect is effect]
        found |= Q(policy__in=texts) & lacking
    return SIGNED & found


def _not_carried(scope: Scope) -> Q:
    """Match what two thirds of the committee's votes cast should adopt, and nothing shows they did."""
    unknown = Q(committee_act__votes_for__isnull=True) | Q(committee_act__votes_against__isnull=True)
    # For × 3 < (for + against) × 2; without any vote cast nothing is adopted.
    short = Q(committee_act__votes_for__lt=F("committee_act__votes_against") * 2)
    short |= Q(committee_act__votes_for=0)
    return SIGNED & Q(policy__in=BY_TWO_THIRDS) & (unknown | short)


def _years_beyond(scope: Scope) -> Q:
    """Match years that the text of an agreement does not cover (see `policies.years_beyond`)."""
    found = Q()
    for policy in POLICIES.values():
        beyond = Q()
        if policy.last_year is not None:
            beyond |= Q(last_year__isnull=True) | Q(last_year__gt=policy.last_year)
        if policy.first_year is not None:
            beyond |= Q(first_year__lt=policy.first_year)
        if beyond:
            found |= Q(policy=policy.code) & beyond
    return found


def _unaccepted(scope: Scope) -> Q:
    return SIGNED & Q(policy__in=WITH_CONDITIONS, conditions__isnull=True)


def _unnotified(scope: Scope) -> Q:
    """Match the members that neither accepted the current conditions nor were notified of them."""
    latest = Conditions.objects.filter(issuer=scope.issuer).order_by("-act__date", "-pk")
    current = Subquery(latest.values("pk")[:1])
    told = ConditionsNotice.objects.order_by().filter(conditions=current).values("convention")
    accepted = Convention.objects.order_by().filter(conditions=current).values("pk")
    bound = Q(policy__in=WITH_CONDITIONS, status__in=BOUND)
    known = Q(schedule__issuer__in=Conditions.objects.order_by().values("issuer"))
    return bound & known & ~Q(pk__in=told) & ~Q(pk__in=accepted)


AGREEMENT_FINDINGS = [
    Finding(
        "projets",
        "Conventions encore à l'état de projet",
        "Passez-les en vigueur une fois signées : un projet n'est pas appelé.",
        TO_CHECK,
        agreements,
        lambda scope: Q(status=Convention.Status.DRAFT),
    ),
    Finding(
        "sans-ecole",
        "Conventions sans école ni unité livrée",
        "Inscrivez les écoles, ou saisissez les unités livrées.",
        BLOCKING,
        agreements,
        _schoolless,
    ),
    Finding(
        "deux-conventions",
        "Conventions dont un membre en a une autre du même barème cette année",
        "Même signataire, ou une commune et son groupement : vérifiez qu'il en faut deux. Une école que "
        "deux conventions nomment n'est appelée par aucune.",
        TO_CHECK,
        agreements,
        lambda scope: Q(pk__in=doubled(agreements(scope), scope.year)),
    ),
    Finding(
        "sans-texte",
        "Conventions dont le texte n'est pas indiqué",
        "Choisissez le texte de la convention : il dit son début, sa fin et ses avenants.",
        TO_CHECK,
        all_agreements,
        lambda scope: Q(policy=""),
    ),
    Finding(
        "annees-hors-texte",
        "Conventions dont les années dépassent leur texte",
        "Corrigez la première ou la dernière année, ou le texte : une année de trop serait appelée.",
        TO_CHECK,
        all_agreements,
        _years_beyond,
    ),
    Finding(
        "sans-debut",
        "Conventions signées dont le début d'effet ne s'établit pas",
        "Saisissez les dates que leur texte demande : signature, transmissions ou votes.",
        TO_CHECK,
        all_agreements,
        _startless,
    ),
    Finding(
        "sans-scan",
        "Conventions signées dont le scan manque",
        "Ajoutez le document signé depuis la fiche : une convention reprise du papier n'a sans lui "
        "aucun PDF à télécharger dans l'espace de la collectivité.",
        TO_CHECK,
        all_agreements,
        lambda scope: without_scan(),
    ),
    Finding(
        "sans-deux-tiers",
        "Conventions dont le vote du comité manque ou n'atteint pas les deux tiers",
        "Saisissez les voix dans l'acte du comité : les deux tiers des suffrages exprimés l'adoptent.",
        TO_CHECK,
        all_agreements,
        _not_carried,
    ),
    Finding(
        "sans-conditions",
        "Conventions sans la version des conditions que le membre accepte",
        "Saisissez la version que la délibération du membre nomme.",
        TO_CHECK,
        all_agreements,
        _unaccepted,
    ),
    Finding(
        "conditions-a-notifier",
        "Membres à qui les dernières conditions sont à notifier",
        "Ouvrez la version dans « Conditions d'exercice » et notifiez-la.",
        TO_CHECK,
        all_agreements,
        _unnotified,
    ),
]

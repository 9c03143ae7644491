"""Is a school year ready to be called? What is missing, by issuer, with the rows behind each count."""

from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery

from conventions.agreement_findings import AGREEMENT_FINDINGS
from conventions.assessment import covering, opened_in, waiting_in
from conventions.findings import (
    BLOCKING,
    TO_CHECK,
    Finding,
    Scope,
    absent,
    earlier_parties,
    enrolled_schools,
    enrolments,
    first_degree_communes,
    in_force,
    parties,
    signs_or_pays,
    unagreed_schools,
)
from conventions.models import Subscription
from conventions.openings import presumed_open
from conventions.territories import strangers
from entsvc import school_year
from entsvc.french import NO_BREAK
from members.models import ConfirmedDebtor, Headcount, Member, Membership, School, Usage
from tariffs.engine import VARIATION
from tariffs.models import Adoption, Charge, Schedule, Version


def counts(scope: Scope) -> dict[str, int]:
    """Return {code of a finding: number of rows}: one query for the findings of a same base."""
    groups: dict[Callable, list[Finding]] = defaultdict(list)
    for finding in FINDINGS.values():
        groups[finding.base].append(finding)
    found = {}
    for base, findings in groups.items():
        wanted = {
            finding.code.replace("-", "_"): Count("pk", filter=finding.condition(scope))
            for finding in findings
        }
        numbers = base(scope).order_by().aggregate(**wanted)
        found |= {finding.code: numbers[finding.code.replace("-", "_")] for finding in findings}
    return found


def schedules_not_adopted(scope: Scope) -> list[str]:
    """Return the codes of the issuer's schedules whose tariff no act adopted for the year."""
    missing = Schedule.objects.filter(not_adopted(scope.year), issuer=scope.issuer)
    return list(missing.order_by("code").values_list("code", flat=True))


def not_adopted(year: int) -> Q:
    """Match the schedules whose tariff no act adopted for a school year.

    One without any version has no tariff to adopt: it is billed by quotes, at the market's prices.
    """
    adopted = Adoption.objects.filter(school_year=year, schedule=OuterRef("pk"))
    return Exists(Version.objects.filter(schedule=OuterRef("pk"))) & ~Exists(adopted)


TERRITORIAL = (unagreed_schools, first_degree_communes)


def is_known(finding: Finding, scope: Scope) -> bool:
    """Tell whether a line can be counted: those of the territory can't, while the issuer has none."""
    return bool(scope.departements) or finding.base not in TERRITORIAL


def _read_by(scope: Scope, read_by: Container[tuple[str, str]], *, unless_adopted: bool = False) -> Q:
    """Match the schools of which a charge that applies reads a metric: one of those (metric, model).

    `unless_adopted` adds those of a schedule without tariff for the year: nobody knows yet.
    """
    read = Q(pk__in=[])
    for row in scope.charges:
        if (row["metric"], row["model"]) in read_by:
            read |= _billed_by(row, scope.year)
    if unless_adopted:
        read |= ~Q(convention__schedule__in=scope.adopted)
    agreed = ~Q(school__sector=School.Sector.PRIVATE) | Q(convention__private_included=True)
    return Q(pk__in=enrolments(scope).filter(agreed, read, opened_in(scope.year)).values("school"))


def _billed_by(charge: Mapping[str, Any], year: int) -> Q:
    """Match the enrolments that a charge of the year's tariff bills."""
    billed = Q(convention__schedule=charge["schedule"])
    for name in ("degree", "sector"):
        if charge[name]:
            billed &= Q(**{f"school__{name}": charge[name]})
    if charge["subscription"]:
        subscribed = Subscription.objects.filter(
            covering(year), convention=OuterRef("convention"), code=charge["subscription"]
        )
        billed &= Exists(subscribed)
    return billed


READS_PUPILS = {(Charge.Metric.PUPILS, model) for model in Charge.Model.values} | {
    (Charge.Metric.SCHOOLS, Charge.Model.BANDED)
}
READS_USAGE = {(Charge.Metric.ACTIVE_PUPILS, model) for model in Charge.Model.values}


def _reads_pupils(scope: Scope) -> Q:
    return _read_by(scope, READS_PUPILS, unless_adopted=True)


def _counted(model: type[Headcount] | type[Usage], scope: Scope, **values: bool) -> Q:
    rows = model.current.filter(school_year=scope.year, **values).order_by()
    return Q(pk__in=rows.values("school"))


def _without_count(scope: Scope) -> Q:
    return _reads_pupils(scope) & ~_counted(Headcount, scope)


def _not_billable(scope: Scope) -> Q:
    found = Q()
    for model, read in ((Headcount, _reads_pupils(scope)), (Usage, _read_by(scope, READS_USAGE))):
        sure = _counted(model, scope, source__billable=True)
        found |= read & _counted(model, scope) & ~sure
    return found


def _without_usage(scope: Scope) -> Q:
    return _read_by(scope, READS_USAGE) & ~_counted(Usage, scope)


def _usage_above(scope: Scope) -> Q:
    """Match an usage above the pupils, both as the calculation retains them (`counts.preferred`)."""

    def retained(model: type[Headcount] | type[Usage], number: str) -> Subquery:
        known = model.current.filter(school=OuterRef("pk"), school_year=scope.year)
        return Subquery(known.order_by("-source__billable", "source__rank").values(number)[:1])

    schools = enrolled_schools(scope).order_by()
    above = schools.annotate(
        used=retained(Usage, "active_pupils"), head=retained(Headcount, "pupils")
    ).filter(used__gt=F("head"))
    return _read_by(scope, READS_USAGE) & Q(pk__in=above.values("pk"))


def _varying(scope: Scope) -> Q:
    """Match a billable count beyond ±20 % of last year's, as the calculation says it (`engine`)."""

    def retained(year: int) -> Subquery:
        known = Headcount.current.filter(school=OuterRef("pk"), school_year=year, source__billable=True)
        return Subquery(known.order_by("source__rank").values("pupils")[:1])

    schools = enrolled_schools(scope).order_by()
    compared = schools.annotate(now=retained(scope.year) * 100, before=retained(scope.year - 1)).filter(
        Q(now__gt=F("before") * (100 + VARIATION)) | Q(now__lt=F("before") * (100 - VARIATION))
    )
    return _reads_pupils(scope) & Q(pk__in=compared.values("pk"))


def _unconfirmed(scope: Scope) -> Q:
    return ~Q(pk__in=ConfirmedDebtor.objects.order_by().values("school"))


def _without_agreement(scope: Scope) -> Q:
    return ~signs_or_pays(in_force(scope))


def _uncovered_commune(scope: Scope) -> Q:
    """Match a commune that no agreement covers, nor any of the bodies it is part of that year."""
    signing = Member.objects.order_by().filter(signs_or_pays(in_force(scope)))
    grouped = Membership.objects.order_by().filter(
        Q(valid_to__isnull=True) | Q(valid_to__gte=school_year.first_day(scope.year)),
        valid_from__lte=school_year.last_day(scope.year),
        body__in=signing.values("pk"),
    )
    return _without_agreement(scope) & ~Q(pk__in=grouped.values("commune"))


BILLED = ~Q(kind=Member.Kind.RPI)

_ALL = [
    Finding(
        "sans-effectif",
        "Écoles inscrites sans effectif",
        "Importez le constat de rentrée de l'année, ou saisissez l'effectif dans la fiche de l'école. "
        "Seules comptent celles dont une ligne du tarif lit les élèves ; toutes, sans tarif adopté.",
        BLOCKING,
        enrolled_schools,
        _without_count,
    ),
    Finding(
        "non-facturable",
        "Écoles inscrites dont l'effectif ou l'usage est approché",
        "Importez le constat officiel, ou acceptez l'approximation avec un motif.",
        BLOCKING,
        enrolled_schools,
        _not_billable,
    ),
    Finding(
        "sans-usage",
        "Écoles inscrites sans élèves actifs",
        "Importez le relevé d'usage : une ligne du tarif le lit.",
        BLOCKING,
        enrolled_schools,
        _without_usage,
    ),
    Finding(
        "usage-superieur",
        "Écoles inscrites avec plus d'élèves actifs que d'élèves",
        "Corrigez l'effectif ou l'usage : une ligne du tarif lit les élèves actifs.",
        BLOCKING,
        enrolled_schools,
        _usage_above,
    ),
    Finding(
        "variation",
        f"Écoles inscrites dont l'effectif varie de plus de {VARIATION}{NO_BREAK}%",
        "Comparez avec l'an dernier : souvent une faute de frappe, parfois une fusion d'écoles.",
        TO_CHECK,
        enrolled_schools,
        _varying,
    ),
    Finding(
        "absentes",
        "Écoles inscrites disparues de l'annuaire",
        "Fermées le plus souvent : mettez fin à leur inscription dans la convention.",
        TO_CHECK,
        enrolled_schools,
        absent,
    ),
    Finding(
        "non-decrites",
        "Écoles inscrites que l'annuaire n'a jamais décrites",
        "Importez l'annuaire de leur territoire, ou corrigez l'UAI de la convention.",
        BLOCKING,
        enrolled_schools,
        lambda scope: Q(name="") | Q(degree=""),
    ),
    Finding(
        "sans-secteur",
        "Écoles inscrites ni publiques ni privées",
        "Complétez le secteur dans la fiche de l'école, ou importez l'annuaire.",
        BLOCKING,
        enrolled_schools,
        lambda scope: ~Q(degree="") & Q(sector=""),
    ),
    Finding(
        "en-attente",
        "Écoles inscrites en attente d'ouverture",
        "Leur projet suit son cours : la page « Ouvertures » dit quand elles peuvent ouvrir. Elles ne "
        "sont pas appelées d'ici là.",
        TO_CHECK,
        enrolled_schools,
        lambda scope: Q(pk__in=enrolments(scope).filter(waiting_in(scope.year)).values("school")),
    ),
    Finding(
        "ouverture-inconnue",
        "Écoles sans date d'ouverture, facturées comme déjà en service",
        "Ajoutées après la reprise de leur convention, elles sont dues à partir de leur ouverture : "
        "enregistrez son jour, ou le dépôt de leur projet, dans la page « Ouvertures ».",
        TO_CHECK,
        enrolled_schools,
        lambda scope: Q(pk__in=enrolments(scope).filter(presumed_open()).values("school")),
    ),
    Finding(
        "hors-commune",
        "Écoles inscrites d'une commune étrangère à la convention",
        "Leur commune n'est ni celle du signataire ni une de son groupement : corrigez la liste, ou les "
        "communes du groupement dans sa fiche.",
        TO_CHECK,
        enrolled_schools,
        lambda scope: Q(pk__in=strangers(enrolments(scope), scope.year).values("school")),
    ),
    Finding(
        "a-fermer",
        "Écoles inscrites dont la fermeture est annoncée",
        "Préparez un avenant : l'annuaire les donne « À FERMER ».",
        TO_CHECK,
        enrolled_schools,
        lambda scope: Q(state="A FERMER"),
    ),
    Finding(
        "sans-payeur",
        "Écoles du ressort sans convention ni payeur confirmé",
        "Confirmez les payeurs proposés, par pages entières.",
        TO_CHECK,
        unagreed_schools,
        _unconfirmed,
    ),
    Finding(
        "sans-siret",
        "Signataires et payeurs sans SIRET",
        "Saisissez le SIRET dans la fiche du membre : sans lui, rien n'est appelé.",
        BLOCKING,
        parties,
        lambda scope: BILLED & Q(siret__isnull=True),
    ),
    Finding(
        "siret-a-verifier",
        "Signataires et payeurs au SIRET à vérifier",
        "Faites confirmer le SIRET par le membre, puis décochez « à vérifier ».",
        TO_CHECK,
        parties,
        lambda scope: Q(siret_to_verify=True),
    ),
    Finding(
        "adresse",
        "Signataires et payeurs au nom ou à l'adresse incomplets",
        "Complétez nom, adresse, code postal et ville : le titre les porte.",
        BLOCKING,
        parties,
        lambda scope: BILLED & (Q(name="") | Q(address="") | Q(postal_code="") | Q(city="")),
    ),
    Finding(
        "chorus",
        "Code service ou engagement exigé, mais vide",
        "Demandez-le au membre et saisissez-le : Chorus Pro refuserait le titre.",
        BLOCKING,
        parties,
        lambda scope: (
            Q(service_code_required=True, service_code="")
            | Q(engagement_required=True, engagement_number="")
        ),
    ),
    Finding(
        "sans-courriel",
        "Signataires et payeurs sans courriel",
        "Saisissez le courriel de la mairie ou du service : il reçoit les documents.",
        TO_CHECK,
        parties,
        lambda scope: BILLED & Q(email=""),
    ),
    Finding(
        "repris",
        "Signataires et payeurs repris par un autre membre",
        "Faites un avenant au nom de la commune nouvelle ou du repreneur.",
        TO_CHECK,
        parties,
        lambda scope: Q(successor__isnull=False),
    ),
    Finding(
        "communes-sans-convention",
        "Communes du ressort sans convention",
        "Une de leurs écoles publiques n'est nommée par aucune convention ; ni elles ni leur groupement "
        "n'en ont cette année.",
        TO_CHECK,
        first_degree_communes,
        _uncovered_commune,
    ),
    Finding(
        "non-reconduites",
        "Membres conventionnés auparavant, plus cette année",
        "Relancez-les, ou vérifiez la dernière année de leur convention.",
        TO_CHECK,
        earlier_parties,
        _without_agreement,
    ),
    *AGREEMENT_FINDINGS,
]
FINDINGS = {finding.code: finding for finding in _ALL}

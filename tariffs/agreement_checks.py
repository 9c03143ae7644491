"""What is wrong with the agreements of a year before anything is priced."""

from collections import Counter

from tariffs.facts import UNITS, Agreement, Anomaly, Charge, Result, School
from tariffs.scope import in_scope, subscribed


def check_agreements(charges: tuple[Charge, ...], results: list[Result], twice: set[str]) -> None:
    """Report what no charge will ever price, and what would be priced twice."""
    per_school = [charge for charge in charges if charge.metric != UNITS]
    options = {charge.subscription for charge in charges}
    priced = {charge.code: charge for charge in charges if charge.metric == UNITS}
    for result in results:
        for agreement in result.member.agreements:
            if not agreement.schools and not agreement.units:
                result.report(Anomaly("no_school", f"Aucune école inscrite dans {agreement.title}."))
            for code in sorted(set(agreement.subscriptions) - options):
                message = f"L'option {code} de {agreement.title} n'existe pas dans ce tarif."
                result.report(Anomaly("unknown_option", message))
            for code, _ in agreement.units:
                if code not in priced:
                    message = f"Les unités {code} de {agreement.title} n'ont pas de prix ici."
                    result.report(Anomaly("unknown_unit", message))
                elif not subscribed(priced[code], agreement):
                    option = priced[code].subscription
                    message = (
                        f"Unités {code} de {agreement.title} : l'option {option} n'est pas souscrite."
                    )
                    result.report(Anomaly("unknown_unit", message))
            for school in agreement.schools:
                _check_school(school, agreement, per_school, twice, result)


def listed_twice(results: list[Result]) -> set[str]:
    """Return the UAIs of the schools billed more than once."""
    counts = Counter(s.uai for r in results for a in r.member.agreements for s in a.billed)
    return {uai for uai, count in counts.items() if count > 1}


def _check_school(
    school: School,
    agreement: Agreement,
    charges: list[Charge],
    twice: set[str],
    result: Result,
) -> None:
    if school.excluded:
        message = f"{school.named} est écartée de cet appel : {school.excluded}"
        result.report(Anomaly("excluded", message, school.uai, blocking=False))
        return
    if school.uai in twice:
        message = f"{school.named} figure dans plusieurs conventions de la même année."
        result.report(Anomaly("school_twice", message, school.uai))
    if not school.degree:
        message = f"{school.uai} est absente de l'annuaire : importez-le ou corrigez ce code."
        result.report(Anomaly("school_unknown", message, school.uai))
    elif not school.sector:
        message = f"Le secteur de {school.named}, public ou privé, n'est pas connu : complétez-le."
        result.report(Anomaly("sector_unknown", message, school.uai))
    elif charges and not any(
        subscribed(charge, agreement) and in_scope(charge, school, agreement) for charge in charges
    ):
        message = f"{school.named} n'entre dans aucune ligne de ce tarif."
        result.report(Anomaly("out_of_scope", message, school.uai))

"""What the data of today still ask for a titre: what a correction takes off only to be called again.

A supplementary campaign compares all that a debtor owes with what its titres ask: what a correction
takes off without the data being mended is missing there, and called again, but where a judge or another
titre settled it (see `claims.FINAL`).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from conventions.assessment import read_basis
from entsvc import school_year
from entsvc.french import euros
from invoicing.corrections import asked_by_mandat, due
from invoicing.decisions import decisions_for
from invoicing.models import Campaign, Titre
from tariffs.adoption import NotAdopted
from tariffs.models import Schedule

ZERO = Decimal("0.00")
MENDED = "les effectifs, les écoles, la convention ou les décisions de l'année"
SETTLED = "Seules une décharge du juge et une créance déjà appelée ne le sont plus."


def still_asked(titres: Iterable[Titre]) -> dict[Any, Decimal]:
    """Return {key: euros} that the data of today ask for titres, less what the debtor's others do.

    Nothing is told of a titre whose debtor can't be assessed whole, nor of what is billed apart, which
    no supplementary campaign completes. One assessment by schedule and school year.
    """
    found: dict[Any, Decimal] = {}
    owed: dict[tuple[int, int], dict[str, Decimal | None]] = {}
    for titre in titres:
        campaign = titre.campaign
        if campaign.apart:
            continue
        year = campaign.schedule_id, campaign.school_year
        if year not in owed:
            owed[year] = _owed(campaign.schedule, campaign.school_year)
        asked = owed[year].get(titre.debtor.siret or titre.siret, ZERO)
        if asked is not None:
            found[titre.pk] = max(asked - _asked_by_others(titre), ZERO)
    return found


def excess(titre: Titre, asked: Decimal | None = None) -> Decimal | None:
    """Return the euros that a titre asks beyond what the data of today do; None where it isn't known."""
    asked = still_asked([titre]).get(titre.pk) if asked is None else asked
    return None if asked is None else max(due(titre) - asked_by_mandat(titre) - asked, ZERO)


def told_of_annulation(titre: Titre, asked: Decimal | None) -> str:
    """Warn of what would be called again of an annulled titre; nothing where the data ask nothing."""
    if asked is None or not asked:
        return ""
    return f"{_still(titre, asked)} Si rien n'y est corrigé, {_again('cette somme')}"


def told_of_reduction(titre: Titre, asked: Decimal | None) -> str:
    """Tell how much may be taken off a titre without being called again."""
    if asked is None or not asked:
        return ""
    off = excess(titre, asked)
    if not off:
        return f"{_still(titre, asked)} Si rien n'y est corrigé, {_again('ce qui est retiré')}"
    start = _still(titre, asked).replace("demandent encore", "ne demandent plus que")
    return f"{start} Retirer {euros(off)} y ramène ce titre ; au-delà, {_again('le reste')}"


def told_of_many(references: str, asked: Decimal) -> str:
    """Warn of what would be called again of several annulled titres, `asked` in all."""
    return (
        f"Les données d'aujourd'hui demandent encore {euros(asked)} pour ce que ces titres appellent "
        f"({references}). Si rien n'y est corrigé, {_again('cette somme')}"
    )


def _still(titre: Titre, asked: Decimal) -> str:
    year = school_year.label(titre.campaign.school_year)
    return (
        f"Pour {year}, les données d'aujourd'hui demandent encore {euros(asked)} à {titre.debtor_name}."
    )


def _again(what: str) -> str:
    return (
        f"la prochaine campagne complémentaire appellera {what} de nouveau : corrigez d'abord {MENDED}. "
        f"{SETTLED}"
    )


def _owed(schedule: Schedule, year: int) -> dict[str, Decimal | None]:
    """Return, by SIRET, what the data of today ask for a year; None where it isn't known whole."""
    try:
        basis = read_basis(schedule, year, decisions_for(schedule, year))
    except NotAdopted:
        return {}
    return {result.member.siret: None if result.blocked else result.total for result in basis.assess()}


def _asked_by_others(titre: Titre) -> Decimal:
    campaigns = Campaign.objects.of_year(titre.campaign.schedule_id, titre.campaign.school_year)
    others = Titre.objects.filter(
        campaign__in=campaigns.values("pk"), debtor=titre.debtor_id, kind=Titre.Kind.TITRE
    ).exclude(pk=titre.pk)
    rows = others.defer("payload").order_by("pk")
    return sum((due(other) - asked_by_mandat(other) for other in rows), ZERO)

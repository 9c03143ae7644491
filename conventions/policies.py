"""What each kind of agreement says of its start, its end, its amendments and its breach.

Declared once here, read everywhere: no rule of a kind is a branch elsewhere.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from conventions.amendments import SEPTEMBER_TO_MID_OCTOBER, Window
from entsvc import school_year


class Effect(Enum):
    """What makes an agreement start."""

    LATER_TRANSMISSION = "la plus tardive des deux transmissions au contrôle de légalité"
    DAY_FIXED_BY_VOTE = "la date fixée par la délibération du membre"
    SIGNATURE = "la signature"


class Ending(Enum):
    """A way out that the text of an agreement opens."""

    NOTICE = "dénonciation avec préavis"
    BREACH = "manquement, après mise en demeure et conciliation"
    BREACH_BY_MEMBER = "manquement, par le membre seul, faute d'accord"
    GENERAL_INTEREST_BY_MEMBER = "motif d'intérêt général, par le membre seul"
    STATUTES = "reprise de la compétence, selon les statuts"


@dataclass(frozen=True)
class Policy:
    """The rules of one agreement; no `years` and no `last_day` mean that it has no end.

    `first_year` and `last_year` are the school years that it covers at most, whatever its dates (2024
    for 2024-2025). `window` is when an amendment of its schools may be filed, None where there is no
    such amendment. `bills` is false for an agreement that gates openings only; `due_from_opening` is
    true where a school is due from its opening on, not from the first year of the agreement. `annex`
    tells whether it names its schools in a list that is signed, within it or beside it: see
    `papers.lists`. `two_thirds` is true where the committee adopts it by two thirds of the votes cast;
    `conditions` where the member accepts a version of a document whose changes are notified to it.
    Beyond `annex_rows` schools the list is a separate one, drawn up with the IEN (decision D7). `note`
    is a decision shown to staff.
    """

    code: str
    name: str
    source: str
    effect: Effect
    years: int | None = None
    first_year: int | None = None
    last_year: int | None = None
    last_day: date | None = None
    window: Window | None = None
    endings: tuple[Ending, ...] = ()
    notice_months: int | None = None
    refund: bool = True
    bills: bool = True
    due_from_opening: bool = False
    two_thirds: bool = False
    conditions: bool = False
    annex: bool = False
    annex_rows: int | None = None
    note: str = ""


CHARTER = Policy(
    code="charte-somme-2014",
    name="Adhésion à la charte ENT",
    source="Charte ENT de Somme Numérique, délibération n° 12 du 24 juin 2014, articles 3 et 6",
    effect=Effect.LATER_TRANSMISSION,
    due_from_opening=True,
    annex=True,
    endings=(Ending.BREACH_BY_MEMBER, Ending.GENERAL_INTEREST_BY_MEMBER),
)
FRAMEWORK = Policy(
    code="cadre-somme-2010",
    name="Convention cadre avec l'Inspection académique",
    source="Convention cadre de la Somme, 2010, article 11",
    effect=Effect.SIGNATURE,
    years=3,
    bills=False,
    note="Elle ouvre les écoles ; elle n'empêche ni ne fonde aucun appel.",
)
TRANSFER = Policy(
    code="transfert-npdc-2023",
    name="Transfert de la compétence numérique éducatif",
    source="Conditions d'exercice du 15 juin 2023 de Nord-Pas-de-Calais Numérique, article 4",
    effect=Effect.DAY_FIXED_BY_VOTE,
    endings=(Ending.STATUTES,),
    two_thirds=True,
    conditions=True,
    note="La date d'effet ne précède jamais le second vote concordant.",
)
PARTNERSHIP_2020 = Policy(
    code="partenariat-montpellier-2020",
    name="Convention de partenariat 2020-2021",
    source="Convention de l'académie de Montpellier 2020-2021, articles 3, 6, 9 et 10",
    effect=Effect.SIGNATURE,
    last_year=2020,
    last_day=date(2021, 10, 31),
    window=SEPTEMBER_TO_MID_OCTOBER,
    annex=True,
    annex_rows=15,
    endings=(Ending.NOTICE, Ending.BREACH),
    notice_months=1,
    refund=False,
)
PARTNERSHIP_2024 = Policy(
    code="partenariat-occitanie-2024",
    name="Convention de partenariat 2024-2025",
    source="Convention de la région académique Occitanie 2024-2025",
    effect=Effect.SIGNATURE,
    first_year=2024,
    last_year=2024,
    last_day=date(2025, 9, 5),
    annex=True,
    annex_rows=15,
    endings=(Ending.BREACH,),
    refund=False,
)
POLICIES = {
    policy.code: policy for policy in (CHARTER, FRAMEWORK, TRANSFER, PARTNERSHIP_2020, PARTNERSHIP_2024)
}

# Those that open schools and found no call.
GATING = tuple(policy.code for policy in POLICIES.values() if not policy.bills)
WITH_CONDITIONS = tuple(policy.code for policy in POLICIES.values() if policy.conditions)
DUE_FROM_OPENING = tuple(policy.code for policy in POLICIES.values() if policy.due_from_opening)
BY_TWO_THIRDS = tuple(policy.code for policy in POLICIES.values() if policy.two_thirds)


def bills(code: str) -> bool:
    """Tell whether agreements of a text are called; those whose text is not named yet may be."""
    return code not in GATING


def years_beyond(code: str, first: int, last: int | None) -> str:
    """Return, in French, why a text does not cover school years; empty when it does, or is not named.

    No `last` means years without an end.
    """
    policy = POLICIES.get(code)
    if policy is None:
        return ""
    too_early = policy.first_year is not None and first < policy.first_year
    too_late = policy.last_year is not None and (
        last is None or last > policy.last_year or first > policy.last_year
    )
    if not too_early and not too_late:
        return ""
    end = f"{school_year.label(policy.last_year)}" if policy.last_year is not None else ""
    if policy.first_year is None:
        covered = f"ne va pas au-delà de {end}"
    elif policy.first_year == policy.last_year:
        covered = f"ne couvre que {end}"
    else:
        covered = f"commence en {school_year.label(policy.first_year)}" + (
            f", jusqu'à {end}" if end else ""
        )
    missing = too_late and last is None
    what = "donnez la dernière année" if missing else "corrigez les années, ou le texte"
    return f"« {policy.name} » {covered} : {what}."

"""The schools of a territory that no agreement names, each with the payer proposed or confirmed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from conventions.findings import Scope, territory_schools, unagreed_schools
from members.debtors import Choice, Directory, Outcome, Proposal, confirm, directory_for, propose
from members.models import ConfirmedDebtor

STATES = {
    "": "À confirmer",
    "propose": "Proposition sûre",
    "commune-differente": "Commune différente",
    "a-choisir": "Sans proposition",
    "confirme": "Confirmés",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A school and who should pay for it; `confirmed` is the key of what a person confirmed."""

    key: int
    uai: str
    name: str
    degree: str
    sector: str
    commune_code: str
    commune_name: str
    departement_code: str
    siren_siret: str
    proposal: Proposal | None = None
    confirmed: int | None = None

    @property
    def state(self) -> str:
        """Return which of STATES the row is in."""
        if self.confirmed is not None:
            return "confirme"
        if self.proposal.payer is None:
            return "a-choisir"
        return "commune-differente" if self.proposal.elsewhere else "propose"

    @property
    def token(self) -> str:
        """Return what confirming sends back: the school and the payer that the page showed."""
        return f"{self.uai}-{self.proposal.payer.key}" if self.can_confirm else ""

    @property
    def can_confirm(self) -> bool:
        """Tell whether one tick is enough: a payer is proposed, and has a SIRET."""
        return self.confirmed is None and self.proposal.payer is not None and self._has_siret

    @property
    def is_sure(self) -> bool:
        """Tell whether the row may be confirmed with its whole page, without a look of its own."""
        return self.can_confirm and self.state == "propose"

    @property
    def _has_siret(self) -> bool:
        return bool(self.proposal.payer.siret)


COLUMNS = [
    "pk",
    "uai",
    "name",
    "degree",
    "sector",
    "commune_code",
    "commune_name",
    "departement_code",
    "siren_siret",
]


def rows_of(scope: Scope) -> list[Row]:
    """Return every school that no agreement names, by commune, in a constant number of queries."""
    directory = directory_for(territory_schools(scope))
    schools = unagreed_schools(scope).order_by("commune_name", "uai").values_list(*COLUMNS)
    held = ConfirmedDebtor.objects.filter(school__in=unagreed_schools(scope).order_by().values("pk"))
    confirmed = dict(held.order_by("pk").values_list("school_id", "pk"))
    return [_row(school, directory, confirmed) for school in schools]


def _row(school: tuple, directory: Directory, confirmed: dict[int, int]) -> Row:
    facts = Row(*school)
    return Row(*school, propose(facts, directory), confirmed.get(facts.key))


def in_state(rows: Iterable[Row], state: str) -> list[Row]:
    """Return the rows of a state, or those that wait for a person."""
    return [row for row in rows if row.state == state or (not state and row.state != "confirme")]


def numbers(rows: Iterable[Row]) -> dict[str, int]:
    """Return {state: number of rows}, with all those to confirm under the empty state."""
    found = Counter(row.state for row in rows)
    return {s: found[s] for s in STATES} | {"": sum(found.values()) - found["confirme"]}


def confirm_shown(scope: Scope, tokens: Iterable[str], *, actor: str) -> tuple[Outcome, list[str]]:
    """Confirm the rows that a page showed; return what was done, and why the others were refused.

    Each proposal is made again: what no longer is as shown is refused, for a person to look at.
    """
    current = {row.uai: row for row in rows_of(scope)}
    choices, refused = [], []
    for token in dict.fromkeys(tokens):
        uai, _, payer = token.partition("-")
        row = current.get(uai)
        if row is None:
            refused.append(f"{uai} : une convention la nomme désormais, ou elle n'est plus du ressort.")
        elif row.confirmed is not None:
            refused.append(f"{uai} : son payeur est déjà confirmé.")
        elif row.token != token:
            refused.append(f"{uai} : la proposition a changé depuis l'affichage, relisez-la.")
        else:
            choices.append(Choice(row.key, int(payer), row.proposal.reason))
    outcome = confirm(choices, actor=actor)
    uais = {row.key: row.uai for row in current.values()}
    refused += [f"{uais[choice.school]} : {problem}" for choice, problem in outcome.refused]
    return outcome, refused

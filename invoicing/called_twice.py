"""What the titres in force already ask of another debtor: no call asks for it a second time.

A campaign keeps to one titre by debtor; it doesn't see that a school, or an agreement, changed payers
after the first titres. Shares of a pool and deductions are the debtor's own: nobody else is billed them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from entsvc.french import plural
from invoicing.claims import not_annulled
from invoicing.models import Call, CallLine, MandatRequest, Run, Titre, TitreLine
from tariffs import engine

SHOWN = 10  # schools named in a message
ZERO = Decimal("0.00")
FACTS = ("charge", "uai", "agreement")

Key = tuple[str, str]  # charge, and the UAI or else the agreement


@dataclass
class _Asked:
    """What a titre asks by key, and what was taken off it without saying for which school."""

    debtor: int
    reference: str
    name: str
    by_key: dict[Key, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    free: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    def asks(self, key: Key) -> bool:
        return self.by_key.get(key, ZERO) > self.free.get(key[0], ZERO) + self.free.get("", ZERO)


def called_from_others(
    run: Run, calls: Collection[Call], *, replaced: Titre | None = None
) -> dict[int, list[str]]:
    """Return, by call, French messages on what titres in force of the year ask of another debtor.

    Net of what corrected them. `replaced`, whose place a new titre takes, is left out, and so are
    the calls of which nothing is to be said. A constant number of queries.
    """
    if run.campaign.apart:  # what is billed apart is named there alone
        return {}
    titres = not_annulled(run.campaign.schedule, run.campaign.school_year)
    if replaced is not None:
        titres = titres.exclude(pk=replaced.pk)
    if not calls or not titres.exists():
        return {}
    wanted = _wanted(run, calls)
    keys = {key for named in wanted.values() for key in named}
    asked = _asking(titres, keys)
    messages = {call.pk: list(_messages(call, wanted.get(call.pk, {}), asked)) for call in calls}
    return {call: found for call, found in messages.items() if found}


def _wanted(run: Run, calls: Collection[Call]) -> dict[int, dict[Key, str]]:
    """Return what each call bills, with the words that name it."""
    own = {charge["code"] for charge in run.charges if charge["model"] == engine.ALLOCATION}
    lines = CallLine.objects.filter(call__run=run, amount__gt=0).exclude(charge__in=own)
    if len(calls) == 1:
        lines = lines.filter(call__in=calls)
    named = lines.order_by("call_id", "position").values_list("call_id", *FACTS, "school")
    here = {call.pk for call in calls}
    found: dict[int, dict[Key, str]] = defaultdict(dict)
    for call, charge, uai, agreement, school in named.iterator():
        which = uai or agreement
        if call in here and which:
            found[call][charge, which] = f"{school} ({uai})" if uai and school else which
    return found


def _asking(titres: QuerySet[Titre], keys: Collection[Key]) -> dict[Key, list[_Asked]]:
    """Return, by key, the titres that bear it, what corrected them taken off."""
    facts = titres.order_by("exercice", "number", "pk")
    asked = {
        pk: _Asked(debtor, reference, name)
        for pk, debtor, reference, name in facts.values_list(
            "pk", "debtor_id", "reference", "debtor_name"
        )
    }
    bearing: dict[Key, dict[Any, _Asked]] = defaultdict(dict)
    lines = TitreLine.objects.filter(titre__in=titres.values("pk")).order_by("titre_id", "position")
    for pk, charge, uai, agreement, amount in lines.values_list("titre_id", *FACTS, "amount").iterator():
        key = charge, uai or agreement
        if key in keys:
            asked[pk].by_key[key] += amount
            bearing[key][pk] = asked[pk]
    _take_off(asked, titres)
    return {key: list(found.values()) for key, found in bearing.items()}


def _take_off(asked: Mapping[Any, _Asked], titres: QuerySet[Titre]) -> None:
    """Take off the réductions, and the mandats asked for, which name no school."""
    off = TitreLine.objects.filter(
        titre__kind=Titre.Kind.REDUCTION, titre__original__in=titres.values("pk")
    ).order_by("titre_id", "position")
    for pk, charge, uai, agreement, amount in off.values_list(
        "titre__original_id", *FACTS, "amount"
    ).iterator():
        if uai or agreement:
            asked[pk].by_key[charge, uai or agreement] -= amount
        else:
            asked[pk].free[charge] += amount
    requests = MandatRequest.objects.filter(titre__in=titres.values("pk")).order_by("pk")
    for pk, amount in requests.values_list("titre_id", "amount"):
        asked[pk].free[""] += amount


def _messages(call: Call, wanted: Mapping[Key, str], asked: Mapping[Key, list[_Asked]]) -> Iterator[str]:
    schools: dict[str, dict[str, None]] = defaultdict(dict)
    names = {}
    for key, words in wanted.items():
        for titre in asked.get(key, ()):
            if titre.debtor != call.debtor_id and titre.asks(key):
                schools[titre.reference][words] = None
                names[titre.reference] = titre.name
    for reference, found in schools.items():
        more = len(found) - SHOWN
        shown = [*list(found)[:SHOWN], *([f"et {plural(more, 'autre')}"] if more > 0 else [])]
        yield (
            f"{', '.join(shown)} : déjà appelé de {names[reference]} par le titre {reference}. "
            "Annulez ce titre ou réduisez-le d'abord, ou remplacez-le depuis sa page par "
            "« Annuler et ré-émettre »."
        )

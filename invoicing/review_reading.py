"""What a run is compared with, read from the rows of runs and titres, which never change.

By default a principal run is read beside last year: what was issued then, by its principal campaign and
its supplementary ones together, and what was computed of whoever has no titre. A titre annulled no
longer counts; réductions and payments are later facts, and don't. A supplementary run, or one apart,
bills only a part: it is read beside the former run of its own campaign.
"""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from conventions.basis import from_json, frozen_charges
from entsvc import school_year
from entsvc.french import short_date
from invoicing.models import Call, CallLine, Campaign, Run, Titre, TitreLine
from invoicing.review import Review, compare
from invoicing.review_causes import Account, Billed, Side
from tariffs import engine
from tariffs.models import Schedule

FACTS = ("charge", "uai", "quantity", "unit_price", "amount")
OFFERED = 200
KEPT, LARGE = 4, 10_000  # what stays in memory of each kind, and members beyond which it does not


Identity = tuple[Any, ...]  # equal for what says the same: nothing that it names ever changes


@dataclass(frozen=True)
class Other:
    """The other side of a comparison, read once asked for, and how it is named.

    `campaigns` are those whose titres it gathers, where it is what was issued.
    """

    identity: Identity
    read: Callable[[], Side]
    words: str
    year: int
    campaigns: QuerySet | None = None

    @cached_property
    def side(self) -> Side:
        """Return its accounts, and what priced them."""
        return self.read()


@contextmanager
def many_rows() -> Iterator[None]:
    """Leave the garbage collector out of what a page reads: thousands of rows, none of them garbage.

    It would walk all of them again and again: half of the time of a page of 35 000 members.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def reviewed(run: Run, other: Other | None) -> Review:
    """Compare a whole run with the other side, if any: the last ones read stay in this process."""
    identity = (*_identity(run), other.identity if other else None)

    def read() -> Review:
        return compare(side_of(run), other.side if other else None)

    return _remembered(_reviews, identity, read, lambda found: len(found.rows))


def side_of(run: Run, *, debtor: int | None = None) -> Side:
    """Return a run as one side of a comparison; `debtor` leaves out the other accounts."""
    return _side(run, _accounts_of_run(run.pk, debtor=debtor))


def default_other(run: Run, *, debtor: int | None = None) -> Other | None:
    """Return what a run is compared with when the reader chose nothing; None when there is nothing."""
    campaign = run.campaign
    if campaign.rank == 1 and not campaign.apart:
        return _issued(campaign.schedule, campaign.school_year - 1, debtor)
    former = campaign.runs.filter(number__lt=run.number).order_by("-number")
    former = former.select_related("campaign__schedule").first()
    return other_of(former, debtor=debtor) if former else None


def other_of(run: Run, *, debtor: int | None = None) -> Other:
    """Return a run as what another one is compared with."""
    read = partial(side_of, run, debtor=debtor)
    return Other(_identity(run), read, words_of(run), run.campaign.school_year)


def _identity(run: Run) -> Identity:
    return run.pk, run.basis_sha256, run.computed_at


def offered(run: Run) -> QuerySet[Run]:
    """Return the runs that one may be compared with: those of its schedule, or of what is apart."""
    others = Run.objects.exclude(pk=run.pk).select_related("campaign__schedule").defer("basis")
    if run.campaign.apart:
        others = others.filter(campaign=run.campaign)
    else:
        others = others.filter(campaign__schedule=run.campaign.schedule_id, campaign__apart=False)
    return others.order_by("-campaign__school_year", "campaign__rank", "-number")


def words_of(run: Run) -> str:
    """Return how a run is named in a list of runs of the same schedule."""
    campaign = run.campaign
    rank = "" if campaign.rank == 1 or campaign.apart else f", complémentaire n° {campaign.rank - 1}"
    label = school_year.label(campaign.school_year)
    return f"{label}{rank}, calcul {run.number} du {short_date(timezone.localdate(run.computed_at))}"


def _issued(schedule: Schedule, year: int, debtor: int | None) -> Other | None:
    """Return what was issued of a school year, else its last principal run, else None."""
    campaigns = Campaign.objects.of_year(schedule, year).order_by()
    last = Run.objects.filter(campaign__in=campaigns.filter(rank=1)).order_by("-number")
    last = last.select_related("campaign__schedule").defer("basis").first()
    pieces = Titre.objects.filter(campaign__in=campaigns.values("pk"))
    called = pieces.filter(kind=Titre.Kind.TITRE)
    facts = {"number": Count("pk"), "run": Max("call__run"), "at": Max("bordereau__issued_at")}
    known = pieces.order_by().aggregate(**facts)
    if last is None and known["run"] is None:
        return None
    if known["run"] is None:
        return other_of(last, debtor=debtor)

    def read() -> Side:
        priced = last if last.pk == known["run"] else Run.objects.defer("basis").get(pk=known["run"])
        accounts = _accounts_of_run(last.pk, debtor=debtor, but=called.values("debtor"))
        unissued = {key: account for key, account in accounts.items() if account.lines}
        issued = _accounts_of_titres(pieces & Titre.objects.in_force(), debtor)
        return _side(priced, unissued | issued)

    # Pieces are only ever added: as many of them are the same ones.
    identity = (*_identity(last), *known.values())
    words = f"{school_year.label(year)}, tel qu'émis"
    return Other(identity, read, words, year, campaigns.values("pk"))


class _Members(Mapping[str, engine.Member]):
    """The members of a frozen basis by SIRET, each rebuilt once asked for: most of them never are."""

    def __init__(self, basis: Mapping[str, Any]) -> None:
        self._frozen = {member["siret"]: member for member in basis["members"]}
        self._nothing = {**basis, "charges": (), "acceptances": ()}
        self._rebuilt: dict[str, engine.Member] = {}

    def __getitem__(self, siret: str) -> engine.Member:
        if siret not in self._rebuilt:
            alone = {**self._nothing, "members": [self._frozen[siret]]}
            self._rebuilt[siret] = from_json(alone).members[0]
        return self._rebuilt[siret]

    def __iter__(self) -> Iterator[str]:
        return iter(self._frozen)

    def __len__(self) -> int:
        return len(self._frozen)


_Frozen = tuple[Mapping[str, engine.Charge], Mapping[str, engine.Member]]
_bases: dict[str, _Frozen] = {}  # by the fingerprint of a basis, which is that of its content
_reviews: dict[Identity, Review] = {}  # whole ones


def _remembered(memory: dict, key: Any, read: Callable[[], Any], members: Callable[[Any], int]) -> Any:
    """Return what was read of a key; the last ones stay in memory, but those of too many members."""
    known = memory.pop(key, None)
    if known is None:
        known = read()
    if members(known) <= LARGE:
        memory[key] = known  # last, as the latest asked for
        for former in list(memory)[:-KEPT]:
            memory.pop(former, None)
    return known


def _side(run: Run, accounts: Mapping[int, Account]) -> Side:
    return Side(*_frozen(run), accounts)


def charges_of(run: Run) -> Mapping[str, engine.Charge]:
    """Return the frozen charges of a run by code."""
    return _frozen(run)[0]


def _frozen(run: Run) -> _Frozen:
    """Return the charges and members of a basis."""

    def read() -> _Frozen:
        charges = {charge.code: charge for charge in frozen_charges(run.basis["charges"])}
        return charges, _Members(run.basis)

    return _remembered(_bases, run.basis_sha256, read, lambda found: len(found[1]))


def _accounts_of_run(
    run: int, *, debtor: int | None = None, but: QuerySet | None = None
) -> dict[int, Account]:
    calls = Call.objects.filter(run=run).order_by("siret")
    if debtor is not None:
        calls = calls.filter(debtor=debtor)
    if but is not None:
        calls = calls.exclude(debtor__in=but)
    found = list(calls.values_list("pk", "debtor_id", "siret", "name"))
    if not found:
        return {}
    lines = CallLine.objects.filter(call__in=calls.order_by().values("pk"))
    if debtor is None and but is None:
        lines = CallLine.objects.filter(call__run=run)
    billed = _by_owner(lines.order_by("call_id", "position").values_list("call_id", *FACTS))
    return {
        key: Account(siret, name, call, lines=billed.get(call, ())) for call, key, siret, name in found
    }


def _accounts_of_titres(titres: QuerySet[Titre], debtor: int | None) -> dict[int, Account]:
    """Return what titres ask, those of a same debtor together."""
    if debtor is not None:
        titres = titres.filter(debtor=debtor)
    lines = TitreLine.objects.filter(titre__in=titres.order_by().values("pk"))
    billed = _by_owner(lines.order_by("titre_id", "position").values_list("titre_id", *FACTS))
    found: dict[int, Account] = {}
    columns = ("pk", "debtor_id", "siret", "debtor_name")
    rows = titres.order_by("exercice", "number", "pk").values_list(*columns)
    for titre, key, siret, name in rows:
        former = found[key].lines if key in found else ()
        lines_of = (*former, *billed.get(titre, ()))
        found[key] = Account(siret, name, None, is_issued=True, lines=lines_of)
    return found


def _by_owner(rows: Iterable[tuple]) -> dict[Any, list[Billed]]:
    billed: dict[Any, list[Billed]] = defaultdict(list)
    prices: dict[Any, Decimal] = {}
    for owner, charge, uai, quantity, unit_price, amount in rows:
        if unit_price is not None:  # a few prices, thousands of lines
            unit_price = prices.setdefault(unit_price, unit_price)
        billed[owner].append(Billed(charge, uai, quantity, unit_price, amount))
    return billed

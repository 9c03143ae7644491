"""What a run is compared with, read from the rows of runs and titres, which never change.

By default a principal run is read beside last year: what was issued then, by its principal campaign and
its supplementary ones together, and what was computed of whoever has no titre. A titre annulled no
longer counts; réductions and payments are later facts, and don't. A supplementary run, or one apart,
bills only a part: it is read beside the former run of its own campaign.
"""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone

from conventions.basis import from_json, frozen_charges
from entsvc import school_year
from entsvc.french import short_date
from invoicing.models import Call, CallLine, Campaign, Run, Titre, TitreLine
from invoicing.review_causes import Account, Billed, Side
from tariffs import engine
from tariffs.models import Schedule

FACTS = ("charge", "uai", "quantity", "unit_price", "amount")
OFFERED = 200
KEPT, LARGE = 4, 10_000  # bases that stay in memory, and members beyond which one does not


@dataclass(frozen=True)
class Other:
    """The other side of a comparison, and how it is named.

    `campaigns` are those whose titres it gathers, where it is what was issued; `unissued` members have
    none there.
    """

    side: Side
    words: str
    year: int
    unissued: int = 0
    campaigns: QuerySet | None = None


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
    return Other(side_of(run, debtor=debtor), words_of(run), run.campaign.school_year)


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
    titres = Titre.objects.in_force().filter(campaign__in=campaigns.values("pk"))
    latest = titres.aggregate(run=Max("call__run"))["run"]
    if latest is None and last is None:
        return None
    if latest is None:
        return other_of(last, debtor=debtor)
    priced = Run.objects.defer("basis").get(pk=latest)
    called = Titre.objects.filter(campaign__in=campaigns.values("pk"), kind=Titre.Kind.TITRE)
    unissued = {
        key: account
        for key, account in _accounts_of_run(last.pk, debtor=debtor, but=called.values("debtor")).items()
        if account.lines
    }
    accounts = unissued | _accounts_of_titres(titres, debtor)
    words = f"{school_year.label(year)}, tel qu'émis"
    side = _side(priced, accounts)
    return Other(side, words, year, len(unissued), campaigns.values("pk"))


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
_read: dict[str, _Frozen] = {}  # by the fingerprint of a basis, which is that of its content


def _side(run: Run, accounts: Mapping[int, Account]) -> Side:
    return Side(*_frozen(run), accounts)


def charges_of(run: Run) -> Mapping[str, engine.Charge]:
    """Return the frozen charges of a run by code."""
    return _frozen(run)[0]


def _frozen(run: Run) -> _Frozen:
    """Return the charges and members of a basis: those of the last ones read stay in this process."""
    known = _read.pop(run.basis_sha256, None)
    if known is None:
        charges = {charge.code: charge for charge in frozen_charges(run.basis["charges"])}
        known = charges, _Members(run.basis)
    if len(known[1]) <= LARGE:
        _read[run.basis_sha256] = known  # last, as the latest asked for
        for former in list(_read)[:-KEPT]:
            _read.pop(former, None)
    return known


def _accounts_of_run(
    run: int, *, debtor: int | None = None, but: QuerySet | None = None
) -> dict[int, Account]:
    calls = Call.objects.filter(run=run).order_by("siret")
    if debtor is not None:
        calls = calls.filter(debtor=debtor)
    if but is not None:
        calls = calls.exclude(debtor__in=but)
    found = list(calls.values_list("pk", "debtor_id", "siret", "name", "debtor__kind"))
    if not found:
        return {}
    lines = CallLine.objects.filter(call__in=calls.order_by().values("pk"))
    if debtor is None and but is None:
        lines = CallLine.objects.filter(call__run=run)
    billed = _by_owner(lines.order_by("call_id", "position").values_list("call_id", *FACTS))
    return {
        key: Account(siret, name, kind, call, lines=billed.get(call, ()))
        for call, key, siret, name, kind in found
    }


def _accounts_of_titres(titres: QuerySet[Titre], debtor: int | None) -> dict[int, Account]:
    """Return what titres ask, those of a same debtor together."""
    if debtor is not None:
        titres = titres.filter(debtor=debtor)
    lines = TitreLine.objects.filter(titre__in=titres.order_by().values("pk"))
    billed = _by_owner(lines.order_by("titre_id", "position").values_list("titre_id", *FACTS))
    found: dict[int, Account] = {}
    columns = ("pk", "debtor_id", "siret", "debtor_name", "debtor__kind")
    for titre, key, siret, name, kind in titres.order_by("exercice", "number", "pk").values_list(
        *columns
    ):
        former = found[key].lines if key in found else ()
        lines_of = (*former, *billed.get(titre, ()))
        found[key] = Account(siret, name, kind, None, is_issued=True, lines=lines_of)
    return found


def _by_owner(rows: Iterable[tuple]) -> dict[Any, list[Billed]]:
    billed: dict[Any, list[Billed]] = defaultdict(list)
    prices: dict[Any, Decimal] = {}
    for owner, charge, uai, quantity, unit_price, amount in rows:
        if unit_price is not None:  # a few prices, thousands of lines
            unit_price = prices.setdefault(unit_price, unit_price)
        billed[owner].append(Billed(charge, uai, quantity, unit_price, amount))
    return billed

"""Which exercice, which number and which reference a titre bears."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import chain, islice
from typing import Any

from django.utils.timezone import localdate
from stdnum.iso7064 import mod_97_10

from entsvc.french import integer, plural, short_date
from invoicing.models import WIDEST, ClosedExercice, Counter, NumberingPolicy, Series, Titre
from members.models import Issuer


class IssueRefused(Exception):
    """Nothing was issued; `messages` says why, in French, one sentence each."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)


def exercice_for(on: date, asked: int | None, complementary_days: int) -> int:
    """Return the exercice of a titre dated `on`: its year, or the one before when asked in time.

    The year before may be asked for during the complementary period, counted in days of January.
    Raises IssueRefused for any other exercice.
    """
    if asked in (None, on.year):
        return on.year
    last_day = last_day_of(on.year - 1, complementary_days)
    if asked == on.year - 1 and on <= last_day:
        return asked
    raise IssueRefused(
        f"Un titre daté du {short_date(on)} ne peut pas porter l'exercice {asked} : "
        f"l'exercice précédent n'est possible que jusqu'au {short_date(last_day)}."
    )


def last_day_of(exercice: int, complementary_days: int) -> date:
    """Return the last day on which a piece may bear an exercice: its additional period counted in."""
    return date(exercice, 12, 31) + timedelta(days=complementary_days)


def why_over(exercice: int, on: date, complementary_days: int) -> str:
    """Say why nothing dated `on` may bear an exercice any more, whoever closed it or not; else "".

    Judged on the later of that day and today: past the additional period, typing an earlier date makes
    no piece of that exercice. For titres and for what corrects them alike.
    """
    day = max(on, localdate())
    if day <= last_day_of(exercice, complementary_days):
        return ""
    return f"Le {short_date(day)}, l'exercice {exercice} et sa période complémentaire sont finis"


def all_closed(titres: Iterable[Titre], on: date) -> dict[Any, str]:
    """Return {key: why} of the titres of which the exercice takes no correction of that day any more.

    Somebody closed it, or it is over with its additional period (see `why_over`), but for a specimen of
    that very day. One query, their issuers being loaded.
    """
    titres = list(titres)
    rows = ClosedExercice.objects.filter(issuer__in={titre.issuer_id for titre in titres})
    closed = set(rows.order_by("pk").values_list("issuer", "budget", "exercice"))
    found = {}
    for titre in titres:
        if (titre.issuer_id, titre.budget, titre.exercice) in closed:
            found[titre.pk] = f"L'exercice {titre.exercice} est clos"
            continue
        why = why_over(titre.exercice, on, titre.issuer.complementary_days)
        if why and not _is_specimen_of_its_day(titre, on):
            found[titre.pk] = why
    return found


def _is_specimen_of_its_day(titre: Titre, on: date) -> bool:
    """Tell whether a titre binds nobody and the day itself is within its exercice: as when issued."""
    last = last_day_of(titre.exercice, titre.issuer.complementary_days)
    return on <= last and titre.payload["document"]["specimen"]


def take_numbers(
    *, issuer: Issuer, exercice: int, kind: Series, count: int, on: date, budget: str | None = None
) -> Iterator[int]:
    """Take the next `count` numbers of a series, inside the caller's transaction.

    They follow one another, but where one reserved range ends and the next begins. `budget` is that of
    the issuer unless told. The counter's row stays locked until that transaction ends: rolled back, no
    number is spent. Raises IssueRefused when `on` is before the last date of the series, when the
    exercice is closed, or when fewer than `count` numbers are left.
    """
    counter = lock_counter(issuer, issuer.budget_code if budget is None else budget, exercice, kind)
    if counter.last_date and on < counter.last_date:
        raise IssueRefused(
            f"La série « {Series(kind).label} » {exercice} va déjà jusqu'au "
            f"{short_date(counter.last_date)} : donnez cette date ou une date postérieure."
        )
    ranges = ranges_of(issuer, counter.budget, exercice, kind)
    numbers = list(islice(chain.from_iterable(left_in(ranges, counter.last_number)), count))
    if len(numbers) < count:
        raise IssueRefused(_exhausted(ranges, kind, exercice, left=len(numbers), needed=count))
    counter.last_number = numbers[-1]
    counter.last_date = on
    counter.save(update_fields=["last_number", "last_date"])
    return iter(numbers)


def lock_counter(issuer: Issuer, budget: str, exercice: int, kind: Series) -> Counter:
    """Return the counter of a series, made where there is none, its row locked by the transaction.

    Raises IssueRefused when the exercice is closed.
    """
    series = {"issuer": issuer, "budget": budget, "exercice": exercice}
    _refuse_closed(**series)
    counter, _ = Counter.objects.select_for_update(of=("self",)).get_or_create(**series, kind=kind)
    _refuse_closed(**series)  # the closing may be what we waited for
    return counter


def is_external(issuer: Issuer, budget: str, exercice: int, kind: Series) -> bool:
    """Tell whether the number of a series comes from the accountant's chain: ours is provisional."""
    return NumberingPolicy.objects.filter(
        issuer=issuer, budget=budget, exercice=exercice, kind=kind, mode=NumberingPolicy.Mode.EXTERNAL
    ).exists()


def is_begun(policy: NumberingPolicy) -> bool:
    """Tell whether a number was taken under a policy: it no longer changes."""
    return Counter.objects.filter(
        issuer=policy.issuer_id,
        budget=policy.budget,
        exercice=policy.exercice,
        kind=policy.kind,
        last_number__gte=policy.first_number,
    ).exists()


def ranges_of(issuer: Issuer, budget: str, exercice: int, kind: Series) -> list[range]:
    """Return the numbers that a series may use, in order: one range, or each of those reserved.

    Without a policy they are ours, from 1. None goes beyond what a reference can show.
    """
    policies = NumberingPolicy.objects.filter(
        issuer=issuer, budget=budget, exercice=exercice, kind=kind
    ).order_by("first_number")
    widest = WIDEST[Series(kind)]
    return [range(p.first_number, (p.last_number or widest) + 1) for p in policies] or [
        range(1, widest + 1)
    ]


def left_in(ranges: Iterable[range], last: int) -> list[range]:
    """Return what is left of some ranges once the number `last` is taken."""
    return [range(max(numbers.start, last + 1), numbers.stop) for numbers in ranges]


def taken_in(ranges: Iterable[range], last: int) -> list[range]:
    """Return the numbers that a series must hold, all of them, once the number `last` is taken."""
    taken = (range(numbers.start, min(numbers.stop, last + 1)) for numbers in ranges)
    return [numbers for numbers in taken if numbers]


def numbers_left(issuer: Issuer, exercice: int, budget: str | None = None) -> list[str]:
    """Warn, in French, of each series of an exercice that has less than a tenth of its numbers left."""
    budget = issuer.budget_code if budget is None else budget
    warnings = []
    for counter in Counter.objects.filter(issuer=issuer, budget=budget, exercice=exercice):
        ranges = ranges_of(issuer, budget, exercice, counter.kind)
        left = sum(map(len, left_in(ranges, counter.last_number)))
        if left * 10 < sum(map(len, ranges)):
            series = f"« {counter.get_kind_display()} » {exercice}"
            warnings.append(
                f"Il ne reste que {plural(left, 'numéro')} dans la série {series} : demandez dès "
                "maintenant une autre plage au comptable."
            )
    return warnings


def _refuse_closed(issuer: Issuer, budget: str, exercice: int) -> None:
    closed = ClosedExercice.objects.filter(issuer=issuer, budget=budget, exercice=exercice)
    if closed.exists():
        raise IssueRefused(
            f"L'exercice {exercice} est clos : ses séries ne prennent plus de numéro. "
            "Émettez sur l'exercice en cours."
        )


def _exhausted(ranges: list[range], kind: Series, exercice: int, *, left: int, needed: int) -> str:
    """Say how many numbers are left and needed, and what to do."""
    series = f"« {Series(kind).label} » {exercice}"
    counts = f"il en reste {integer(left)}, il en faut {integer(needed)}"
    widest = WIDEST[Series(kind)]
    if ranges[-1].stop > widest:
        return (
            f"La série {series} ne peut pas dépasser le n° {integer(widest)}, que sa référence peut "
            f"écrire : {counts}. Émettez le reste sur l'exercice suivant ou sur un autre budget."
        )
    return (
        f"La plage de numéros réservée auprès du comptable pour la série {series} ne suffit pas : "
        f"{counts}. Demandez-lui une autre plage et enregistrez-la dans les numérotations des séries."
    )


def reference_of(issuer_code: str, exercice: int, number: int, budget: str = "00") -> str:
    """Return the reference of a titre, at most 20 characters, unique for the issuer: OCC-2025-000012.

    A budget other than the main one is part of it, since it has a series of its own: OCC01-2025-000012.
    Length and alphabet are those that PES v2 and Chorus Pro share for an invoice number.
    """
    series = "" if budget == "00" else budget
    return f"{issuer_code}{series}-{exercice}-{number:06d}"


def correction_reference(issuer_code: str, exercice: int, number: int, budget: str = "00") -> str:
    """Return the reference of an annulation or a réduction: OCC-2025-A00012, at most 20 characters.

    The letter keeps it apart from the titre of the same number.
    """
    series = "" if budget == "00" else budget
    return f"{issuer_code}{series}-{exercice}-A{number:05d}"


def payment_reference(reference: str) -> str:
    """Return the ISO 11649 reference to recall with a payment: RF, key, letters and digits."""
    plain = "".join(character for character in reference.upper() if character.isalnum())
    return f"RF{mod_97_10.calc_check_digits(plain + 'RF')}{plain}"

"""Which exercice, which number and which reference a titre bears."""

from collections.abc import Iterator
from datetime import date, timedelta

from stdnum.iso7064 import mod_97_10

from entsvc.french import short_date
from invoicing.models import Counter, Series
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
    last_day = date(on.year, 1, 1) + timedelta(days=complementary_days - 1)
    if asked == on.year - 1 and complementary_days and on <= last_day:
        return asked
    raise IssueRefused(
        f"Un titre daté du {short_date(on)} ne peut pas porter l'exercice {asked} : "
        f"l'exercice précédent n'est possible que jusqu'au {short_date(last_day)}."
    )


def take_numbers(*, issuer: Issuer, exercice: int, kind: Series, count: int, on: date) -> Iterator[int]:
    """Take `count` consecutive numbers of a series, inside the caller's transaction.

    The counter's row stays locked until that transaction ends: rolled back, no number is spent.
    Raises IssueRefused when `on` is before the last date of the series.
    """
    counter, _ = Counter.objects.select_for_update(of=("self",)).get_or_create(
        issuer=issuer, budget=issuer.budget_code, exercice=exercice, kind=kind
    )
    if counter.last_date and on < counter.last_date:
        raise IssueRefused(
            f"La série « {Series(kind).label} » {exercice} va déjà jusqu'au "
            f"{short_date(counter.last_date)} : donnez cette date ou une date postérieure."
        )
    first = counter.last_number + 1
    counter.last_number += count
    counter.last_date = on
    counter.save(update_fields=["last_number", "last_date"])
    return iter(range(first, first + count))


def reference_of(issuer_code: str, exercice: int, number: int, budget: str = "00") -> str:
    """Return the reference of a titre, at most 20 characters, unique for the issuer: OCC-2025-000012.

    A budget other than the main one is part of it, since it has a series of its own: OCC01-2025-000012.
    Length and alphabet are those that PES v2 and Chorus Pro share for an invoice number.
    """
    series = "" if budget == "00" else budget
    return f"{issuer_code}{series}-{exercice}-{number:06d}"


def payment_reference(reference: str) -> str:
    """Return the ISO 11649 reference to recall with a payment: RF, key, letters and digits."""
    plain = "".join(character for character in reference.upper() if character.isalnum())
    return f"RF{mod_97_10.calc_check_digits(plain + 'RF')}{plain}"

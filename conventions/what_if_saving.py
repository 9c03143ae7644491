"""How what was tried becomes a draft version of the tariff, free to change until an act adopts it."""

from django.db import transaction

from conventions.what_if_hypotheses import EVERYBODY, NOBODY, Changes, changed
from entsvc import journal
from tariffs import engine
from tariffs.adoption import charges_of
from tariffs.models import Band, Charge, Version
from tariffs.versions import copy_version


@transaction.atomic
def save_as_version(*, version: Version, changes: Changes, label: str, actor: str) -> Version:
    """Write a copy of a version, changed as the simulation changes it, and return it.

    An option given to everybody becomes an ordinary charge; see `left_out` for what a tariff does not
    say. Raises django.core.exceptions.ValidationError when the label is already taken.
    """
    copy = copy_version(version, label)
    kept = {charge.code: charge for charge in changed(charges_of(version), changes)}
    for row in copy.charges.order_by("position", "code"):
        if row.code in kept:
            _write(row, kept[row.code], changes)
        else:
            row.delete()
    summary = f"Version « {label} » enregistrée d'une simulation de « {version.label} »"
    journal.record(actor=actor, action="create", target=copy, summary=summary)
    return copy


def left_out(version: Version, changes: Changes) -> list[str]:
    """Return, in French, what of a simulation is no part of a version."""
    yearly = {charge.code for charge in charges_of(version) if charge.pool is None}
    found = [
        f"L'enveloppe {code} n'est pas fixée par ce tarif : saisissez-la dans « Enveloppes à répartir »."
        for code in sorted(yearly & changes.pools.keys())
    ]
    return found + [
        f"L'option {option} reste à souscrire par convention : le tarif ne dit pas qui la prend."
        for option, who in changes.takers.items()
        if who not in (NOBODY, EVERYBODY)
    ]


def _write(row: Charge, charge: engine.Charge, changes: Changes) -> None:
    row.unit_price = charge.unit_price
    if row.pool is not None:
        row.pool = charge.pool
    if changes.takers.get(row.subscription) == EVERYBODY:
        row.subscription = ""
    row.full_clean()
    row.save()
    if row.code in changes.bands:
        row.bands.all().delete()
        for band in charge.bands:
            Band.objects.create(
                charge=row, lower=band.lower, upper=band.upper, price=band.price, note=band.note
            )

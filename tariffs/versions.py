"""How the next version of a tariff starts: as a copy of the last one."""

from django.db import transaction

from entsvc.changes import Plan, write
from tariffs.models import Band, Charge, Version


@transaction.atomic
def copy_version(version: Version, label: str) -> Version:
    """Return a new version of the same schedule with the same charges and bands, free to change.

    Raises django.core.exceptions.ValidationError when the label is already taken.
    """
    copy = Version(
        schedule=version.schedule, label=label, note=f"Copie de la version « {version.label} »."
    )
    copy.full_clean()
    copy.save()
    for charge in version.charges.prefetch_related("bands").order_by("position", "code"):
        bands = list(charge.bands.all())
        clone = Charge.objects.create(**{**_values(charge), "version": copy})
        copies = [Band(**{**_values(band), "charge": clone}) for band in bands]
        write(Plan(create=copies), Band, [])
    return copy


def _values(row: Charge | Band) -> dict:
    return {f.name: getattr(row, f.name) for f in row._meta.concrete_fields if not f.primary_key}

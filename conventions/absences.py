"""Which schools that an agreement enrols have disappeared from the annuaire."""

from django.db.models import Q

from conventions.models import Enrolment
from entsvc import school_year
from entsvc.importing import Job, remarks_on
from members.importers import perimeter


@remarks_on("annuaire")
def flag_enrolled(job: Job) -> None:
    """Flag the absent schools of a complete annuaire that agreements enrol this school year or later.

    They are said each time, were they absent before: someone still pays for them. An account limited to
    some issuers reads of their agreements only.
    """
    territory = job.options.get("perimeter")
    if territory is None:
        return
    year = school_year.containing(perimeter.file_date(job))
    enrolments = Enrolment.objects.filter(
        territory.schools("school__"),
        _not_over_before(year),
        _not_over_before(year, "convention__"),
        school__absent_since__isnull=False,
    )
    if job.issuers is not None:
        enrolments = enrolments.filter(convention__schedule__issuer__in=job.issuers)
    schedule = "convention__schedule"
    columns = ("school__uai", "convention__reference", f"{schedule}__code", f"{schedule}__issuer")
    for uai, reference, code, issuer in enrolments.order_by(*columns).values_list(*columns).distinct():
        message = (
            f"Absente de l'annuaire mais inscrite dans la convention {reference} (barème {code}) : "
            "fermez son inscription, ou vérifiez qu'elle existe."
        )
        job.report.flag(None, perimeter.UAI_COLUMN, uai, message, issuer=issuer)


def _not_over_before(year: int, prefix: str = "") -> Q:
    return Q(**{f"{prefix}last_year__isnull": True}) | Q(**{f"{prefix}last_year__gte": year})

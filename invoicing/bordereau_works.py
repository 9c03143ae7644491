"""The long works about one bordereau: each is asked for once at a time, in the name of its issuer."""

from entsvc import works
from entsvc.models import Work
from invoicing.models import Bordereau


def ask(*, bordereau: Bordereau, kind: works.Kind, title: str, actor: str) -> Work:
    """Ask for a work about a bordereau, named after it; asked twice, it is done once."""
    return works.ask(
        kind=kind,
        once=str(bordereau.pk),
        title=f"{title} : {bordereau}",
        arguments={"bordereau": str(bordereau.pk)},
        actor=actor,
        issuer=bordereau.issuer_id,
    )


def bordereau_of(work: Work) -> Bordereau:
    """Return the bordereau that a work is about."""
    return Bordereau.objects.select_related("issuer").get(pk=work.arguments["bordereau"])

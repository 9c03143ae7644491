"""A large état liquidatif is made in the background: drawing it takes more than a click."""

from entsvc import works
from entsvc.models import Work
from invoicing.liquidation.sending import EtatRefused, produce
from invoicing.models import Campaign, TitreLine

LARGE = 60  # bases, of which a hundred takes about two seconds


def is_long(campaign: Campaign) -> bool:
    """Tell whether making the état of a campaign is too long for a click."""
    return TitreLine.objects.filter(titre__campaign=campaign).count() > LARGE


def produce_later(*, campaign: Campaign, rank: int, actor: str) -> Work:
    """Ask for the état n° `rank` of a campaign; asked twice, it is made once."""
    return works.ask(
        kind=ETAT,
        once=f"{campaign.pk}/{rank}",
        title=f"État liquidatif n° {rank} : {campaign}",
        arguments={"campaign": campaign.pk, "rank": rank},
        actor=actor,
        issuer=campaign.schedule.issuer_id,
    )


def _produce(work: Work) -> works.Outcome:
    campaign = Campaign.objects.select_related("schedule__issuer").get(pk=work.arguments["campaign"])
    try:
        sending = produce(campaign=campaign, rank=work.arguments["rank"], actor=work.actor)
    except EtatRefused as error:
        raise works.WorkFailed(" ".join([str(error), *error.findings])) from error
    return works.Outcome(
        told=f"{sending.file_name} est prêt, avec son classeur.",
        page="admin:invoicing_sending_change",
        page_key=str(sending.pk),
    )


# The files are kept before the row that names them: killed, the next one makes the same rank.
ETAT = works.register(
    works.Kind(
        "etat-liquidatif",
        _produce,
        seen_with="invoicing.view_sending",
        asked_with="invoicing.issue_titre",
        writes=False,
    )
)

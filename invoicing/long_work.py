"""Which calculations and exports are too long for a click, and how they are done in the background."""

from io import BytesIO

from conventions.models import Convention
from entsvc import journal, short_lived, works
from entsvc.french import euros, plural
from entsvc.models import Work
from invoicing import bordereau_works
from invoicing.accountant_numbers import draw_numbered, to_draw
from invoicing.bordereau_works import bordereau_of
from invoicing.calculation import CampaignRefused, compute_again, open_supplement
from invoicing.exports.journal_of_titres import write_journal
from invoicing.exports.yearly_call import write_yearly_call
from invoicing.models import Bordereau, CallLine, Campaign, Run, Titre
from members.models import Issuer
from tariffs.adoption import NotAdopted
from tariffs.models import Schedule

# What takes about two seconds, from what was measured: 0.6 ms an agreement, 0.45 ms a line.
LARGE_SCHEDULE = 3_000  # agreements
LARGE_RUN = 4_000  # lines
LARGE_JOURNAL = 4_000  # titres
LARGE_NUMBERED = 10  # documents drawn under the accountant's number, 0.2 s each


def is_long_to_compute(schedule: Schedule) -> bool:
    """Tell whether computing the calls of a schedule is too long for a click."""
    return Convention.objects.filter(schedule=schedule).count() > LARGE_SCHEDULE


def compute_later(*, campaign: Campaign, actor: str) -> Work:
    """Ask for the calls of a campaign to be computed once more; asked twice, it is computed once."""
    return works.ask(
        kind=COMPUTE,
        once=str(campaign.pk),
        title=f"Calcul des appels : {campaign}",
        arguments={"campaign": campaign.pk},
        actor=actor,
        issuer=campaign.schedule.issuer_id,
    )


def supplement_later(*, campaign: Campaign, reason: str, actor: str) -> Work:
    """Ask for the next supplementary campaign to be opened and computed; asked twice, one is opened."""
    return works.ask(
        kind=SUPPLEMENT,
        once=f"{campaign.schedule_id}/{campaign.school_year}",
        title=f"Campagne complémentaire : {campaign.schedule.code} {campaign.school_year_label}",
        arguments={"campaign": campaign.pk, "reason": reason},
        actor=actor,
        issuer=campaign.schedule.issuer_id,
    )


def is_long_to_export(run: Run) -> bool:
    """Tell whether writing the yearly call of a run is too long for a click."""
    return CallLine.objects.filter(call__run=run).count() > LARGE_RUN


def export_later(*, run: Run, actor: str) -> Work:
    """Ask for the yearly call of a run as a workbook."""
    return works.ask(
        kind=YEARLY_CALL,
        once=str(run.pk),
        title=f"Appel annuel (XLSX) : {run}",
        arguments={"run": run.pk},
        actor=actor,
        issuer=run.campaign.schedule.issuer_id,
    )


def name_of_call(run: Run) -> str:
    """Return the name of the file of a yearly call."""
    return f"appel-{run.campaign.schedule.code}-{run.campaign.school_year_label}.xlsx"


def is_long_to_list(issuer: Issuer, exercice: int) -> bool:
    """Tell whether writing the journal of titres of an exercice is too long for a click."""
    return Titre.objects.filter(issuer=issuer, exercice=exercice).count() > LARGE_JOURNAL


def list_later(*, issuer: Issuer, exercice: int, kind: str, actor: str) -> Work:
    """Ask for the journal of titres of an exercice, as « xlsx » or « csv »."""
    return works.ask(
        kind=JOURNAL,
        once=f"{issuer.pk}/{exercice}/{kind}",
        title=f"Journal des titres ({kind.upper()}) : {issuer.name}, exercice {exercice}",
        arguments={"issuer": issuer.pk, "exercice": exercice, "kind": kind},
        actor=actor,
        issuer=issuer.pk,
    )


def name_of_journal(issuer: Issuer, exercice: int, kind: str) -> str:
    """Return the name of the file of a journal of titres."""
    return f"journal-titres-{issuer.code}-{exercice}.{kind}"


def is_long_to_number(bordereau: Bordereau) -> bool:
    """Tell whether drawing the titres of a bordereau that wait for it is too long for a click."""
    return to_draw(bordereau.titres.all()).count() > LARGE_NUMBERED


def number_later(*, bordereau: Bordereau, actor: str) -> Work:
    """Ask for the titres of a bordereau to be drawn under the accountant's number, each only once."""
    title = "Titres au numéro du comptable"
    return bordereau_works.ask(bordereau=bordereau, kind=NUMBERED, title=title, actor=actor)


def _compute(work: Work) -> works.Outcome:
    campaign = _campaign(work)
    try:
        return _computed(compute_again(campaign=campaign, actor=work.actor))
    except (NotAdopted, CampaignRefused) as error:
        raise works.WorkFailed(str(error)) from error


def _supplement(work: Work) -> works.Outcome:
    reason = work.arguments["reason"]
    try:
        run = open_supplement(campaign=_campaign(work), reason=reason, actor=work.actor)
    except (NotAdopted, CampaignRefused) as error:
        raise works.WorkFailed(str(error)) from error
    return _computed(run)


def _campaign(work: Work) -> Campaign:
    campaigns = Campaign.objects.select_related("schedule__issuer")
    return campaigns.get(pk=work.arguments["campaign"])


def _computed(run: Run) -> works.Outcome:
    return works.Outcome(
        told=f"{run} : {euros(run.total)}.", page="collection:review", page_key=str(run.pk)
    )


def _yearly_call(work: Work) -> works.Outcome:
    run = Run.objects.select_related("campaign__schedule").get(pk=work.arguments["run"])
    stream, name = BytesIO(), name_of_call(run)
    write_yearly_call(run, stream)
    journal.record(actor=work.actor, action="export", target=run, summary=f"{run} : {name}")
    return written(stream.getvalue(), name, "xlsx")


def _journal(work: Work) -> works.Outcome:
    issuer = Issuer.objects.get(pk=work.arguments["issuer"])
    exercice, kind = work.arguments["exercice"], work.arguments["kind"]
    name = name_of_journal(issuer, exercice, kind)
    content = write_journal(issuer=issuer, exercice=exercice, kind=kind)
    journal.record(
        actor=work.actor,
        action="export",
        target=issuer,
        summary=f"Journal des titres de {issuer.code}, exercice {exercice} : {name}",
    )
    return written(content, name, kind)


def _number(work: Work) -> works.Outcome:
    bordereau = bordereau_of(work)
    done = plural(
        sum(1 for _ in draw_numbered(bordereau.titres.all())), "titre produit", "titres produits"
    )
    return works.Outcome(
        told=f"{done} au numéro du comptable.",
        page="admin:invoicing_bordereau_change",
        page_key=str(bordereau.pk),
    )


def written(content: bytes, name: str, kind: str) -> works.Outcome:
    """Return the outcome of a work that made a file, named so, of a kind: « xlsx » or « csv »."""
    path = short_lived.keep(content, suffix=f".{kind}")
    return works.Outcome(told=f"{name} est prêt.", path=path, file_name=name)


COMPUTE = works.register(
    works.Kind("calcul", _compute, seen_with="invoicing.view_run", asked_with="invoicing.compute_run")
)
SUPPLEMENT = works.register(
    works.Kind(
        "complement", _supplement, seen_with="invoicing.view_run", asked_with="invoicing.compute_run"
    )
)
# Each is kept as soon as it is drawn: killed, the next one goes on with the rest.
NUMBERED = works.register(
    works.Kind(
        "numeroter",
        _number,
        seen_with="invoicing.view_bordereau",
        asked_with="invoicing.issue_titre",
        writes=False,
    )
)
# Reading takes no transaction: on SQLite it would keep everybody else from writing.
YEARLY_CALL = works.register(
    works.Kind(
        "appel-annuel",
        _yearly_call,
        seen_with="invoicing.view_run",
        asked_with="invoicing.view_run",
        writes=False,
    )
)
JOURNAL = works.register(
    works.Kind(
        "journal-titres",
        _journal,
        seen_with="invoicing.view_titre",
        asked_with="invoicing.view_titre",
        writes=False,
    )
)

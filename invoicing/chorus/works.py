"""The deposit of a bordereau and the reading of its answers, done in the background: a network is slow.

A deposit killed midway is taken up by whoever comes next: what was written waits, what was being sent
is not sent again (see `depositing`).
"""

from entsvc import works
from entsvc.documents import CorruptDocument
from entsvc.french import plural
from entsvc.models import Work
from invoicing import bordereau_works
from invoicing.bordereau_works import bordereau_of
from invoicing.chorus.access import ChorusOff, access_of
from invoicing.chorus.client import ChorusClient
from invoicing.chorus.depositing import DepositRefused, deposits_of, record, send_all
from invoicing.chorus.following import Followed, follow_all, to_follow
from invoicing.models import Bordereau, Deposit

PAGE = "admin:invoicing_bordereau_change"
SHOWN = 5


def deposit_later(*, bordereau: Bordereau, actor: str) -> Work:
    """Ask for what is ready of a bordereau to be deposited; asked twice, it is deposited once."""
    title = "Dépôt sur Chorus Pro"
    return bordereau_works.ask(bordereau=bordereau, kind=DEPOSIT, title=title, actor=actor)


def follow_later(*, bordereau: Bordereau, actor: str) -> Work:
    """Ask for the deposits of a bordereau to be read."""
    title = "Suivi des dépôts sur Chorus Pro"
    return bordereau_works.ask(bordereau=bordereau, kind=FOLLOW, title=title, actor=actor)


def told_of(done: Followed) -> str:
    """Say what a reading changed, in French."""
    read = plural(len(done.read), "dépôt lu", "dépôts lus")
    changed = plural(len(done.changed), "pièce a changé de statut", "pièces ont changé de statut")
    return f"{read}, {changed}."


def _deposit(work: Work) -> works.Outcome:
    bordereau = bordereau_of(work)
    try:
        client = ChorusClient(access_of(bordereau.issuer))
        record(bordereau=bordereau, actor=work.actor)
    except (ChorusOff, DepositRefused, CorruptDocument) as error:
        raise works.WorkFailed(str(error)) from error
    waiting = deposits_of(bordereau).filter(state=Deposit.State.WAITING)
    done = send_all(list(waiting), client=client, actor=work.actor)
    told = plural(len(done.deposited), "fichier déposé", "fichiers déposés")
    if done.failed:
        return works.Outcome(failure=" ".join([f"{told}.", *done.failed[:SHOWN]]))
    return works.Outcome(
        told=f"{told}. Déposé n'est pas accepté : « Suivre les dépôts » dira ce qu'il en advient.",
        page=PAGE,
        page_key=str(bordereau.pk),
    )


def _follow(work: Work) -> works.Outcome:
    bordereau = bordereau_of(work)
    try:
        client = ChorusClient(access_of(bordereau.issuer))
    except ChorusOff as error:
        raise works.WorkFailed(str(error)) from error
    deposits = to_follow().filter(sending__bordereau=bordereau)
    done = follow_all(deposits, client=client, actor=work.actor)
    if done.failed:
        return works.Outcome(failure=" ".join([told_of(done), *done.failed[:SHOWN]]))
    return works.Outcome(told=told_of(done), page=PAGE, page_key=str(bordereau.pk))


# Neither is one transaction: what precedes a call to the network is committed before it.
DEPOSIT = works.register(
    works.Kind(
        "chorus-depot",
        _deposit,
        seen_with="invoicing.view_bordereau",
        asked_with="invoicing.issue_titre",
        writes=False,
    )
)
FOLLOW = works.register(
    works.Kind(
        "chorus-suivi",
        _follow,
        seen_with="invoicing.view_bordereau",
        asked_with="invoicing.issue_titre",
        writes=False,
    )
)

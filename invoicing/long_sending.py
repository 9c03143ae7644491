"""Which files for the accountant are too long to make in a click: each carries every document of its
bordereau. Made in the background as the calculations of `long_work` are.
"""

from entsvc import works
from entsvc.french import plural
from entsvc.models import Work
from invoicing import bordereau_works
from invoicing.bordereau_works import bordereau_of
from invoicing.models import Bordereau
from invoicing.pes import pages
from invoicing.pes.sending import SHOWN, SendingRefused, produce

# From what was measured: 1 ms a piece to check, 5 ms to write with 40 Ko of documents.
LARGE_FILE = 300  # pieces, about two seconds to write
LARGE_CHECK = 2_000  # pieces, about two seconds to check


def is_long_to_send(bordereau: Bordereau) -> bool:
    """Tell whether writing the file of a bordereau is too long for a click."""
    return bordereau.count > LARGE_FILE


def is_long_to_check(bordereau: Bordereau) -> bool:
    """Tell whether even checking it first is too long for a page."""
    return bordereau.count > LARGE_CHECK


def send_later(*, bordereau: Bordereau, actor: str) -> Work:
    """Ask for the next file of a bordereau; asked twice, one is made."""
    title = "Fichier PES"
    return bordereau_works.ask(bordereau=bordereau, kind=PES, title=title, actor=actor)


def _send(work: Work) -> works.Outcome:
    bordereau = bordereau_of(work)
    try:
        sending = produce(bordereau=bordereau, actor=work.actor)
    except SendingRefused as refused:
        raise works.WorkFailed(_words(refused)) from refused
    return works.Outcome(
        told=pages.made(sending),
        page="admin:invoicing_sending_change",
        page_key=str(sending.pk),
    )


def _words(refused: SendingRefused) -> str:
    """Return a refusal with the first things to mend."""
    told = [str(finding) for finding in refused.findings[:SHOWN]]
    left = len(refused.findings) - len(told)
    more = [f"… et {plural(left, 'autre')}."] if left > 0 else []
    return " ".join([str(refused), *told, *more])


# A file is kept before its row, and its rank is taken up again when nobody wrote that row.
PES = works.register(
    works.Kind(
        "pes",
        _send,
        seen_with="invoicing.view_bordereau",
        asked_with="invoicing.issue_titre",
        writes=False,
    )
)

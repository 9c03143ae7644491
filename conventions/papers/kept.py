"""Which of the papers kept is the one that counts: what was sent before a change no longer does."""

from collections.abc import Iterable

from conventions import states
from conventions.models import Paper, PaperKind


def last_sent(papers: Iterable[Paper]) -> Paper | None:
    """Return the last one sent, among the papers of a kind of an agreement or of an amendment."""
    sent = [paper for paper in papers if paper.role == Paper.Role.SENT]
    return max(sent, key=lambda paper: paper.at, default=None)


def signed_since(papers: Iterable[Paper]) -> Paper | None:
    """Return the last one received signed since the last sending, among such papers."""
    _, since = received(papers)
    return since[-1] if since else None


def holding(papers: Iterable[Paper], status: str) -> Paper | None:
    """Return the one that holds of an agreement or amendment in a state: signed rather than sent.

    None holds of a draft, even one that was sent before; nor does a signed one that was sent back.
    """
    if status == states.DRAFT:
        return None
    papers = list(papers)
    signed = None if status == states.SENT_BACK else signed_since(papers)
    return signed or last_sent(papers)


def going_with(agreement: Paper | None, papers: Iterable[Paper]) -> list[Paper]:
    """Return papers sent, without a list of schools sent before the agreement: it went with another."""
    return [
        paper
        for paper in papers
        if agreement is None or paper.kind != PaperKind.ANNEX or paper.at >= agreement.at
    ]


def received(papers: Iterable[Paper], role: str = Paper.Role.SIGNED) -> tuple[list[Paper], list[Paper]]:
    """Return what came in a role before the last sending, and what came since, in order of arrival.

    Received at the very time of the sending, it came since; where nothing was sent, all of it did.
    """
    papers = list(papers)
    sent = last_sent(papers)
    came = sorted((paper for paper in papers if paper.role == role), key=lambda paper: paper.at)
    before = [paper for paper in came if sent is not None and paper.at < sent.at]
    return before, came[len(before) :]

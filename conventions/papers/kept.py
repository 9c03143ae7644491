"""Which of the papers kept is the one that counts: what was sent before a change no longer does."""

from collections.abc import Iterable

from conventions.models import Paper


def last_sent(papers: Iterable[Paper]) -> Paper | None:
    """Return the last one sent, among the papers of a kind of an agreement or of an amendment."""
    sent = [paper for paper in papers if paper.role == Paper.Role.SENT]
    return max(sent, key=lambda paper: paper.at, default=None)


def signed_since(papers: Iterable[Paper]) -> Paper | None:
    """Return the last one received signed since the last sending, among such papers."""
    papers = list(papers)
    sent = last_sent(papers)
    signed = [
        paper
        for paper in papers
        if paper.role == Paper.Role.SIGNED and (sent is None or paper.at >= sent.at)
    ]
    return max(signed, key=lambda paper: paper.at, default=None)

"""What is kept of a paper for ever: what was sent to be signed, what came back, what proves it."""

import re
from datetime import datetime

from django.db import transaction

from conventions.models import Amendment, Convention, Paper, PaperKind, PaperText
from conventions.papers import drawing, kept, lists
from conventions.policies import POLICIES
from conventions.school_lists import enrolled
from entsvc import documents, journal, school_year
from entsvc.french import lower_first
from entsvc.models import StoredDocument
from entsvc.scans import CheckedPdf
from entsvc.uploads import base_name

PDF = "application/pdf"


def freeze(
    kind: str,
    convention: Convention,
    amendment: Amendment | None = None,
    *,
    actor: str,
    year: int | None = None,
    since: datetime | None = None,
) -> Paper:
    """Draw a paper for good, keep its bytes and the version of its text, and return it.

    A later text or fact changes nothing in it. Asked twice with nothing changed, the same paper answers,
    unless it was kept before `since`.
    Raises NoText and PaperRefused (French messages) as `drawing.draw` does, and keeps nothing then.
    """
    drawn = drawing.drawn(kind, convention, amendment, year=year, draft=False)
    return _keep(
        drawn.content,
        convention,
        amendment,
        kind=kind,
        role=Paper.Role.SENT,
        text=drawn.text,
        name=file_name(kind, convention, amendment, drawn.source.year),
        actor=actor,
        since=since,
    )


def freeze_to_sign(convention: Convention, *, actor: str) -> list[Paper]:
    """Freeze all that is sent with an agreement: itself, and its list of schools where it is apart.

    Raises as `freeze` does.
    """
    agreement = freeze(PaperKind.AGREEMENT, convention, actor=actor)
    policy = POLICIES.get(convention.policy)
    schools = len(enrolled(convention, convention.first_year))
    if not lists.has_own_paper(policy, agreement.text.body, schools):
        return [agreement]
    # Kept anew even like a former one: what was sent before the agreement no longer goes with it.
    return [agreement, freeze(PaperKind.ANNEX, convention, actor=actor, since=agreement.at)]


def receive(
    pdf: CheckedPdf,
    name: str,
    convention: Convention,
    amendment: Amendment | None = None,
    *,
    kind: str,
    actor: str,
    role: str = Paper.Role.SIGNED,
) -> Paper:
    """Keep a paper that someone sent, signed or in support, beside what was sent to him; return it.

    It is checked by `scans.checked` before, and before any transaction. Sent twice, it is kept once.
    """
    name = base_name(name)
    return _keep(
        pdf.content,
        convention,
        amendment,
        kind=kind,
        role=role,
        text=None,
        name=name if name.lower().endswith(".pdf") else f"{name}.pdf",
        actor=actor,
    )


def is_outdated(pdf: CheckedPdf, convention: Convention, amendment: Amendment | None, kind: str) -> bool:
    """Tell whether a signed paper was received before the last sending: it signs another list."""
    papers = Paper.objects.filter(convention=convention, amendment=amendment, kind=kind)
    before, _ = kept.received(papers.select_related("document").order_by("at", "pk"))
    return any(paper.document.sha256 == pdf.sha256 for paper in before)


def _keep(
    content: bytes,
    convention: Convention,
    amendment: Amendment | None,
    *,
    kind: str,
    role: str,
    text: PaperText | None,
    name: str,
    actor: str,
    since: datetime | None = None,
) -> Paper:
    document = documents.store(content, content_type=PDF, suffix=".pdf")
    with transaction.atomic():
        # Two clicks at once: the second finds the paper of the first.
        Convention.objects.select_for_update(of=("self",)).get(pk=convention.pk)
        # Only the latest: sent again after another, the same bytes are the latest again.
        papers = Paper.objects.filter(convention=convention, amendment=amendment, kind=kind, role=role)
        latest = papers.order_by("-at", "-pk").first()
        is_recent = latest and (since is None or latest.at >= since)
        if is_recent and (latest.document_id, latest.text_id) == (document.pk, text and text.pk):
            return latest
        paper = Paper.objects.create(
            convention=convention,
            amendment=amendment,
            kind=kind,
            role=role,
            text=text,
            document=document,
            name=name,
            actor=actor,
        )
        _tell(paper, document)
    return paper


def _tell(paper: Paper, document: StoredDocument) -> None:
    what = f"{PaperKind(paper.kind).label} – {lower_first(Paper.Role(paper.role).label)}"
    journal.record(
        actor=paper.actor,
        action=f"document-{paper.role}",
        target=paper.convention,
        summary=f"{paper.convention.reference} : {what}, {paper.name}",
        data={
            "paper": str(paper.pk),
            "sha256": document.sha256,
            "text": paper.text.pk if paper.text else None,
            "text_version": paper.text.version if paper.text else None,
            "amendment": paper.amendment.number if paper.amendment else None,
        },
    )


def file_name(kind: str, convention: Convention, amendment: Amendment | None, year: int | None) -> str:
    """Return « avenant-2-ENT-2024-031-2024-2025.pdf », without what a file system might refuse."""
    parts = [kind, str(amendment.number) if amendment else "", convention.reference]
    parts.append(school_year.label(year) if year is not None else "")
    name = "-".join(part for part in parts if part)
    return re.sub(r"[^\w.-]+", "-", name) + ".pdf"

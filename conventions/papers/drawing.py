"""The PDF of a paper, from the version of its text in use and what is known of its agreement.

The same text, facts and day give the same bytes: nothing here reads the clock when a day is given.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from conventions.models import Amendment, Convention, PaperKind, PaperText
from conventions.papers import blocks, markdown, placeholders, texts, values
from conventions.papers.sources import PaperRefused, Source, of_agreement, of_blank
from conventions.policies import POLICIES, Policy
from entsvc import school_year
from entsvc.pdf import render_pdf
from members.models import Issuer
from tariffs.models import Schedule

__all__ = ["Drawn", "PaperRefused", "draw", "draw_blank", "draw_text", "drawn"]

TEMPLATE = "pdf/papier.html"
STYLESHEETS = ("entsvc/papier.css",)


@dataclass(frozen=True)
class Drawn:
    """A paper as it was drawn, the version of its text, and the placeholders left dotted in it."""

    content: bytes
    text: PaperText
    source: Source
    dotted: tuple[str, ...]


def draw(
    kind: str,
    convention: Convention,
    amendment: Amendment | None = None,
    *,
    year: int | None = None,
    draft: bool = True,
    on: date | None = None,
) -> bytes:
    """Return the PDF of a paper of an agreement, marked PROJET while it is a draft.

    Raises NoText and PaperRefused (French messages): no text, no amendment, a year not covered or, but
    for a draft, an essential fact that is missing.
    """
    return drawn(kind, convention, amendment, year=year, draft=draft, on=on).content


def drawn(
    kind: str,
    convention: Convention,
    amendment: Amendment | None = None,
    *,
    year: int | None = None,
    draft: bool = True,
    on: date | None = None,
) -> Drawn:
    """Draw a paper as `draw` does; return it with the text it comes from and what is left dotted."""
    text = texts.text_for(convention, kind)
    return draw_text(text, of_agreement(kind, convention, amendment, year=year, on=on), draft=draft)


def draw_blank(
    kind: str,
    policy: Policy | str,
    issuer: Issuer,
    *,
    schedule: Schedule | None = None,
    year: int | None = None,
    on: date | None = None,
) -> bytes:
    """Return the blank form of a paper, to be filled by hand: what is not known is a dotted line.

    With a schedule and a school year it prints the tariff adopted for that year. Raises NoText.
    """
    code = policy if isinstance(policy, str) else policy.code
    text = texts.text_for(code, kind, issuer)
    source = of_blank(kind, POLICIES.get(code), issuer, schedule=schedule, year=year, on=on)
    return draw_text(text, source, draft=False).content


def draw_text(text: PaperText, source: Source, *, draft: bool) -> Drawn:
    """Draw a version of a text, saved or not."""
    known = values.values_of(source)
    if not draft and not source.blank:
        values.require_essentials(known, source)
    used = list(dict.fromkeys(placeholders.names(f"{text.title}\n{text.body}")))
    body = markdown.to_html(text.body, known, blocks.draw(placeholders.names(text.body), source))
    context = {
        "document": _document(text, source, known, draft=draft),
        "issuer": _letterhead(source.issuer),
        "body": body,
    }
    dotted = (name for name in used if not placeholders.PLACEHOLDERS[name].block and name not in known)
    return Drawn(render_pdf(TEMPLATE, context, stylesheets=STYLESHEETS), text, source, tuple(dotted))


def _document(text: PaperText, source: Source, known: values.Values, *, draft: bool) -> dict[str, Any]:
    return {
        "kind": PaperKind(source.kind).label,
        "title": markdown.fill(text.title, known),
        "reference": _reference(source),
        "year": school_year.label(source.year) if source.year is not None else "",
        "created": source.on.isoformat(),
        "version": f"texte version {text.version}" if text.version else "",
        "draft": draft,
        "specimen": source.specimen,
        "blank": source.blank,
    }


def _reference(source: Source) -> str:
    if source.convention is None:
        return ""
    if source.amendment is None:
        return source.convention.reference
    return f"{source.convention.reference}, avenant n° {source.amendment.number}"


def _letterhead(issuer: Issuer) -> dict[str, Any]:
    return {
        "ministry": issuer.ministry,
        "name": issuer.name,
        "service": issuer.service,
        "address": [
            *(line.strip() for line in issuer.address.splitlines() if line.strip()),
            f"{issuer.postal_code} {issuer.city}",
        ],
        "siret": issuer.siret,
        "contact": {"name": issuer.contact, "phone": issuer.phone, "email": issuer.email},
    }

"""The PDF of an état liquidatif: what it asks for and who signs it, then each debtor and its bases."""

from collections.abc import Iterator
from typing import Any

from entsvc.pdf import STYLESHEETS, render_pdf
from invoicing.liquidation.reading import ZERO, Etat, Piece, sums_of
from invoicing.liquidation.workbook import told


def draw_etat(etat: Etat) -> bytes:
    """Return the PDF: the same état gives the same bytes."""
    sheets = (*STYLESHEETS, "entsvc/bordereau.css", "entsvc/etat_liquidatif.css")
    return render_pdf("pdf/etat_liquidatif.html", content_of(etat), stylesheets=sheets)


def content_of(etat: Etat) -> dict[str, Any]:
    """Return all that the document says."""
    asked, recalled = etat.asked, etat.recalled
    titres = [piece for piece in asked if piece.is_titre]
    corrections = [piece for piece in asked if not piece.is_titre]
    sums, before, common = sums_of(asked), sums_of(recalled), _common(titres)
    return {
        "etat": etat,
        "issuer": etat.issuer,
        "accountant": etat.accountant,
        "sums": sums,
        "before": before,
        "whole": sums_of(etat.pieces),
        "words": told(sums),
        "imputations": [{"where": where, "sums": found} for where, found in etat.by_imputation()],
        "period": f"année scolaire {etat.campaign.school_year_label}",
        "signatories": [{"who": who, "sums": found} for who, found in etat.signatories],
        "foundations": common,
        "titres": list(_rows(etat, titres, common)),
        "corrections": list(_rows(etat, corrections, common)),
        "recalled": recalled,
    }


def _rows(etat: Etat, pieces: list[Piece], common: list[str]) -> Iterator[dict[str, Any]]:
    """Give each piece with the euros listed so far, and what it says apart from the others."""
    ranks = {where: rank for rank, (where, _) in enumerate(etat.by_imputation(), start=1)}
    carried = ZERO
    for piece in pieces:
        carried += piece.total
        yield {
            "piece": piece,
            "carried": carried,
            "imputation": ranks[piece.imputation],
            "foundations": [text for text in piece.foundations if text not in common],
        }


def _common(pieces: list[Piece]) -> list[str]:
    """Return the foundations that all these pieces name; none when there is only one piece."""
    if len(pieces) < 2:
        return []
    shared = set.intersection(*(set(piece.foundations) for piece in pieces))
    return [text for text in pieces[0].foundations if text in shared]

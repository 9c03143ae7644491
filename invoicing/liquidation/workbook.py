"""An état liquidatif as a workbook: pieces first, which come back with their numbers, then their bases.

Its sums and its checks are formulas. The same état gives the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from entsvc.french import amount_in_words, plural, short_date
from entsvc.workbook import DAY, EUROS, WHOLE, Column, Formula, add_sheet, saved
from invoicing.exports.campaign_checks import Check, add_checks
from invoicing.exports.campaign_sheets import PRICE, Table
from invoicing.exports.campaign_summary import TITLE as SUMMARY
from invoicing.exports.campaign_summary import Section, Summary, add_summary, criterion
from invoicing.liquidation.reading import Etat, Signatory, Sums, sums_of
from invoicing.liquidation.rules import ACCOUNT, PROGRAMME
from invoicing.models import Titre

# « Référence », « Numéro du comptable » and « Date du numéro » are what reading the numbers back asks.
PIECES = {
    "reference": Column("Référence", 18),
    "number": Column("Numéro du comptable", 20),
    "numbered_on": Column("Date du numéro", 12, DAY),
    "kind": Column("Nature", 12),
    "etat": Column("Demandée par l'état n°", 12, "0"),
    "original": Column("Titre corrigé", 18),
    "original_number": Column("N° du titre corrigé", 18),
    "reason": Column("Erreur commise", 40),
    "debtor": Column("Débiteur", 42),
    "siret": Column("SIRET", 17),
    "address": Column("Adresse", 50),
    "service": Column("Code service", 16),
    "engagement": Column("N° d'engagement", 18),
    "party": Column("Pour le compte de", 24),
    "subject": Column("Objet", 42),
    "foundations": Column("Fondement", 60),
    "sources": Column("Sources", 40),
    "exercice": Column("Exercice", 9, "0"),
    "programme": Column("Programme ou fonds de concours", 16),
    "account": Column("Compte", 12),
    "cost_centre": Column("Centre de coûts", 16),
    "imputation": Column("Imputation", 52),
    "bordereau": Column("Bordereau", 30),
    "issued_on": Column("Émise le", 12, DAY),
    "signatory": Column("Ordonnateur", 44),
    "total": Column("Montant", 16, EUROS),
    "called": Column("Titres de cet état", 16, EUROS),
    "corrected": Column("Corrections de cet état", 16, EUROS),
    "called_before": Column("Titres des états précédents", 16, EUROS),
    "corrected_before": Column("Corrections des états précédents", 16, EUROS),
    "gap": Column("Écart avec les bases", 12, EUROS),
}
BASES = {
    "reference": Column("Référence", 18),
    "kind": Column("Nature", 12),
    "debtor": Column("Débiteur", 42),
    "siret": Column("SIRET", 17),
    "agreement": Column("Convention", 22),
    "uai": Column("UAI", 11),
    "school": Column("École", 40),
    "commune": Column("Commune", 22),
    "charge": Column("Ligne tarifaire", 32),
    "period": Column("Période", 24),
    "quantity": Column("Quantité", 10, WHOLE),
    "unit": Column("Unité", 14),
    "price": Column("Prix unitaire", 14, PRICE),
    "amount": Column("Montant", 14, EUROS, summed=True),
    "explanation": Column("Calcul", 60),
}
OF_PIECES = {
    "called": "Titres de cet état",
    "corrected": "Corrections de cet état",
    "called_before": "Titres, états précédents",
    "corrected_before": "Corrections, états précédents",
}
PIECES_TITLE, BASES_TITLE = "Pièces", "Bases de liquidation"


def write_workbook(etat: Etat) -> bytes:
    """Return the workbook of an état; its first sheet is the one that the import of numbers reads."""
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"État liquidatif n° {etat.rank} – {etat.campaign}"
    bases = _add(workbook, BASES_TITLE, BASES, _bases(etat))
    pieces = _add(workbook, PIECES_TITLE, PIECES, _pieces(etat, bases))
    rows = sorted({str(piece.imputation) for piece in etat.pieces})
    section = Section(
        "Par imputation", "Pièces", pieces, "imputation", [(words, words) for words in rows], OF_PIECES
    )
    summary = Summary(f"État liquidatif n° {etat.rank} – {etat.campaign}", _facts(etat), "", [section])
    summary.verdict = add_checks(workbook, _checks(etat, pieces, bases, section))
    add_summary(workbook, summary)
    workbook.move_sheet(PIECES_TITLE, -workbook.sheetnames.index(PIECES_TITLE))
    workbook.active = workbook.sheetnames.index(SUMMARY)
    return saved(workbook, etat.on)


def _add(workbook: Workbook, title: str, columns: Mapping[str, Column], rows: Iterator) -> Table:
    return Table(title, columns, add_sheet(workbook, title, list(columns.values()), rows))


def _pieces(etat: Etat, bases: Table) -> Iterator[list[Any]]:
    total = get_column_letter(list(PIECES).index("total") + 1)
    proved = f"SUMIFS({bases.range('amount')},{bases.range('reference')},A{{row}})"
    gap = Formula(f"=ROUND({total}{{row}}-{proved},2)")
    for piece in etat.pieces:
        where = piece.imputation
        sums = [None, None, None, None]
        sums[2 * (piece.asked_by != etat.rank) + (not piece.is_titre)] = piece.total
        yield [
            piece.reference,
            piece.number,
            None,
            piece.kind_label,
            piece.asked_by,
            piece.original,
            piece.original_number,
            piece.reason,
            piece.debtor,
            piece.siret,
            ", ".join(piece.address),
            piece.service_code,
            piece.engagement,
            piece.party,
            piece.subject,
            " ; ".join(piece.foundations),
            " ; ".join(piece.sources),
            where.exercice,
            where.line(PROGRAMME),
            where.line(ACCOUNT),
            where.cost_centre,
            str(where),
            piece.bordereau_label,
            piece.issued_on,
            words_of(piece.signatory),
            piece.total,
            *sums,
            gap,
        ]


def _bases(etat: Etat) -> Iterator[list[Any]]:
    period = f"année scolaire {etat.campaign.school_year_label}"
    for piece in etat.pieces:
        for line in piece.bases:
            yield [
                piece.reference,
                piece.kind_label,
                piece.debtor,
                piece.siret,
                line.agreement,
                line.uai,
                line.school,
                line.commune,
                line.charge_label,
                period,
                line.quantity,
                line.unit,
                line.unit_price,
                line.amount,
                line.explanation,
            ]


def _facts(etat: Etat) -> list[tuple[str, str]]:
    issuer, sums = etat.issuer, sums_of(etat.asked)
    facts = [
        ("Service ordonnateur", " – ".join(filter(None, (issuer["ministry"], issuer["name"])))),
        ("", issuer["service"]),
        ("SIRET", issuer["siret"]),
        ("Comptable assignataire", etat.accountant["name"]),
        ("Campagne", f"{etat.campaign.schedule.name}, année scolaire {etat.campaign.school_year_label}"),
        ("Établi le", short_date(etat.on)),
        ("Arrêté à", told(sums)),
        *(("Ordonnateur, date et signature", words_of(who)) for who, _ in etat.signatories),
    ]
    if etat.specimen:
        facts.insert(0, ("SPÉCIMEN", "Signataire ou comptable fictif : à ne pas remettre."))
    return facts


def told(sums: Sums) -> str:
    """Say the sums of an état in words."""
    parts = []
    if sums.titres or not sums.corrections:
        parts.append(f"{amount_in_words(sums.called)} pour {plural(sums.titres, 'titre')}")
    if sums.corrections:
        count = plural(sums.corrections, "annulation ou réduction", "annulations ou réductions")
        parts.append(f"{amount_in_words(sums.corrected)} à retirer par {count}")
    return " ; ".join(parts)


def words_of(who: Signatory) -> str:
    """Return who ordered a piece, in a line."""
    return ", ".join(filter(None, (f"{who.first_name} {who.last_name}", who.quality, who.delegation)))


def _checks(etat: Etat, pieces: Table, bases: Table, section: Section) -> Iterator[Check]:
    """Give every check: amounts and bases, the sums that are signed, imputations, bordereaux."""
    for words, kinds in (
        ("Titres", [Titre.Kind.TITRE]),
        ("Annulations et réductions", [Titre.Kind.ANNULATION, Titre.Kind.REDUCTION]),
    ):
        yield Check(
            f"{words} : montants = bases de liquidation",
            _sum(pieces, "total", "kind", kinds),
            _sum(bases, "amount", "kind", kinds),
        )
    proved = f"COUNTIF({pieces.range('gap')},0)"
    yield Check("Pièces dont le montant est celui des bases", proved, str(len(etat.pieces)))
    parts = "+".join(f"SUM({pieces.range(key)})" for key in OF_PIECES)
    yield Check("Montants = cet état + états précédents", f"SUM({pieces.range('total')})", parts)
    sums = sums_of(etat.asked)
    yield Check("Titres de cet état = somme arrêtée", f"SUM({pieces.range('called')})", str(sums.called))
    yield Check(
        "Corrections de cet état = somme arrêtée",
        f"SUM({pieces.range('corrected')})",
        str(sums.corrected),
    )
    yield Check(
        "Synthèse par imputation = titres de cet état",
        f"SUM({section.total})",
        f"SUM({pieces.range('called')})",
    )
    for bordereau in etat.bordereaux:
        listed = [piece.total for piece in etat.pieces if piece.bordereau == bordereau.pk]
        if len(listed) == bordereau.count:
            of = f"{pieces.range('bordereau')},{criterion(str(bordereau))}"
            total = f"SUMIFS({pieces.range('total')},{of})"
            yield Check(f"{bordereau}, nombre de pièces", f"COUNTIFS({of})", str(bordereau.count))
            yield Check(f"{bordereau}, total", total, str(bordereau.total))


def _sum(table: Table, amount: str, key: str, kinds: Sequence[Titre.Kind]) -> str:
    cells = f"{table.range(amount)},{table.range(key)}"
    return "+".join(f"SUMIFS({cells},{criterion(str(kind.label))})" for kind in kinds)

"""A campaign as the finance office files it: summary, titres, detail by school, movements, checks."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.db.models import F, Min
from django.utils import timezone
from openpyxl import Workbook

from entsvc.french import short_date
from invoicing.campaign_accounts import Account, bordereaux_of
from invoicing.exports.campaign_checks import Tables, add_checks, checks_of, with_others
from invoicing.exports.campaign_sheets import (
    COMMON_LABELS,
    Table,
    add_detail,
    add_movements,
    add_titres,
)
from invoicing.exports.campaign_summary import OF_LINES, OF_TITRES, Section, Summary, add_summary
from invoicing.models import Campaign, Run, Titre, TitreLine
from invoicing.statuses import Status
from members.models import Member

Accounts = Mapping[UUID, Account]


def write_campaign(campaign: Campaign, accounts: Accounts, target: Path | BinaryIO) -> None:
    """Write the workbook, row by row; every sum and every check of it is a formula.

    `accounts` are those of `campaign_accounts.read`. One titre or one line at a time is in memory.
    """
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"Appel – {campaign}"
    charges = _charges(campaign)
    named: dict[UUID, tuple[str, str]] = {}
    tables = Tables(
        titres=add_titres(workbook, campaign, accounts, charges, named),
        detail=add_detail(workbook, campaign, accounts),
        movements=add_movements(workbook, campaign, accounts, named),
    )
    summary = Summary(
        heading=f"Appel – {campaign}",
        facts=_facts(campaign, accounts),
        verdict="",
        sections=_sections(tables, charges, accounts, _imputations(campaign)),
    )
    listed = bordereaux_of(campaign).filter(pk__in={a.bordereau for a in accounts.values()})
    checks = checks_of(tables, charges, summary.sections, with_others(listed, campaign))
    summary.verdict = add_checks(workbook, checks)
    add_summary(workbook, summary)
    workbook.save(target)


def _sections(
    tables: Tables, charges: Mapping[str, str], accounts: Accounts, imputations: list[str]
) -> list[Section]:
    titres = [account for account in accounts.values() if account.is_titre]
    statuses = {account.status for account in titres}
    kinds = {account.member_kind for account in titres}
    labels = sorted(str(Member.Kind(kind).label) for kind in kinds)
    return [
        Section(
            "Par ligne tarifaire", "Lignes", tables.detail, "code",
            [(label, code) for code, label in charges.items()], OF_LINES,
        ),
        _of_titres("Par type de membre", tables.titres, "kind", labels),
        _of_titres("Par état", tables.titres, "status", [s.label for s in Status if s in statuses]),
        _of_titres("Par imputation", tables.titres, "imputation", imputations),
    ]  # fmt: skip


def _of_titres(title: str, table: Table, key: str, values: list[str]) -> Section:
    return Section(title, "Titres (nombre)", table, key, [(v, v) for v in values], OF_TITRES)


def _charges(campaign: Campaign) -> dict[str, str]:
    """Return {code: label} of what the lines of the titres bill, in the order in which they do."""
    lines = TitreLine.objects.filter(titre__campaign=campaign, titre__original__isnull=True)
    found = lines.values("charge").annotate(label=Min("charge_label"), place=Min("position"))
    rows = found.order_by("place", "charge").values_list("charge", "label")
    return {code: COMMON_LABELS.get(code, label) for code, label in rows}


def _imputations(campaign: Campaign) -> list[str]:
    """Return the imputations of the titres, in the words of `Piece.imputed`."""
    titres = Titre.objects.filter(campaign=campaign, original__isnull=True)
    rows = titres.annotate(budget_lines=F("payload__imputation")).order_by("pk")
    words = {
        " · ".join(f"{item['label']} {item['value']}" for item in items)
        for items in rows.values_list("budget_lines", flat=True).iterator()
    }
    return sorted(words)


def _facts(campaign: Campaign, accounts: Accounts) -> list[tuple[str, str]]:
    schedule = campaign.schedule
    runs = Run.objects.filter(bordereaux__in={a.bordereau for a in accounts.values()}).distinct()
    rows = runs.annotate(version=F("basis__facts__version"), act=F("basis__facts__act"))
    based = list(rows.order_by("number").values_list("number", "version", "act"))
    return [
        ("Émetteur", f"{schedule.issuer.name} (SIRET {schedule.issuer.siret})"),
        ("Barème", f"{schedule.code} – {schedule.name}"),
        ("Année scolaire", campaign.school_year_label),
        *([("Motif", campaign.reason)] if campaign.reason else []),
        ("Tarif", _together(version for _, version, _ in based)),
        ("Acte", _together(act for _, _, act in based)),
        ("Calculs émis", _together(f"n° {number}" for number, _, _ in based)),
        ("État au", short_date(timezone.localdate())),
    ]


def _together(texts: Iterable[str]) -> str:
    return " ; ".join(dict.fromkeys(text for text in texts if text)) or "–"

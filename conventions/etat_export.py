"""An état contradictoire as a workbook: its members, what they were shown, what they objected to."""

import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from openpyxl import Workbook

from conventions import etat_facts, etat_reading, objections
from conventions.models import EtatContradictoire, MemberEtat, Objection
from entsvc.workbook import DAY, WHOLE, Column, add_sheet

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEMBERS = (
    Column("SIRET", 17), Column("Membre", 45), Column("Écoles comptées", 10, WHOLE, summed=True),
    Column("Élèves", 10, WHOLE, summed=True), Column("Prévenu le", 12, DAY),
    Column("Prévenu à", 40), Column("Réponse", 22), Column("D'accord le", 12, DAY),
    Column("Par", 32), Column("Contestations", 13, WHOLE, summed=True),
    Column("À traiter", 10, WHOLE, summed=True), Column("Corrigé depuis", 80),
)  # fmt: skip
SCHOOLS = (
    Column("SIRET", 17), Column("Membre", 45), Column("Convention", 22), Column("UAI", 11),
    Column("École", 40), Column("Commune", 26), Column("Élèves montrés", 10, WHOLE, summed=True),
    Column("Élèves actifs montrés", 10, WHOLE, summed=True), Column("Source", 26),
    Column("Enregistré le", 12, DAY), Column("Non comptée", 40), Column("Corrigé depuis", 40),
)  # fmt: skip
OBJECTIONS = (
    Column("SIRET", 17), Column("Membre", 45), Column("Objet", 22), Column("UAI", 11),
    Column("École", 40), Column("Nombre demandé", 10, WHOLE), Column("Contestation", 80),
    Column("Déposée le", 12, DAY), Column("Par", 32), Column("État", 22), Column("Retenu", 30),
    Column("Mots de la réponse", 80), Column("Répondue le", 12, DAY), Column("Répondue par", 20),
)  # fmt: skip


def write_etat(etat: EtatContradictoire) -> bytes:
    """Return the workbook of an état, beside what the data says today."""
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"État contradictoire – {etat}"
    rows = objections.with_standing(etat.members.select_related("debtor"))
    rows = list(rows.order_by("debtor__name", "pk"))
    now = etat_reading.current(etat, rows)
    add_sheet(workbook, "Membres", MEMBERS, (_member(row, now.get(row.debtor_id)) for row in rows))
    add_sheet(workbook, "Écoles", SCHOOLS, _schools(rows, now))
    filed = (_objection(row, now.get(row.shown.debtor_id)) for row in objections.of_etat(etat))
    add_sheet(workbook, "Contestations", OBJECTIONS, filed)
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def answer_of(row: Any) -> str:
    """Return, in words, what a member answered (see `objections.with_standing`)."""
    if row.filed:
        return "Conteste"
    return "D'accord" if row.agreed_at else "Sans réponse"


def state_of(objection: Objection, facts: etat_facts.Facts | None) -> str:
    """Return, in words, where an objection stands."""
    if objection.withdrawn_at:
        return "Retirée"
    if objection.is_open:
        return "À traiter"
    if objection.answer == Objection.Answer.REJECTED:
        return "Rejetée"
    return "Acceptée" if objections.is_mended(objection, facts) else "Acceptée, à corriger"


def _member(row: Any, facts: etat_facts.Facts | None) -> list[Any]:
    schools, pupils = etat_facts.totals(row.facts)
    return [
        row.debtor.siret or "", row.debtor.name, schools, pupils, _day(row.told_at),
        ", ".join(row.told_to), answer_of(row), _day(row.agreed_at), row.agreed_by, row.filed,
        row.waiting, " ; ".join(etat_facts.changes(row.facts, facts)),
    ]  # fmt: skip


def _schools(rows: list[MemberEtat], now: etat_reading.Current) -> Iterator[list[Any]]:
    for row in rows:
        for line in etat_facts.lines(row.facts, now.get(row.debtor_id)):
            school = line.school
            shown = not line.is_new
            yield [
                row.debtor.siret or "", row.debtor.name, line.agreement, school["uai"],
                school["name"], school["commune"], school["pupils"] if shown else None,
                school.get("active") if shown else None, school["source"] if shown else "",
                date.fromisoformat(school["counted_on"]) if shown and school["counted_on"] else None,
                school["excluded"], line.change,
            ]  # fmt: skip


def _objection(row: Objection, facts: etat_facts.Facts | None) -> list[Any]:
    debtor, accepted = row.shown.debtor, row.answer == Objection.Answer.ACCEPTED
    return [
        debtor.siret or "", debtor.name, row.get_kind_display(),
        row.school.uai if row.school else "", row.school.name if row.school else "", row.claimed,
        row.words, _day(row.filed_at), row.filed_by, state_of(row, facts),
        objections.granted_words(row) if accepted else "", row.answer_words,
        _day(row.answered_at), row.answered_by,
    ]  # fmt: skip


def _day(at: datetime | None) -> date | None:
    return timezone.localdate(at) if at else None

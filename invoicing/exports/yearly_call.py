"""The yearly call as a workbook: summary by member, detail by school, anomalies, bases."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from entsvc.workbook import DAY, EUROS, TEXT, WHOLE, Column, Formula, add_sheet
from invoicing.mentions import missing_for_debtor
from invoicing.models import Acceptance, Call, CallLine, Run, Titre
from tariffs.engine import ADJUSTMENT, DEDUCTION

FIXED = 4


def write_yearly_call(run: Run, target: Path | BinaryIO) -> None:
    """Write the workbook of a run: its totals are formulas, its figures those of the run."""
    workbook = Workbook(write_only=True)
    workbook.properties.title = f"Appel annuel – {run}"
    lines = list(
        CallLine.objects.filter(call__run=run).select_related("call").order_by("call__siret", "position")
    )
    add_sheet(workbook, "Synthèse", *_summary(run, lines))
    add_sheet(workbook, "Détail", _DETAIL, (_detail(line) for line in lines))
    add_sheet(workbook, "Anomalies", _ANOMALIES, _anomalies(run))
    add_sheet(workbook, "Effectifs", _COUNTS, _counts(run))
    add_sheet(workbook, "Bases", _FACTS, _facts(run))
    workbook.save(target)


def _summary(run: Run, lines: list[CallLine]) -> tuple[list[Column], Iterator[list[Any]]]:
    """Return one row per member: schools, pupils, an amount per charge, their sum by formula."""
    labels = {line.charge: line.charge_label for line in lines}
    if DEDUCTION in labels:  # each has its own label, in the detail
        labels[DEDUCTION] = "Déductions décidées"
    if ADJUSTMENT in labels:
        labels[ADJUSTMENT] = "Ajustements manuels"
    charges = list(labels)
    amounts: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for line in lines:
        amounts[line.call_id][line.charge] += line.amount
    columns = [
        Column("SIRET", 17),
        Column("Membre", 50),
        Column("Écoles", 9, WHOLE, summed=True),
        Column("Élèves", 9, WHOLE, summed=True),
        *(Column(label, 18, EUROS, summed=True) for label in labels.values()),
        Column("Total", 16, EUROS, summed=True),
        Column("État", 14),
        Column("Titre", 18),
        Column("Émis le", 12, DAY),
    ]
    return columns, _summary_rows(run, charges, amounts)


def _summary_rows(
    run: Run, charges: list[str], amounts: dict[int, dict[str, Decimal]]
) -> Iterator[list[Any]]:
    first, last = get_column_letter(FIXED + 1), get_column_letter(FIXED + len(charges))
    total = Formula(f"=SUM({first}{{row}}:{last}{{row}})") if charges else Decimal("0.00")
    blocked = set(
        run.anomalies.filter(blocking=True, call__isnull=False)
        .order_by("call")
        .values_list("call", flat=True)
    )
    titres = {titre.debtor_id: titre for titre in _titres(run)}
    schools = {member["siret"]: _schools(member) for member in run.basis["members"]}
    for call in run.calls.select_related("debtor").order_by("siret"):
        titre = titres.get(call.debtor_id)
        counts = [school["pupils"] for school in schools.get(call.siret, ())]
        known = [count for count in counts if count is not None]
        yield [
            call.siret,
            call.name,
            len(counts),
            sum(known) if known else None,
            *(amounts[call.pk].get(charge) for charge in charges),
            total,
            _state(call, titre, blocked),
            titre.reference if titre else None,
            titre.issued_on if titre else None,
        ]


def _titres(run: Run) -> Any:
    return Titre.objects.filter(campaign=run.campaign, original__isnull=True).defer("payload")


def _state(call: Call, titre: Titre | None, blocked: set[int]) -> str:
    if titre:
        return "Émis" if titre.call_id == call.pk else "Émis (autre calcul)"
    if call.pk in blocked:
        return "Bloqué"
    if not call.total:
        return "Montant nul"
    return "À compléter" if missing_for_debtor(call.debtor) else "À émettre"


def _schools(member: dict) -> list[dict]:
    """Return the schools that are billed: not those that staff left out."""
    return [s for agreement in member["agreements"] for s in agreement["schools"] if not s["excluded"]]


_DETAIL = [
    Column("SIRET", 17),
    Column("Membre", 32),
    Column("Convention", 22),
    Column("UAI", 11),
    Column("École", 40),
    Column("Commune", 22),
    Column("Ligne tarifaire", 32),
    Column("Quantité", 10, WHOLE),
    Column("Unité", 14),
    Column("Prix unitaire", 14, '#,##0.00## "€"'),
    Column("Montant", 14, EUROS, summed=True),
    Column("Explication", 60),
]


def _detail(line: CallLine) -> list[Any]:
    return [
        line.call.siret,
        line.call.name,
        line.agreement,
        line.uai,
        line.school,
        line.commune,
        line.charge_label,
        line.quantity,
        line.unit,
        line.unit_price,
        line.amount,
        line.explanation,
    ]


_ANOMALIES = [
    Column("SIRET", 17),
    Column("Membre", 32),
    Column("UAI", 11),
    Column("Code", 20),
    Column("Bloquante", 11),
    Column("Message", 90),
    Column("Acceptée, motif", 30),
]


def _anomalies(run: Run) -> Iterator[list[Any]]:
    for anomaly in run.anomalies.select_related("call").order_by("call__siret", "pk"):
        yield [
            anomaly.call.siret if anomaly.call else None,
            anomaly.call.name if anomaly.call else "Toute la campagne",
            anomaly.uai,
            anomaly.code,
            "oui" if anomaly.blocking else "non",
            anomaly.message,
            anomaly.accepted,
        ]


_COUNTS = [
    Column("SIRET", 17),
    Column("Membre", 32),
    Column("Convention", 22),
    Column("UAI", 11),
    Column("École", 40),
    Column("Commune", 22),
    Column("Élèves", 10, WHOLE, summed=True),
    Column("Source", 12),
    Column("Élèves actifs", 10, WHOLE, summed=True),
    Column("Source des actifs", 12),
    Column("Écartée, motif", 30),
]


def _counts(run: Run) -> Iterator[list[Any]]:
    for member in run.basis["members"]:
        for agreement in member["agreements"]:
            for school in agreement["schools"]:
                yield [
                    member["siret"],
                    member["name"],
                    agreement["reference"],
                    school["uai"],
                    school["name"],
                    school["commune"],
                    school["pupils"],
                    school["pupils_source"],
                    school["active_pupils"],
                    school["active_source"],
                    school["excluded"],
                ]


_FACTS = [Column("Base", 30), Column("Valeur", 90, TEXT), Column("Montant", 14, '#,##0.00## "€"')]


def _facts(run: Run) -> Iterator[list[Any]]:
    facts = run.basis["facts"]
    words = (
        ["Barème", f"{facts['schedule']} – {facts['schedule_name']}"],
        ["Année scolaire", run.campaign.school_year_label],
        ["Version du tarif", facts["version"]],
        ["Acte d'adoption", facts["act"]],
        ["Calcul", f"n° {run.number} du {run.computed_at:%d/%m/%Y à %H:%M} UTC"],
        ["Calculé par", run.computed_by],
        ["Empreinte des bases", run.basis_sha256],
    )
    yield from ([*row, None] for row in words)
    for charge in run.basis["charges"]:
        yield from _charge_facts(charge)
    for acceptance in run.basis["acceptances"]:
        yield [_accepted(acceptance["code"]), acceptance["reason"], None]
    for member in run.basis["members"]:
        for agreement in member["agreements"]:
            yield [
                f"Convention {agreement['reference']}",
                f"{member['name']} : {agreement['title']}",
                None,
            ]
        for deduction in member["deductions"]:
            words = f"{member['name']} : {deduction['label']}, {deduction['reference']}"
            yield ["Déduction", words, -Decimal(deduction["amount"])]
        for adjustment in member.get("adjustments", ()):
            words = f"{member['name']} : {adjustment['label']}, {adjustment['reason']}"
            yield ["Ajustement", words, Decimal(adjustment["amount"])]


def _accepted(code: str) -> str:
    if code == Acceptance.Code.COUNT_NOT_BILLABLE:
        return "Approximation acceptée"
    return f"{Acceptance.Code(code).label}, accepté"


def _charge_facts(charge: dict) -> Iterator[list[Any]]:
    """Return a row per price of a charge: its own, or one per band."""
    name = f"Ligne {charge['code']}"
    price = charge["unit_price"] or charge["pool"]
    words = f"{charge['label']} – {charge['pool_reference']}".removesuffix(" – ")
    yield [name, words, Decimal(price) if price else None]
    for band in charge["bands"]:
        words = f"{charge['label']}, de {band['lower']} à {band['upper']}"
        yield [name, words, Decimal(band["price"])]

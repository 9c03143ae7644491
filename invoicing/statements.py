"""The life of a statement of expenses: prepared, visaed, closed; it then feeds its charge's pool.

What was visaed is what is closed: the database freezes its expenses, own shares and subsidies from the
visa until it is withdrawn.

Charter of 24 June 2014 (Somme): what members share is what was paid to the suppliers, net of the part
charged to the syndicate's own budget and of subsidies. The statement is an annex of the titre.
"""

from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from entsvc import documents
from entsvc.french import euros, short_date
from entsvc.journal import record
from entsvc.pdf import render_pdf
from invoicing.costs import NetCost, Share, StatementWrong, net_cost
from invoicing.models import Category, CostStatement, YearPool
from tariffs.models import Charge, Schedule

PDF = "application/pdf"


class StatementRefused(Exception):
    """The step is refused; `messages` says why, in French, one sentence each."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)


def cost_of(statement: CostStatement) -> NetCost:
    """Return what a statement leaves to share: the expenses of its own degree only.

    A subsidy counts for what was received, else notified. Raises StatementWrong.
    """
    expenses = statement.expenses.filter(degree=statement.degree).order_by("pk")
    shares = statement.own_shares.order_by("pk")
    subsidies = statement.subsidies.order_by("pk")
    return net_cost(
        expenses.values_list("category", "amount"),
        [Share(share.category, share.amount, share.rate) for share in shares],
        [subsidy.counted for subsidy in subsidies],
        dict(Category.choices),
    )


def findings(statement: CostStatement) -> list[str]:
    """Return what stands in the way of the visa, in French: nothing when the statement is sound."""
    found = []
    expenses = statement.expenses.all()
    if not expenses.filter(degree=statement.degree).exists():
        found.append("Aucune dépense de ce degré n'est saisie.")
    outside = expenses.exclude(paid_on__range=(statement.starts_on, statement.ends_on))
    found += [
        f"{expense} : payée le {short_date(expense.paid_on)}, hors de la période de l'état."
        for expense in outside.order_by("pk")
    ]
    manual = YearPool.objects.filter(
        schedule=statement.schedule, school_year=statement.school_year, charge=statement.charge
    )
    if manual.exists():
        found.append("Une enveloppe est déjà saisie à la main pour cette ligne : supprimez-la d'abord.")
    try:
        cost_of(statement)
    except StatementWrong as error:
        found.append(str(error))
    return found


@transaction.atomic
def give_visa(*, statement: CostStatement, actor: str) -> CostStatement:
    """Visa a statement: its figures are checked. Raises StatementRefused."""
    statement = _locked(statement)
    if statement.state != CostStatement.State.PREPARED:
        raise StatementRefused("Cet état est déjà visé.")
    wrong = findings(statement)
    if wrong:
        raise StatementRefused(*wrong)
    statement.visa_by, statement.visa_at = actor, timezone.now()
    statement.save()
    _journal(statement, actor, "statement-visa", f"visé, {euros(cost_of(statement).pool)} à répartir")
    return statement


@transaction.atomic
def withdraw_visa(*, statement: CostStatement, reason: str, actor: str) -> CostStatement:
    """Open a visaed statement again, before it is closed. Raises StatementRefused."""
    statement = _locked(statement)
    if statement.state != CostStatement.State.VISAED:
        raise StatementRefused("Seul un état visé et pas encore clos se rouvre.")
    if not reason.strip():
        raise StatementRefused("Donnez le motif de la réouverture.")
    statement.visa_by, statement.visa_at = "", None
    statement.save()
    _journal(statement, actor, "statement-reopened", f"rouvert : {reason.strip()}")
    return statement


def close(*, statement: CostStatement, actor: str) -> CostStatement:
    """Close a visaed statement: its net amount and its document no longer change.

    Whoever gave the visa may close it, unless the issuer separates duties. Raises StatementRefused.
    """
    with transaction.atomic():
        statement = _locked(statement)
        if statement.state == CostStatement.State.CLOSED:
            raise StatementRefused("Cet état est déjà clos.")
        if statement.state != CostStatement.State.VISAED:
            raise StatementRefused("Faites viser l'état avant de le clore.")
        if statement.schedule.issuer.separate_duties and statement.visa_by == actor:
            raise StatementRefused("Vous avez visé cet état : une autre personne doit le clore.")
        wrong = findings(statement)
        if wrong:
            raise StatementRefused(*wrong)
        statement.closed_by, statement.closed_at = actor, timezone.now()
        statement.pool = cost_of(statement).pool
        content = draw(statement)
        statement.document = documents.store(content, content_type=PDF, suffix=".pdf")
        statement.save()
        _journal(statement, actor, "statement-closed", f"clos, {euros(statement.pool)} à répartir")
    return statement


def draw(statement: CostStatement) -> bytes:
    """Return the PDF of a statement as it stands, marked PROJET until it is closed."""
    return render_pdf("pdf/etat_depenses.html", {"statement": facts(statement)})


def facts(statement: CostStatement) -> dict[str, Any]:
    """Return what the document of a statement says, as JSON types: amounts are strings.

    Raises StatementWrong.
    """
    cost = cost_of(statement)
    expenses = statement.expenses.filter(degree=statement.degree).order_by("paid_on", "pk")
    labels = dict(Category.choices)
    order = list(labels)
    expenses = sorted(expenses, key=lambda expense: order.index(expense.category))
    shares = {share.category: share for share in statement.own_shares.order_by("pk")}
    return {
        "issuer": {"name": statement.schedule.issuer.name},
        "schedule": statement.schedule.name,
        "charge": statement.charge,
        "school_year": statement.school_year_label,
        "degree": statement.get_degree_display(),
        "starts_on": statement.starts_on.isoformat(),
        "ends_on": statement.ends_on.isoformat(),
        "draft": statement.closed_at is None,
        "dated": timezone.localdate(statement.closed_at or timezone.now()).isoformat(),
        "visa": _signed(statement.visa_by, statement.visa_at),
        "closing": _signed(statement.closed_by, statement.closed_at),
        "expenses": [
            {
                "category": labels[expense.category],
                "supplier": expense.supplier,
                "label": expense.label,
                "mandat": expense.mandat,
                "paid_on": expense.paid_on.isoformat(),
                "starts_on": expense.starts_on.isoformat() if expense.starts_on else "",
                "ends_on": expense.ends_on.isoformat() if expense.ends_on else "",
                "amount": str(expense.amount),
            }
            for expense in expenses
        ],
        "categories": [
            {
                "label": labels[row.category],
                "paid": str(row.paid),
                "own": str(row.own),
                "net": str(row.net),
                "reason": _reason(shares.get(row.category)),
            }
            for row in cost.categories
            if row.paid
        ],
        "subsidies": [
            {"label": str(subsidy), "amount": str(subsidy.counted), "stage": subsidy.stage.label}
            for subsidy in statement.subsidies.order_by("pk")
            if subsidy.counted
        ],
        "paid": str(cost.paid),
        "own": str(cost.own),
        "net": str(cost.paid - cost.own),
        "subsidised": str(cost.subsidies),
        "pool": str(cost.pool),
    }


def charge_label(schedule: str, year: str, charge: str) -> Subquery:
    """Return the words of a charge, from the columns that hold its schedule, its year and its code.

    None where no version is adopted for the year, or the one that is does not know the charge.
    """
    charges = Charge.objects.filter(
        version__adoption__schedule=OuterRef(schedule),
        version__adoption__school_year=OuterRef(year),
        code=OuterRef(charge),
    )
    return Subquery(charges.order_by("pk").values("label")[:1])


def pools_of(schedule: Schedule, year: int) -> dict[str, tuple[Any, str]]:
    """Return {charge: (euros to share out, what proves them)} of the closed statements of a year."""
    closed = CostStatement.objects.filter(
        schedule=schedule, school_year=year, closed_at__isnull=False
    ).select_related("document")
    return {
        row.charge: (
            row.pool,
            f"état des dépenses clos le {short_date(timezone.localdate(row.closed_at))}, "
            f"empreinte {row.document.sha256[:16]}",
        )
        for row in closed.order_by("charge")
    }


def annexes_of(schedule: Schedule, year: int) -> dict[str, dict[str, Any]]:
    """Return {charge: what its document says} of the closed statements of a year."""
    closed = CostStatement.objects.filter(
        schedule=schedule, school_year=year, closed_at__isnull=False
    ).select_related("schedule__issuer")
    return {row.charge: facts(row) for row in closed.order_by("charge")}


def _locked(statement: CostStatement) -> CostStatement:
    rows = CostStatement.objects.select_for_update(of=("self",)).select_related("schedule__issuer")
    return rows.get(pk=statement.pk)


def _signed(name: str, at: Any) -> str:
    return f"{name}, le {short_date(timezone.localdate(at))}" if at else ""


def _reason(share: Any) -> str:
    if share is None:
        return ""
    rate = f"{str(share.rate.normalize()).replace('.', ',')} % – " if share.rate is not None else ""
    return f"{rate}{share.reason}"


def _journal(statement: CostStatement, actor: str, action: str, told: str) -> None:
    record(
        actor=actor,
        action=action,
        target=statement,
        summary=f"État des dépenses {statement} : {told}",
    )

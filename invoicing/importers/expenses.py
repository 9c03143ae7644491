"""What importing the expenses of a year does: each joins the statement that is being prepared.

The statement is named beside the file: its rows are those of one year, one schedule and one charge.
"""

from dataclasses import dataclass

from django.utils import timezone

from entsvc import school_year
from entsvc.cells import RowError, checked, is_rounded, parse_date, read_euros, required
from entsvc.changes import Plan, fill, write
from entsvc.importing import Flag, Importer, Job, Layout, Option, Options, register
from entsvc.tabular import Row, UnreadableFile, normalise
from invoicing.models import Category, CostStatement, Expense
from invoicing.models.costs import Degree
from invoicing.statements import charge_label

COLUMNS = ("categorie", "degre", "fournisseur", "objet", "mandat", "paye_le", "montant")
IDENTITY = ("mandat", "category", "label", "amount")
FIELDS = ("degree", "supplier", "paid_on", "starts_on", "ends_on")
LONGEST_MANDAT = Expense._meta.get_field("mandat").max_length
_CATEGORIES = {normalise(word): code for code, label in Category.choices for word in (code, label)}
_DEGREES = {
    **{normalise(word): code for code, label in Degree.choices for word in (code, label)},
    "1": Degree.FIRST, "1er_degre": Degree.FIRST, "2": Degree.SECOND, "2nd_degre": Degree.SECOND,
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """How a statement is named beside its file: its schedule, its charge and its year."""

    schedule: str
    charge: str
    school_year: int

    def __str__(self) -> str:
        return f"{self.schedule}/{self.charge}/{school_year.label(self.school_year)}"


@dataclass(frozen=True)
class Record:
    """A checked row: its line, and the expense it tells, not yet of any statement."""

    line: int
    expense: Expense

    @property
    def key(self) -> tuple[str, ...]:
        """Return what makes it the same expense, within its statement."""
        return identity(self.expense)


def identity(expense: Expense) -> tuple[str, ...]:
    """Return the mandat, category, label and euros of an expense: no two of a statement share them."""
    return tuple(str(getattr(expense, name)) for name in IDENTITY)


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a row; raises RowError for one that can't be kept."""
    cells = {name: " ".join(text.split()) for name, text in row.values.items()}
    paid_on = parse_date("paye_le", required("paye_le", cells["paye_le"]))
    if paid_on > timezone.localdate():
        raise RowError("paye_le", cells["paye_le"], "Cette date est à venir : la dépense est payée.")
    starts_on, ends_on = (parse_date(name, cells.get(name, "")) for name in ("periode_du", "periode_au"))
    if starts_on and ends_on and ends_on < starts_on:
        raise RowError("periode_au", cells["periode_au"], "La fin de la période précède son début.")
    amount = checked("montant", required("montant", cells["montant"]), read_euros)
    if amount <= 0:
        message = "Le montant d'une dépense est positif : déduisez un avoir de la dépense qu'il corrige."
        raise RowError("montant", cells["montant"], message)
    mandat = required("mandat", cells["mandat"], longest=LONGEST_MANDAT)
    checked("mandat", mandat, _whole)
    expense = Expense(
        category=checked("categorie", required("categorie", cells["categorie"]), _category),
        degree=checked("degre", required("degre", cells["degre"]), _degree),
        supplier=required("fournisseur", cells["fournisseur"]),
        label=required("objet", cells["objet"]),
        mandat=mandat,
        paid_on=paid_on,
        starts_on=starts_on,
        ends_on=ends_on,
        amount=amount,
    )
    return Record(row.line, expense)


def apply(records: list[Record], job: Job) -> None:
    """Add to the statement the expenses it lacks; complete those it has.

    Raises UnreadableFile for a statement unknown to the account, and for one that is visaed or closed.
    """
    statement = _open_statement(job)
    known = {identity(expense): expense for expense in statement.expenses.order_by("pk")}
    plan = Plan()
    for record in records:
        existing = known.get(record.key)
        _flag_what_is_left_out(record, statement, job)
        if existing is None:
            record.expense.statement = statement
            plan.create.append(record.expense)
        elif _complete(existing, record, job):
            plan.update.append(existing)
        else:
            plan.unchanged += 1
    plan.count_in(job.report)
    write(plan, Expense, list(FIELDS), f"Import {job.report.file}")


def name_of(statement: CostStatement) -> str:
    """Return how the option names a statement: SOMME-1D/COMMUN/2020-2021."""
    return str(Name(statement.schedule.code, statement.charge, statement.school_year))


def read_name(text: str) -> Name:
    """Read the name of a statement; raises ValueError."""
    parts = [part.strip() for part in text.split("/")]
    if len(parts) != 3 or not all(parts):
        raise ValueError("écrivez barème/ligne/année, comme SOMME-1D/COMMUN/2020-2021.")
    schedule, charge, year = parts
    return Name(schedule, charge, school_year.parse(year))


def being_prepared(issuers: frozenset[int] | None) -> list[tuple[str, str]]:
    """Return the statements that may still take expenses, by their name and in words."""
    rows = CostStatement.objects.filter(visa_at=None).select_related("schedule")
    if issuers is not None:
        rows = rows.filter(schedule__issuer__in=issuers)
    rows = rows.annotate(label=charge_label("schedule", "school_year", "charge"))
    return [
        (name_of(row), f"{row.schedule.name}, {row.school_year_label} : {row.label or row.charge}")
        for row in rows.order_by("-school_year", "schedule__code", "charge")
    ]


IMPORTER = register(
    Importer(
        name="depenses",
        title="Dépenses d'un état des dépenses",
        layouts=(
            Layout(
                name="dépenses",
                columns=COLUMNS,
                parse=parse,
                aliases={
                    "payee_le": "paye_le",
                    "numero_de_mandat": "mandat",
                    "montant_ttc": "montant",
                },
            ),
        ),
        key=lambda record: record.key,
        key_column="mandat",
        apply=apply,
        permissions=("invoicing.add_expense", "invoicing.change_expense"),
        options=(
            Option(
                name="statement",
                flag="--statement",
                label="État des dépenses",
                help="L'état en préparation à compléter : barème/ligne/année, comme "
                "SOMME-1D/COMMUN/2020-2021.",
                parse=read_name,
                choices=being_prepared,
                required=True,
            ),
        ),
        shared=False,
    )
)


def _open_statement(job: Job) -> CostStatement:
    """Lock and return the statement asked for, while it is being prepared."""
    name = job.options["statement"]
    rows = (
        CostStatement.objects.select_for_update(of=("self",))
        .select_related("schedule")
        .filter(
            schedule__code__iexact=name.schedule,
            charge__iexact=name.charge,
            school_year=name.school_year,
        )
        .order_by("pk")
    )
    if job.issuers is not None:
        rows = rows.filter(schedule__issuer__in=job.issuers)
    statement = rows.first()
    if statement is None:
        raise UnreadableFile(f"Aucun état des dépenses {name} : créez-le d'abord, ou vérifiez son nom.")
    if statement.state == CostStatement.State.CLOSED:
        raise UnreadableFile(f"L'état {name} est clos : il ne change plus.")
    if statement.state == CostStatement.State.VISAED:
        raise UnreadableFile(f"L'état {name} est visé : rouvrez-le pour y ajouter des dépenses.")
    return statement


def _complete(existing: Expense, record: Record, job: Job) -> bool:
    """Give a known expense what the file says otherwise, and flag it: an empty cell erases nothing."""
    told = {name: getattr(record.expense, name) for name in FIELDS}
    others = [
        Expense._meta.get_field(name).verbose_name
        for name, value in told.items()
        if value not in ("", None, getattr(existing, name)) and getattr(existing, name)
    ]
    if others:
        message = f"Cette dépense est déjà saisie ; elle change : {', '.join(others)}."
        _flag(record, "mandat", record.expense.mandat, message, job)
    return fill(existing, told)


def _flag_what_is_left_out(record: Record, statement: CostStatement, job: Job) -> None:
    """Tell what the statement will not share, or what will stand in the way of its visa."""
    expense = record.expense
    if expense.degree != statement.degree:
        message = f"L'état est du {statement.get_degree_display().lower()} : elle n'est pas répartie."
        _flag(record, "degre", expense.get_degree_display(), message, job)
    if not statement.starts_on <= expense.paid_on <= statement.ends_on:
        message = "Payée hors de la période de l'état : elle empêchera le visa."
        _flag(record, "paye_le", expense.paid_on.isoformat(), message, job)


def _flag(record: Record, column: str, value: str, message: str, job: Job) -> None:
    job.report.flag(record.line, column, value, message)


def _category(text: str) -> str:
    if normalise(text) not in _CATEGORIES:
        raise ValueError(f"Catégorie inconnue : {', '.join(Category.values)}.")
    return _CATEGORIES[normalise(text)]


def _degree(text: str) -> str:
    if normalise(text) not in _DEGREES:
        raise ValueError("Degré inconnu : 1D ou 2D.")
    return _DEGREES[normalise(text)]


def _whole(text: str) -> None:
    if is_rounded(text):
        raise ValueError("Ce numéro a été arrondi par le tableur : remettez la colonne en texte.")

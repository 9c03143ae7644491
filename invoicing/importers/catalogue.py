"""What importing a price list does: each row is a unit price of one version of a market's catalogue.

The version is named beside the file, by its schedule, market and label; it exists already, with the days
on which its prices hold.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError

from entsvc.cells import RowError, checked, is_rounded, required
from entsvc.changes import Plan, fill, write
from entsvc.importing import Flag, Importer, Job, Layout, Option, Options, register
from entsvc.tabular import Row, UnreadableFile
from invoicing.models import Catalogue, CatalogueItem
from invoicing.quotes import is_quoted

COLUMNS = ("code", "libelle", "unite", "prix_ttc")
FIELDS = ("label", "unit_label", "unit_plural", "unit_price")
DECIMALS = 4
LONGEST_UNIT = 50
_THREE_DIGITS = re.compile(r"\d{1,3}[.,]\d{3}")  # 1.350 : mille ou un euro ?


@dataclass(frozen=True)
class Record:
    """A checked row: its line, and the price it tells, not yet of any version."""

    line: int
    item: CatalogueItem
    tells_plural: bool


def parse(row: Row, flag: Flag, options: Options) -> Record:
    """Read a row; raises RowError for one that can't be kept."""
    cells = {name: " ".join(text.split()) for name, text in row.values.items()}
    code = required("code", cells["code"], longest=20)
    checked("code", code, _whole)
    unit = required("unite", cells["unite"], longest=50)
    item = CatalogueItem(
        code=code,
        label=required("libelle", cells["libelle"], longest=150),
        unit_label=unit,
        unit_plural=_plural(unit, cells.get("unite_pluriel", "")),
        unit_price=checked("prix_ttc", required("prix_ttc", cells["prix_ttc"]), _price),
    )
    try:
        item.clean()
    except ValidationError as error:
        raise RowError("code", code, " ".join(error.messages)) from error
    return Record(row.line, item, bool(cells.get("unite_pluriel")))


def apply(records: list[Record], job: Job) -> None:
    """Add to the version the prices it lacks; bring the others to what the file says.

    Raises UnreadableFile for a version unknown to the account, and for one that a sent quote rests on.
    """
    catalogue = _open_catalogue(job)
    known = {item.code: item for item in catalogue.items.order_by("pk")}
    plan = Plan()
    for record in records:
        existing = known.get(record.item.code)
        if existing is None:
            record.item.catalogue = catalogue
            plan.create.append(record.item)
        elif fill(existing, {name: getattr(record.item, name) for name in _told(record)}):
            plan.update.append(existing)
        else:
            plan.unchanged += 1
    plan.count_in(job.report)
    write(plan, CatalogueItem, list(FIELDS), f"Import {job.report.file}")


def _told(record: Record) -> list[str]:
    """Return what a row says of a price already there: a plural made here says nothing."""
    return [name for name in FIELDS if name != "unit_plural" or record.tells_plural]


def _plural(unit: str, told: str) -> str:
    plural = told or f"{unit}s"
    if len(plural) > LONGEST_UNIT:
        raise RowError("unite", plural, f"Plus de {LONGEST_UNIT} caractères : abrégez l'unité.")
    return plural


def name_of(catalogue: Catalogue) -> str:
    """Return how the option names a version: NPDC-CATALOGUE/2024-012/Avenant n° 2."""
    return f"{catalogue.schedule.code}/{catalogue.market}/{catalogue.label}"


def open_versions(issuers: frozenset[int] | None) -> list[tuple[str, str]]:
    """Return the versions that may still take prices, by their name and in words."""
    rows = Catalogue.objects.select_related("schedule").order_by("schedule__code", "market", "label")
    if issuers is not None:
        rows = rows.filter(schedule__issuer__in=issuers)
    return [(name_of(row), f"{row}, {row.supplier}") for row in rows if not is_quoted(row)]


def _open_catalogue(job: Job) -> Catalogue:
    wanted = job.options["catalogue"]
    rows = Catalogue.objects.select_related("schedule").order_by("pk")
    if job.issuers is not None:
        rows = rows.filter(schedule__issuer__in=job.issuers)
    found = next((row for row in rows if name_of(row) == wanted), None)
    if found is None:
        raise UnreadableFile(f"Aucune version de catalogue « {wanted} » : créez-la d'abord.")
    if is_quoted(found):
        raise UnreadableFile(
            f"La version « {wanted} » est citée par un devis envoyé : créez la suivante."
        )
    return found


def _whole(code: str) -> None:
    if is_rounded(code):
        raise ValueError("Ce code a été arrondi par le tableur : remettez la colonne en texte.")


def _price(text: str) -> Decimal:
    """Read a price of at most four decimals, as 1 234,5678."""
    digits = text.replace("€", "").replace("\u202f", "").replace("\xa0", "").replace(" ", "")
    if _THREE_DIGITS.fullmatch(digits):
        raise ValueError("Mille ou un euro ? Écrivez 1350 ou 1,3500.")
    try:
        price = Decimal(digits.replace(",", "."))
    except ArithmeticError as error:
        raise ValueError("Un prix en euros est attendu, comme 12,50.") from error
    if not price.is_finite() or price < 0 or price >= 10**8:
        raise ValueError("Un prix est positif.")
    if price != round(price, DECIMALS):
        raise ValueError("Un prix a au plus quatre décimales.")
    return round(price, DECIMALS)


IMPORTER = register(
    Importer(
        name="catalogue",
        title="Prix d'un catalogue de marché",
        layouts=(
            Layout(
                name="prix",
                columns=COLUMNS,
                parse=parse,
                aliases={
                    "designation": "libelle",
                    "prix_unitaire_ttc": "prix_ttc",
                    "prix": "prix_ttc",
                },
            ),
        ),
        key=lambda record: record.item.code,
        key_column="code",
        apply=apply,
        options=(
            Option(
                name="catalogue",
                flag="--catalogue",
                label="Version du catalogue",
                help="Barème/marché/version, comme NPDC-CATALOGUE/2024-012/Initiale.",
                parse=str.strip,
                choices=open_versions,
                required=True,
            ),
        ),
        permissions=("invoicing.add_catalogueitem", "invoicing.change_catalogueitem"),
        shared=False,
    )
)

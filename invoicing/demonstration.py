"""The demonstration: real public data of a few communes, from the files to the titres and their life."""

import csv
import hashlib
import shutil
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Max, Model

from conventions import specimens
from conventions.importing import IMPORTER as CONVENTIONS
from conventions.models import Convention
from conventions.papers.defaults import AUTHOR as TEXTS_AUTHOR
from entsvc import documents, journal, school_year
from entsvc.french import euros
from entsvc.importing import Importer, run_import
from entsvc.models import JournalEntry, OutgoingMail
from entsvc.uploads import read_options
from invoicing.calculation import compute_run
from invoicing.demonstrated_budgets import foretell
from invoicing.demonstrated_etats import show_etats
from invoicing.demonstrated_life import live_on
from invoicing.demonstrated_services import serve
from invoicing.exports.yearly_call import write_yearly_call
from invoicing.facturx import production as invoices
from invoicing.facturx.profiles import Profile
from invoicing.importers.expenses import IMPORTER as EXPENSES
from invoicing.importers.expenses import name_of
from invoicing.importers.payments import IMPORTER as PAYMENTS
from invoicing.issuing import issue
from invoicing.liquidation import sending as etats
from invoicing.models import (
    Acceptance,
    Bordereau,
    BordereauDocument,
    Campaign,
    Channel,
    CostStatement,
    OwnShare,
    Run,
    Subsidy,
    Titre,
    TitreDocument,
)
from invoicing.pes import sending as flows
from invoicing.regimes import load_regimes
from invoicing.rendering import render_missing
from invoicing.statements import close, give_visa
from members.importers.annuaire import IMPORTER as ANNUAIRE
from members.importers.headcounts import IMPORTER as HEADCOUNTS
from members.importers.members import IMPORTER as MEMBERS
from members.models import Act, Issuer, Signatory, User
from tariffs.models import Schedule

DATA = settings.BASE_DIR / "fixtures" / "demo"
ACTOR = "démonstration"
MARK = "demo"
PASSWORD = "demo-entsvc"
ACCOUNTS = {
    "admin": "administration, tous les droits",
    "gestionnaire": "données, conventions et calculs",
    "finances": "émission, exports",
    "lecture": "consultation",
}
# What the story of the titres imports, after their issue.
LATER = {"conventions": CONVENTIONS, "encaissements": PAYMENTS}
IMPORTS: tuple[tuple[Importer, str], ...] = (
    (ANNUAIRE, "annuaire"),
    (MEMBERS, "membres"),
    (HEADCOUNTS, "effectifs"),
)
# Agreements sent and signed here, whose members find their papers; the others come from paper.
SIGNED_HERE = ("ENT-2024-31075", "ENT-2024-31187", "ENT-2024-31395")
OFFICE = "mairie-31395@example.org"  # of the member of one of them


@dataclass(frozen=True)
class DemoCall:
    """A campaign of the demonstration, and the fixed day of its titres."""

    schedule: str
    year: int
    on: date


CALLS = (
    DemoCall("SOMME-COLLEGES", 2020, date(2021, 10, 4)),
    DemoCall("SOMME-1D", 2020, date(2021, 10, 11)),
    DemoCall("NPDC-ENT", 2023, date(2024, 9, 16)),
    DemoCall("OCC-ENT-ECOLE", 2020, date(2021, 3, 1)),
    DemoCall("OCC-ENT-ECOLE", 2024, date(2025, 3, 3)),
)


class DemoRefused(Exception):
    """The database holds something else than the demonstration: nothing was touched."""


def start_afresh() -> str:
    """Put away the embedded database of a former demonstration; raise DemoRefused for any other.

    One in which somebody worked since is kept beside, under the name returned; else it is removed.
    """
    if connection.introspection.table_names():
        if not _is_demo():
            raise DemoRefused(
                "La base n'est pas celle de la démonstration : rien n'a été touché. Donnez-en une "
                "autre, par exemple DATABASE_URL=sqlite:///demo/essai.sqlite3 make demo."
            )
        if connection.vendor != "sqlite":
            raise DemoRefused("La démonstration est déjà dans cette base : donnez-en une vide.")
        return _put_away()
    return ""


def is_worked_on() -> bool:
    """Tell whether anyone but the demonstration, and the texts it loads, left a trace in the journal."""
    return JournalEntry.objects.exclude(actor__in=(ACTOR, TEXTS_AUTHOR)).exists()


def _put_away() -> str:
    touched = is_worked_on()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    path = Path(connection.settings_dict["NAME"])
    kept = path.with_name(f"{path.stem}-{datetime.now():%Y%m%d-%H%M%S}{path.suffix}")
    if touched:
        path.rename(kept)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return str(kept) if touched else ""


def build(folder: Path) -> list[dict[str, Any]]:
    """Load, import, compute, issue and write the files of the demonstration; return its table."""
    journal.record(actor=ACTOR, action=MARK, target="demo", summary="Base de démonstration")
    load_regimes(actor=ACTOR)
    create_accounts()
    for importer, name in IMPORTS:
        _import(importer, name)
    sign_some()
    _import(CONVENTIONS, "conventions")
    attach_acts()
    decide()
    show_etats(DATA, actor=ACTOR)
    shutil.rmtree(folder / "titres", ignore_errors=True)
    runs = [_issue(call) for call in CALLS]
    serve(DATA, actor=ACTOR)
    live_on(DATA, actor=ACTOR, bring=lambda name, file, given: _bring(LATER[name], DATA / file, given))
    write_invoices()
    foretell(actor=ACTOR)
    rows = []
    for run in runs:
        sent = send_out(run.campaign)
        rows.append(_row(run, _write_files(run, sent, folder), sent))
    return rows


def sign_some() -> None:
    """Conclude a few agreements of the files by their steps; nobody is written to."""
    rows = []
    for path in sorted(DATA.glob("conventions_*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            found = csv.DictReader(stream, delimiter=";")
            rows += [row for row in found if row["reference"] in SIGNED_HERE]
    specimens.conclude(rows, actor=ACTOR)
    OutgoingMail.objects.all().delete()


def _import(importer: Importer, name: str) -> None:
    for path in sorted(DATA.glob(f"{name}_*.csv")):
        _bring(importer, path)


def _bring(importer: Importer, path: Path, given: dict[str, str] | None = None) -> None:
    options = read_options(importer, given or {})
    report = run_import(importer, path, dry_run=False, actor=ACTOR, options=options)
    if report.refused:
        raise DemoRefused(f"{path.name} : {report.refused[0].message}")


def create_accounts() -> None:
    """Create one account per role, all with the demonstration's password."""
    for username in ACCOUNTS:
        superuser = username == "admin"
        user = User(username=username, is_staff=True, is_superuser=superuser)
        user.set_password(PASSWORD)
        user.save()
        user.issuers.set(Issuer.objects.all())
        if not superuser:
            user.groups.add(Group.objects.get(name=username))


def attach_acts() -> None:
    """Create the members' deliberations of the demonstration and attach them to their agreements."""
    for item in tomllib.loads((DATA / "acts.toml").read_text(encoding="utf-8"))["act"]:
        convention = Convention.objects.select_related("party").get(
            schedule__code=item.pop("bareme"), reference=item.pop("reference")
        )
        act = Act(member=convention.party, **item)
        act.full_clean()
        act.save()
        convention.act = act
        convention.save(update_fields=["act"])


def decide() -> None:
    """Take the decisions of the demonstration: expenses stated, approximate counts accepted."""
    items = tomllib.loads((DATA / "decisions.toml").read_text(encoding="utf-8"))
    for item in items["statement"]:
        _state_expenses(_scope(item), item)
    for item in items["acceptance"]:
        _save(Acceptance(**_scope(item), decided_by=ACTOR, **item))


def _state_expenses(scope: dict[str, Any], item: dict[str, Any]) -> None:
    """Import a year's expenses, enter what comes off them, then visa and close their statement."""
    file, shares, subsidies = (item.pop(name) for name in ("depenses", "own_share", "subsidy"))
    statement = _save(CostStatement(**scope, **item))
    _bring(EXPENSES, DATA / file, {"statement": name_of(statement)})
    for share in shares:
        _save(OwnShare(statement=statement, **share))
    for subsidy in subsidies:
        _save(Subsidy(**scope, statement=statement, **subsidy))
    give_visa(statement=statement, actor=ACTOR)
    close(statement=statement, actor=ACTOR)


def _scope(item: dict[str, Any]) -> dict[str, Any]:
    schedule = Schedule.objects.get(code=item.pop("bareme"))
    return {"schedule": schedule, "school_year": school_year.parse(item.pop("annee_scolaire"))}


def _save(row: Model) -> Any:
    row.full_clean()
    row.save()
    return row


def _issue(call: DemoCall) -> Run:
    """Compute and issue a campaign, and draw its documents; return its calculation."""
    schedule = Schedule.objects.select_related("issuer").get(code=call.schedule)
    run = compute_run(schedule=schedule, year=call.year, actor=ACTOR)
    signatory = Signatory.objects.filter(issuer=schedule.issuer).order_by("pk").first()
    issued = issue(run=run, on=call.on, signatory=signatory, actor=ACTOR)
    for _ in render_missing(issued.bordereau.titres.all()):
        pass
    return run


def _write_files(run: Run, sent: list[tuple[str, bytes]], folder: Path) -> int:
    """Copy the documents of a campaign, of its bordereaux and of its channel, and write the yearly call
    of a calculation; return how many files.
    """
    place = folder / "titres" / run.campaign.schedule.code / run.campaign.school_year_label
    place.mkdir(parents=True, exist_ok=True)
    titres = Titre.objects.filter(campaign=run.campaign)
    links = TitreDocument.objects.filter(titre__in=titres.order_by().values("pk"))
    named = [(name_in(link), link) for link in links.select_related("titre", "document")]
    lists = BordereauDocument.objects.filter(bordereau__in=titres.order_by().values("bordereau"))
    named += [(_name(link.bordereau), link) for link in lists.select_related("bordereau", "document")]
    for name, link in named:
        (place / f"{name}.pdf").write_bytes(documents.read(link.document))
    write_yearly_call(run, place / "appel-annuel.xlsx")
    for name, content in sent:
        (place / name).write_bytes(content)
    return len(named) + 1 + len(sent)


def send_out(campaign: Campaign) -> list[tuple[str, bytes]]:
    """Make what the channel of a campaign's issuer asks for; return its files, by name.

    Each is dated of what it tells, so that the demonstration is the same on any day.
    """
    channel = Channel.objects.get(issuer=campaign.schedule.issuer)
    titres = Titre.objects.filter(campaign=campaign).order_by()
    if channel.kind == Channel.Kind.HELIOS:
        bordereaux = Bordereau.objects.filter(pk__in=titres.values("bordereau"))
        sendings = [
            flows.produce(bordereau=row, actor=ACTOR, on=row.issued_on)
            for row in bordereaux.select_related("issuer")
        ]
        return [(sending.file_name, documents.read(sending.document)) for sending in sendings]
    if channel.kind == Channel.Kind.STATE:
        last = titres.aggregate(last=Max("issued_on"))["last"]
        sending = etats.produce(campaign=campaign, rank=1, actor=ACTOR, on=last)
        files = (sending.file_name, sending.document), (sending.workbook_name, sending.workbook)
        return [(name, documents.read(document)) for name, document in files]
    return []


def write_invoices() -> None:
    """Produce the electronic invoice of every titre and correction."""
    made = invoices.produce(titres=Titre.objects.all(), profile=Profile.REFORM, actor=ACTOR)
    for refused in made.refused:
        raise DemoRefused(f"{refused.reference} : {' '.join(refused.messages)}")


def name_in(link: TitreDocument) -> str:
    """Return the name of the file of a document of a titre, without its suffix."""
    role = "" if link.role == TitreDocument.Role.PDF else f"-{link.role}"
    return f"{link.titre.reference}{role}"


def _name(bordereau: Bordereau) -> str:
    of = "" if bordereau.kind == Bordereau.Kind.TITRES else "-corrections"
    return f"bordereau{of}-{bordereau.exercice}-{bordereau.number}"


def _row(run: Run, files: int, sent: list[tuple[str, bytes]]) -> dict[str, Any]:
    schools = [
        school
        for member in run.basis["members"]
        for agreement in member["agreements"]
        for school in agreement["schools"]
    ]
    counts = [school["pupils"] for school in schools if school["pupils"] is not None]
    return {
        "issuer": run.campaign.schedule.issuer.name,
        "year": school_year.label(run.campaign.school_year),
        "members": len(run.basis["members"]),
        "schools": len(schools),
        "pupils": sum(counts) if counts else "–",
        "total": euros(run.total),
        "documents": files,
        "sent": [
            {"file": name, "sha256": hashlib.sha256(content).hexdigest()} for name, content in sent
        ],
    }


def _is_demo() -> bool:
    """Tell a former demonstration, or a database where nobody has put anything yet."""
    tables = connection.introspection.table_names()
    if JournalEntry._meta.db_table in tables and JournalEntry.objects.filter(action=MARK).exists():
        return True
    holders = (User, Issuer)
    return not any(m._meta.db_table in tables and m.objects.exists() for m in holders)

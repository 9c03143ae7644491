"""The demonstration: its totals checked by hand from its files, its documents, its prudence."""

import csv
import datetime as dt
import hashlib
import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.db import connection
from openpyxl import load_workbook
from pypdf import PdfReader

from conventions import on_file, states
from conventions.models import Convention, MemberEtat, Objection
from conventions.papers.defaults import AUTHOR as TEXTS_AUTHOR
from entsvc import documents, journal
from entsvc.models import JournalEntry, OutgoingMail
from invoicing.bordereaux import State as BordereauState
from invoicing.bordereaux import state_of
from invoicing.corrections import why_closed
from invoicing.demonstration import (
    ACCOUNTS,
    ACTOR,
    DATA,
    MARK,
    OFFICE,
    PASSWORD,
    SIGNED_HERE,
    DemoRefused,
    build,
    is_worked_on,
    start_afresh,
)
from invoicing.facturx.invoice_xml import extract
from invoicing.facturx.profiles import Profile
from invoicing.facturx.validation import check
from invoicing.models import (
    Bordereau,
    Channel,
    ClosedExercice,
    MandatRequest,
    PendingReceipt,
    Reminder,
    Sending,
    Titre,
    TitreDocument,
)
from invoicing.payments import standing
from invoicing.pes.schema import breaches
from invoicing.pes.sending import prepare
from invoicing.regimes import load_regimes
from invoicing.roles import ROLES
from invoicing.statuses import ORDER, Status, with_status
from invoicing.verification import verify
from members.models import Signatory, User
from tests.factories import IssuerFactory
from tests.invoicing.few_queries import check_every_page
from tests.invoicing.spreadsheet import Book

pytestmark = pytest.mark.django_db


def rows_of(name):
    with (DATA / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


def spoken(amount):
    return f"{amount:,.2f} €".replace(",", " ").replace(".", ",")


def plain(text):
    return re.sub(r"[\u00a0\u202f]", " ", text)


def text_of(titre):
    content = documents.read(titre.documents.get(role="pdf").document)
    return [plain(page.extract_text()) for page in PdfReader(io.BytesIO(content)).pages]


def somme_by_hand():
    """Recompute the Département's call from the files alone, with the prices of the charter."""
    colleges = {row["Identifiant_de_l_etablissement"] for row in rows_of("annuaire_somme.csv")
                if row["Type_etablissement"] == "Collège"}  # fmt: skip
    bands = [(200, "187.62"), (399, "247.30"), (599, "315.50"), (899, "366.70"), (1100, "434.40")]
    total = Decimal("2000.00")
    for row in rows_of("effectifs_somme.csv"):
        if row["uai"] in colleges:
            pupils, active = int(row["eleves"]), int(row["eleves_actifs"])
            band = next(Decimal(price) for upper, price in bands if pupils <= upper)
            total += 6 * pupils + Decimal("409.40") + 6 * active + band
    return total


def test_the_demonstration_issues_every_regime_and_its_documents(tmp_path):
    rows = build(tmp_path)
    table = {(row["issuer"].split()[-1], row["year"], row["schools"]): row for row in rows}
    assert plain(table["Numérique", "2020-2021", 50]["total"]) == spoken(somme_by_hand())
    assert plain(table["Numérique", "2020-2021", 5]["total"]) == "6 500,00 €"
    assert plain(table["Occitanie", "2020-2021", 11]["total"]) == "550,00 €"
    assert plain(table["Occitanie", "2024-2025", 66]["total"]) == "2 970,00 €"
    suffixes = (".pdf", ".xlsx", ".xml")
    files = [path for path in (tmp_path / "titres").rglob("*") if path.suffix in suffixes]
    titres, corrections, bordereaux, workbooks = 36 + 1, 2, 6 + 2, 5
    sent = [tmp_path / "titres" / place for place in SENT]
    assert sum(row["documents"] for row in table.values()) == len(files)
    invoices = titres + corrections
    assert len(files) == titres + corrections + invoices + bordereaux + workbooks + len(sent)
    assert check_sent(rows, sent) == 5
    for username in ACCOUNTS:
        assert authenticate(username=username, password=PASSWORD).is_staff
    assert set(ACCOUNTS) - {"admin"} == set(ROLES)

    verdict = verify()
    assert verdict.green, verdict.deviations
    check_signed_here()
    check_lives()
    check_invoices(invoices)
    assert min(check_every_page(username) for username in ("gestionnaire", "finances")) > 150
    check_saubens(text_of(Titre.objects.get(siret="21310533100010")))
    departement = text_of(Titre.objects.get(siret="22800001400016"))
    check_local_mentions(departement[0])
    check_annex(departement[1:])
    first_epci = Titre.objects.filter(issuer__code="NPDC").order_by("number").first()
    assert "acceptés, motif : démonstration" in re.sub(r"\s+", " ", "\n".join(text_of(first_epci)))


def check_signed_here():
    """A few agreements went through their steps: their members have the sent and the signed paper."""
    rows = Convention.objects.filter(reference__in=SIGNED_HERE).prefetch_related("papers__document")
    assert len(rows) == len(SIGNED_HERE)
    for convention in rows:
        assert convention.status == states.IN_FORCE
        steps = convention.transitions.order_by("at", "pk").values_list("action", flat=True)
        assert list(steps) == ["envoyer", "signer", "mettre_en_vigueur"]
        papers = list(convention.papers.order_by("at"))
        assert not on_file.lacks_scan(convention, papers)
        signed = PdfReader(io.BytesIO(documents.read(papers[-1].document)))
        sent = PdfReader(io.BytesIO(documents.read(papers[0].document)))
        assert len(signed.pages) == len(sent.pages)
        for page in signed.pages:
            assert "SPÉCIMEN de démonstration" in page.extract_text()
    assert not OutgoingMail.objects.exists()
    assert OFFICE in [convention.party.email for convention in rows]


def check_lives():
    """Every page has something true to show: each status, each answer, each way to be paid."""
    titres = with_status(Titre.objects.filter(kind=Titre.Kind.TITRE))
    shown = {ORDER[rank] for rank in titres.order_by().values_list("status_rank", flat=True)}
    assert shown == set(Status) - {Status.SENT}
    states = {state_of(row) for row in Bordereau.objects.prefetch_related("events")}
    assert states == {BordereauState.PREPARED, BordereauState.SENT}
    assert Bordereau.objects.filter(pdf__isnull=True).count() == 0
    new = Titre.objects.get(replaces__isnull=False)
    assert (new.replaces.total, new.total, new.debtor) == (135, 90, new.replaces.debtor)
    found = {titre.reference: standing(titre) for titre in Titre.objects.filter(kind="titre")}
    assert found["NPDC-2024-000002"].overpaid == 10
    assert found["OCC-2025-000015"].due == 270
    assert found["OCC-2025-000019"].paid == 0
    waiting = PendingReceipt.objects.filter(state=PendingReceipt.State.WAITING)
    assert {row.suggested and row.suggested.reference for row in waiting} == {None, "OCC-2025-000017"}
    assert PendingReceipt.objects.exclude(pk__in=waiting.values("pk")).count() == 2
    assert Reminder.objects.count() == 4
    closed = ClosedExercice.objects.order_by("issuer__code").values_list("issuer__code", "exercice")
    assert list(closed) == [("OCC", 2021), ("SOMME", 2021)]
    assert MandatRequest.objects.count() == 1
    answered, agreed = Objection.objects.get(), MemberEtat.objects.get(agreed_at__isnull=False)
    assert (answered.answer, answered.shown.debtor.name) == ("rejetee", "Commune de Muret")
    assert agreed.debtor.name == "Commune de Fonsorbes"
    assert {entry.actor for entry in JournalEntry.objects.all()} <= {ACTOR, TEXTS_AUTHOR}


SENT = (
    "SOMME-COLLEGES/2020-2021/SPECIMEN_PESALR1_SOMME002021B1E1.xml",
    "SOMME-1D/2020-2021/SPECIMEN_PESALR1_SOMME002021B2E1.xml",
    "NPDC-ENT/2023-2024/SPECIMEN_PESALR1_NPDC002024B1E1.xml",
    "OCC-ENT-ECOLE/2020-2021/SPECIMEN_etat-liquidatif-OCC-ENT-ECOLE-2020-2021-n1.pdf",
    "OCC-ENT-ECOLE/2020-2021/SPECIMEN_etat-liquidatif-OCC-ENT-ECOLE-2020-2021-n1.xlsx",
    "OCC-ENT-ECOLE/2024-2025/SPECIMEN_etat-liquidatif-OCC-ENT-ECOLE-2024-2025-n1.pdf",
    "OCC-ENT-ECOLE/2024-2025/SPECIMEN_etat-liquidatif-OCC-ENT-ECOLE-2024-2025-n1.xlsx",
)


def check_sent(rows, paths):
    """Each issuer has the files of its channel, those that the journal keeps; return its sendings."""
    told = [(item["file"], item["sha256"]) for row in rows for item in row["sent"]]
    assert told == [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    kept = {}
    for sending in Sending.objects.select_related("document", "workbook", "bordereau").order_by("pk"):
        kept[sending.file_name] = sending.document.sha256
        if sending.campaign_id:
            kept[sending.workbook_name] = sending.workbook.sha256
        else:
            assert prepare(sending.bordereau, on=sending.bordereau.issued_on).findings == []
            assert sending.schema == bool(settings.PES_XSD_DIR)
    assert dict(told) == kept
    for path in paths:
        if path.suffix == ".xml" and settings.PES_XSD_DIR:
            assert breaches(path.read_bytes(), Path(settings.PES_XSD_DIR)) == []
        if path.suffix == ".xlsx":
            checks = Book(load_workbook(path)).records("Rapprochement")
            assert {check["Verdict"] for check in checks} == {"OK"}
    channels = Channel.objects.order_by("issuer__code").values_list("issuer__code", "kind")
    sent = Sending.objects.order_by("channel").values_list("channel", flat=True).distinct()
    assert {kind for _, kind in channels} == set(sent)
    return Sending.objects.count()


def check_invoices(count):
    """Every titre and correction has an electronic invoice that passes the schema and all the rules."""
    links = TitreDocument.objects.filter(role="facturx").select_related("document", "titre")
    kept = list(links.order_by("pk"))
    verdicts = check([extract(documents.read(link.document)) for link in kept], Profile.REFORM)
    told = {link.titre.reference: v.refused for link, v in zip(kept, verdicts, strict=True)}
    assert len(kept) == count
    assert {reference: refused for reference, refused in told.items() if refused} == {}
    assert all(verdict.is_checked for verdict in verdicts)


def check_saubens(pages):
    """One page, one school of the two, its deliberation."""
    [page] = pages
    assert "0310891A" in page
    assert "0312522Y" not in page
    assert "45,00 €" in page
    assert "délibération n° 2024/36 du 20/06/2024" in page


def check_annex(pages):
    """Several pages with their headings, the total carried over, subtotals, every collège."""
    assert len(pages) > 3
    assert all("UAI" in page for page in pages)
    assert all("À reporter" in page for page in pages[:-1])
    assert all("Report :" in page for page in pages[1:])
    assert "À reporter" not in pages[-1]
    annex = "\n".join(pages)
    for label in ("Création et fonctionnement des comptes", "Comptes Le Robert Collège", "SITE.TV"):
        assert f"Sous-total : {label}" in annex
    colleges = {row["uai"] for row in rows_of("effectifs_somme.csv") if row["eleves_actifs"]}
    assert {uai for uai in colleges if uai not in annex} == set()


LOCAL_MENTIONS = [
    "Titre de recettes – avis des sommes à payer",
    "article L. 252 A du livre des procédures fiscales",
    "R. 2342-4 et D. 3342-11",
    "exercice 2021",
    "Bordereau n° 1",
    "Émis et rendu exécutoire le 4 octobre 2021",
    "Budget principal",
    "74751",
    "Code produit local",
    "228 000 014 00016",
    "Convention CHARTE-CD80",
    "Délibération n° DÉMONSTRATION",
    "Bases de liquidation",
    "Hors du champ de la TVA",
    "Arrêté à la somme de",
    "Président du syndicat mixte",
    "Codique 999999",
    "du lundi au vendredi",
    "IBAN",
    "BIC",
    "Référence à rappeler RF",
    "https://paiement.example.org/",
    "30 jours après la mise à disposition sur Chorus Pro",
    "deux mois, à partir de la notification",
    "tribunal administratif d'Amiens",
    "réclamation amiable",
    "suspend la force exécutoire",
    "SPÉCIMEN",
]


def check_local_mentions(page):
    """Every mention of a titre de recettes is on the first page."""
    text = re.sub(r"\s+", " ", page).replace("’", "'")
    assert {mention for mention in LOCAL_MENTIONS if mention not in text} == set()


def test_a_specimen_is_corrected_on_a_day_of_its_exercice_however_late_it_is(world, monkeypatch):
    """What binds nobody tells its story at its own days; what binds is refused once the year is over."""
    monkeypatch.setattr("invoicing.numbering.localdate", lambda: dt.date(2026, 3, 1))
    Signatory.objects.update(is_fictitious=True)
    world.signatory.refresh_from_db()
    [titre, *_] = world.issue().titres
    on = {"within": dt.date(2025, 4, 14), "after": dt.date(2026, 2, 20)}
    assert why_closed(titre, on["within"]) == ""
    assert "sont finis" in why_closed(titre, on["after"])
    titre.payload["document"]["specimen"] = False
    assert "sont finis" in why_closed(titre, on["within"])


def test_the_demonstration_never_replaces_another_database():
    IssuerFactory()
    with pytest.raises(DemoRefused, match="rien n'a été touché"):
        start_afresh()
    assert not User.objects.exists()


def test_a_demonstration_where_somebody_worked_is_kept_beside(scratch):
    """`scratch` is a copy of the demonstration in which commands have run since."""
    if connection.vendor != "sqlite":
        pytest.skip("la démonstration est une base SQLite")
    done = scratch.run("-c", PUT_AWAY)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_file()


def test_building_the_demonstration_is_no_work_of_somebody():
    journal.record(actor=ACTOR, action=MARK, target="demo", summary="Base de démonstration")
    load_regimes(actor=ACTOR)
    assert not is_worked_on()
    journal.record(actor="alix", action="import", target="essai", summary="Un import")
    assert is_worked_on()


PUT_AWAY = """
import django
django.setup()
from entsvc import journal
from invoicing.demonstration import ACTOR, MARK, start_afresh
journal.record(actor=ACTOR, action=MARK, target="demo", summary="Base de démonstration")
print(start_afresh())
"""

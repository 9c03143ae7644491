"""The electronic invoices of issued titres: further documents, kept once, never without their rules."""

import datetime as dt
from decimal import Decimal

import pytest

from entsvc import documents
from entsvc.models import JournalEntry
from entsvc.pdf import render_pdf
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.facturx import production, validation
from invoicing.facturx.invoice_xml import extract
from invoicing.facturx.production import kept_of, lacking, produce, verdict_of, why_not
from invoicing.facturx.profiles import Profile
from invoicing.models import Titre, TitreDocument
from invoicing.rendering import render_missing
from invoicing.verification import verify
from members.models import Member
from tests.entsvc.titre_payload import state_titre
from tests.invoicing.facturx.examples import values
from tests.invoicing.world import a_world

# WeasyPrint 70 leaves its colour profile for the garbage collector to close.
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]


@pytest.fixture(scope="module")
def drawn():
    """A true PDF, drawn once."""
    return render_pdf("pdf/titre.html", state_titre())


@pytest.fixture(autouse=True)
def same_pdf(drawn, monkeypatch):
    """Give every piece the same pages: what matters here is what goes within them."""
    for module in ("rendering", "bordereau_pdf"):
        monkeypatch.setattr(f"invoicing.{module}.render_pdf", lambda *args, **kwargs: drawn)


@pytest.fixture
def titres(world):
    """Three titres with their PDF: 45, 90 and 135 €."""
    issued = world.issue().titres
    list(render_missing(Titre.objects.all()))
    return issued


def made(**changes):
    asked = {"titres": Titre.objects.all(), "profile": Profile.REFORM, "actor": "essai", **changes}
    return produce(**asked)


@pytest.fixture
def unchecked(monkeypatch):
    """The processor of the rules is not installed: tests that look elsewhere go faster."""
    monkeypatch.setattr(validation, "is_installed", lambda: False)


def xml_in(titre):
    return extract(documents.read(kept_of(titre).document))


def test_titres_and_their_corrections_get_invoices_that_pass_every_rule(world, titres):
    line = titres[1].lines.get(position=1)
    common = {
        "reason_code": Titre.Reason.WRONG_AMOUNT,
        "reason": "École fermée avant la rentrée.",
        "on": dt.date(2025, 4, 10),
        "signatory": world.signatory,
        "actor": "essai",
    }
    parts = [PartOff(Decimal("20.00"), line)]
    reduction = correct(titre=titres[1], kind=Titre.Kind.REDUCTION, parts=parts, **common)
    annulation = correct(titre=titres[1], kind=Titre.Kind.ANNULATION, **common)
    list(render_missing(Titre.objects.all()))
    before = dict(TitreDocument.objects.filter(role="pdf").values_list("titre", "document__sha256"))

    done = made()

    assert (len(done.done), done.refused, done.unchecked, done.left) == (5, [], 0, 0)
    after = dict(TitreDocument.objects.filter(role="pdf").values_list("titre", "document__sha256"))
    assert after == before, "the document that was issued is never touched"
    found = {}
    every = list(Titre.objects.order_by("kind", "number"))
    verdicts = validation.check([xml_in(titre) for titre in every], Profile.REFORM)
    for titre, verdict in zip(every, verdicts, strict=True):
        assert (verdict.refused, verdict.is_checked) == ([], True)
        xml = xml_in(titre)
        kinds, originals = (
            values(xml, "//rsm:ExchangedDocument/ram:TypeCode"),
            values(xml, "//ram:InvoiceReferencedDocument/ram:IssuerAssignedID"),
        )
        [due] = values(xml, "//ram:DuePayableAmount")
        assert Decimal(due) == titre.total
        found[titre.reference] = (kinds, originals)
    assert found[reduction.reference] == (["381"], [titres[1].reference])
    assert found[annulation.reference] == (["381"], [titres[1].reference])
    assert found[titres[0].reference] == (["380"], [])
    assert verify().green


def test_what_is_kept_is_not_written_again(titres, unchecked):
    assert len(made().done) == 3
    first = kept_of(titres[0]).document_id
    assert made().done == []
    assert kept_of(titres[0]).document_id == first
    assert not lacking(Titre.objects.all()).exists()


def test_the_invoice_says_what_was_frozen_whatever_changed_since(titres, unchecked):
    Member.objects.update(name="AUTRE", address="AUTRE", city="AUTRE")
    made()
    assert "AUTRE" not in xml_in(titres[0]).decode()


def test_the_journal_tells_who_produced_which_invoices(titres, unchecked):
    made(actor="alix")
    entry = JournalEntry.objects.get(action="facturx")
    assert entry.actor == "alix"
    assert entry.data["references"] == [titre.reference for titre in titres]
    assert (entry.data["profile"], entry.data["unchecked"]) == ("S1", 3)


def test_without_the_processor_invoices_are_kept_and_said_to_be_unchecked(titres, unchecked):
    done = made()
    assert (len(done.done), done.unchecked) == (3, 3)
    _, verdict = verdict_of(kept_of(titres[0]))
    assert "non vérifié" in " ".join(verdict.words)


def test_an_invoice_that_the_rules_refuse_is_never_kept(titres, monkeypatch):
    monkeypatch.setattr("invoicing.facturx.facts.REASON_CODE", "VATEX-EU-INCONNU")
    done = made()
    assert done.done == []
    assert len(done.refused) == 3
    assert "ExemptionReasonCode" in done.refused[0].messages[0]
    assert not TitreDocument.objects.filter(role="facturx").exists()


def test_a_titre_that_lacks_something_stops_no_other(titres, unchecked, monkeypatch):
    whole = production.refusals
    monkeypatch.setattr(
        production,
        "refusals",
        lambda payload, lines, total: ["SIRET absent."] if total == 90 else whole(payload, lines, total),
    )
    done = made()
    assert len(done.done) == 2
    [refused] = done.refused
    assert (refused.reference, refused.messages) == (titres[1].reference, ["SIRET absent."])


def test_a_titre_without_its_pdf_waits_for_it(world, unchecked):
    titre = world.issue().titres[0]
    assert why_not(titre) == [production.NO_PDF]
    assert made().done == []


def test_a_damaged_pdf_is_told_and_nothing_is_kept(titres, unchecked, media):
    document = titres[0].documents.get().document
    (media / document.path).write_bytes(b"%PDF autre")
    done = made()
    assert done.done == []
    assert [refused.reference for refused in done.refused] == [titre.reference for titre in titres]
    assert "restaurez-le" in done.refused[0].messages[0]


def test_out_of_time_the_rest_is_left_for_the_next_call(titres, unchecked, monkeypatch):
    monkeypatch.setattr(production, "BATCH", 1)
    first = made(seconds=0)
    assert (first.done, first.left) == ([titres[0].reference], 2)
    assert len(made().done) == 2


def test_a_local_titre_in_the_former_frame_is_checked_in_that_frame(db):
    world = a_world(members=1, regime="LOCAL")
    [titre] = world.issue().titres
    list(render_missing(Titre.objects.all()))
    made(profile=Profile.CHORUS)
    profile, verdict = verdict_of(kept_of(titre))
    assert profile == Profile.CHORUS
    assert (verdict.refused, verdict.is_checked) == ([], True)
    assert len(verdict.rulings) == 1

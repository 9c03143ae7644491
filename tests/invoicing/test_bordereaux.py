"""The bordereau: its document, drawn once, then signed and sent, each once and in that order."""

import datetime as dt
import io
from decimal import Decimal

import pytest
from pypdf import PdfReader

from entsvc.french import euros
from entsvc.models import JournalEntry
from invoicing import bordereau_pdf
from invoicing.bordereau_pdf import content_of, document_of, draw_bordereau
from invoicing.bordereaux import State, StepRefused, send, sign, signature_warnings, state_of
from invoicing.corrections import correct
from invoicing.models import Bordereau, BordereauDocument, BordereauEvent, Titre
from invoicing.rendering import render_missing
from members.models import Issuer
from tests.factories import IssuerFactory, SignatoryFactory
from tests.invoicing.test_rendering import text_of
from tests.invoicing.world import ISSUED_ON, a_world

# WeasyPrint 70 leaves its colour profile for the garbage collector to close.
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]


def day(number):
    return ISSUED_ON + dt.timedelta(days=number)


@pytest.fixture
def bordereau(world):
    return world.issue().bordereau


# --- The document -----------------------------------------------------------------------------


def test_the_document_lists_each_titre_and_adds_them_up(world, bordereau):
    text = text_of(draw_bordereau(bordereau))
    for titre in bordereau.titres.order_by("number"):
        assert titre.reference in text
        assert titre.debtor_name in text
    plain = " ".join(euros(bordereau.total).split())
    assert f"Total du présent bordereau (3 titres) {plain}" in text
    assert "deux cent soixante-dix euros" in text
    assert "L'ordonnateur" in text
    assert world.signatory.last_name in text


def test_the_document_cumulates_the_exercice(world, bordereau):
    world.join(4)
    second = world.issue(on=day(1)).bordereau
    found = content_of(second)
    assert found["previous"] == bordereau.total
    assert found["cumulated"] == bordereau.total + second.total == Decimal("450.00")
    assert content_of(bordereau)["previous"] == 0


def test_the_document_of_corrections_names_what_they_correct(world, bordereau):
    titre = bordereau.titres.order_by("number").first()
    correction = correct(
        titre=titre,
        kind=Titre.Kind.ANNULATION,
        reason_code=Titre.Reason.DUPLICATE,
        reason="appelé deux fois",
        on=ISSUED_ON,
        signatory=world.signatory,
        actor="fin",
    )
    text = text_of(draw_bordereau(correction.bordereau))
    assert "Bordereau d'annulations et de réductions" in text
    assert f"Annulation du titre {titre.reference} : appelé deux fois" in text
    assert correction.reference in text
    assert content_of(correction.bordereau)["previous"] == 0


@pytest.mark.parametrize(
    ("regime", "title"),
    [
        (Issuer.Regime.STATE, "Bordereau de titres de perception"),
        (Issuer.Regime.LOCAL, "Bordereau de titres de recettes"),
    ],
)
def test_the_title_is_that_of_the_regime(regime, title):
    found = content_of(a_world(members=1, regime=regime).issue().bordereau)
    assert found["document"]["title"] == title


def test_a_long_list_carries_its_total_from_page_to_page(bordereau):
    context = content_of(bordereau)
    row, carried = context["rows"][0], Decimal(0)
    context["rows"] = []
    for number in range(1, 91):
        carried += row["total"]
        context["rows"].append({**row, "number": number, "carried": carried})
    drawn = bordereau_pdf.render_pdf(
        "pdf/bordereau.html",
        context,
        stylesheets=(*bordereau_pdf.STYLESHEETS, "entsvc/bordereau.css"),
    )
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(drawn)).pages]
    assert len(pages) >= 3
    for one, following in zip(pages, pages[1:], strict=False):
        brought = one.split("À reporter :")[1].split("€")[0].split()
        assert following.split("Report :")[1].split("€")[0].split() == brought
    assert "À reporter" not in pages[-1]
    assert "Total du présent bordereau" in pages[-1]


def test_the_document_is_stored_once(bordereau, monkeypatch):
    first = document_of(bordereau)
    monkeypatch.setattr(bordereau_pdf, "draw_bordereau", lambda _: pytest.fail("dessiné deux fois"))
    assert document_of(bordereau) == first
    assert BordereauDocument.objects.get().document == first


def test_it_is_drawn_with_its_titres_once_none_lacks_its_own(world, blank_pdf):
    titres = world.issue().titres
    list(render_missing(Titre.objects.filter(pk=titres[0].pk)))
    assert not BordereauDocument.objects.exists()
    list(render_missing(Titre.objects.filter(pk__in=[titre.pk for titre in titres[1:]])))
    link = BordereauDocument.objects.get()
    assert link.bordereau == titres[0].bordereau
    list(render_missing(Titre.objects.all()))
    assert BordereauDocument.objects.get() == link


def test_one_that_can_not_be_drawn_is_told_and_left_to_do(world, blank_pdf, monkeypatch):
    world.issue()
    with monkeypatch.context() as patch:
        patch.setattr(bordereau_pdf, "draw_bordereau", lambda _: 1 / 0)
        failures = []
        assert len(list(render_missing(Titre.objects.all(), failures))) == 3
        assert "PDF à produire de nouveau" in failures[0]
        with pytest.raises(ZeroDivisionError):
            list(render_missing(Titre.objects.all()))
    list(render_missing(Titre.objects.all()))
    assert BordereauDocument.objects.count() == 1


def test_two_that_draw_it_at_once_keep_the_same_document(bordereau, monkeypatch):
    def draw_while_another_stores(found):
        monkeypatch.undo()
        document_of(found)
        return b"%PDF autre"

    monkeypatch.setattr(bordereau_pdf, "draw_bordereau", draw_while_another_stores)
    kept = document_of(bordereau)
    assert BordereauDocument.objects.get().document == kept
    assert kept.size > len(b"%PDF autre")


def test_drawn_again_the_document_has_the_same_bytes(bordereau):
    assert draw_bordereau(bordereau) == draw_bordereau(Bordereau.objects.get(pk=bordereau.pk))


# --- Its life ---------------------------------------------------------------------------------


def test_a_bordereau_is_prepared_then_signed_then_sent(world, bordereau):
    assert state_of(bordereau) == State.PREPARED
    signed = sign(bordereau=bordereau, signatory=world.signatory, on=day(1), actor="fin")
    assert signed.signatory == str(world.signatory)
    assert signed.delegation == world.signatory.delegation
    assert state_of(bordereau) == State.SIGNED
    send(bordereau=bordereau, on=day(1), comment=" flux  12 ", actor="fin")
    assert state_of(bordereau) == State.SENT
    steps = BordereauEvent.objects.order_by("pk").values_list("kind", "on", "comment", "recorded_by")
    assert list(steps) == [("signe", day(1), "", "fin"), ("envoye", day(1), "flux 12", "fin")]
    entries = JournalEntry.objects.filter(action__startswith="bordereau-").order_by("pk")
    assert list(entries.values_list("action", flat=True)) == ["bordereau-signe", "bordereau-envoye"]


def test_a_bordereau_is_not_sent_before_it_is_signed(bordereau):
    with pytest.raises(StepRefused, match="n'est pas signé"):
        send(bordereau=bordereau, on=day(1), actor="fin")


def test_each_step_is_recorded_once(world, bordereau):
    sign(bordereau=bordereau, signatory=world.signatory, on=day(1), actor="fin")
    with pytest.raises(StepRefused, match="déjà signé, depuis le 04/03/2025"):
        sign(bordereau=bordereau, signatory=world.signatory, on=day(2), actor="fin")
    send(bordereau=bordereau, on=day(2), actor="fin")
    with pytest.raises(StepRefused, match="déjà envoyé au comptable, depuis le 05/03/2025"):
        send(bordereau=bordereau, on=day(2), actor="fin")


@pytest.mark.parametrize(
    ("on", "message"),
    [(day(-1), "Ce bordereau est du 03/03/2025"), (dt.date(2999, 1, 1), "Cette date est à venir")],
)
def test_a_signature_is_neither_before_the_bordereau_nor_to_come(world, bordereau, on, message):
    with pytest.raises(StepRefused, match=message):
        sign(bordereau=bordereau, signatory=world.signatory, on=on, actor="fin")


def test_a_sending_is_not_before_the_signature(world, bordereau):
    sign(bordereau=bordereau, signatory=world.signatory, on=day(3), actor="fin")
    with pytest.raises(StepRefused, match="a été signé le 06/03/2025"):
        send(bordereau=bordereau, on=day(2), actor="fin")


def test_who_signs_is_in_office_and_of_the_issuer(world, bordereau):
    late = SignatoryFactory(issuer=world.issuer, valid_from=day(10))
    with pytest.raises(StepRefused, match="n'a pas qualité pour signer le 04/03/2025"):
        sign(bordereau=bordereau, signatory=late, on=day(1), actor="fin")
    stranger = SignatoryFactory(issuer=IssuerFactory(code="AUTRE"))
    with pytest.raises(StepRefused, match="n'est pas celui de"):
        sign(bordereau=bordereau, signatory=stranger, on=day(1), actor="fin")


def test_someone_else_than_the_titres_name_is_warned_about(world, bordereau):
    assert signature_warnings(bordereau, world.signatory) == []
    other = SignatoryFactory(issuer=world.issuer, quality="Vice-président")
    [warning] = signature_warnings(bordereau, other)
    assert "article L. 1617-5" in warning

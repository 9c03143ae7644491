"""The pages of a quote: each step where it applies, by who may take it; a price list is imported."""

import datetime as dt
import io
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from entsvc.french import long_date
from invoicing import quotes
from invoicing.models import Catalogue, CatalogueItem, Quote, QuoteLine, SupplierInvoice, Titre
from invoicing.quotes import State, state_of
from invoicing.roles import create_groups
from tests.entsvc.test_scans import a_pdf
from tests.factories import IssuerFactory
from tests.invoicing.quoting import (
    ANSWERED,
    ORDERED,
    PAID,
    SENT,
    SERVED,
    draft,
    ordered,
    sent,
    served,
)
from tests.invoicing.quoting import world as world  # the fixture
from tests.invoicing.test_admin import account

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def gestionnaire(world, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    return client


def page(quote, step):
    return reverse(f"admin:invoicing_quote_{step}", args=[quote.pk])


def document(quote, kind):
    return reverse("admin:invoicing_quote_document", args=[quote.pk, kind])


def french(day):
    return day.strftime("%d/%m/%Y")


def text(answer):
    return answer.content.decode()


def test_a_quote_is_entered_then_walked_to_its_titre_by_its_pages(world, gestionnaire):
    answer = gestionnaire.post(
        reverse("admin:invoicing_quote_add"),
        {
            "schedule": world.market.pk,
            "debtor": world.members[0].pk,
            "subject": "Équipement",
            "valid_until": "01/03/2025",
            "lines-TOTAL_FORMS": "1",
            "lines-INITIAL_FORMS": "0",
            "lines-0-item": world.tablet.pk,
            "lines-0-quantity": "2",
        },
    )
    assert answer.status_code == 302, answer.context["errors"]
    quote = Quote.objects.get()
    signatory = world.signatory.pk
    for step, given in (
        ("send", {"on": french(SENT), "signatory": signatory}),
        ("accept", {"on": french(ANSWERED), "reference": "E-1",
                    "scan": SimpleUploadedFile("s.pdf", a_pdf(), "application/pdf")}),
        ("order", {"on": french(ORDERED), "signatory": signatory, "reference": "BC"}),
        ("add_invoice", {"number": "F-9", "dated": french(SERVED), "served_on": french(SERVED),
                         "proof": "PV", "amount": "659,80", "mandat": "M-7", "paid_on": french(PAID),
                         f"served_{quote.lines.get().pk}": "2"}),
    ):  # fmt: skip
        assert gestionnaire.get(page(quote, step)).status_code == 200
        answer = gestionnaire.post(page(quote, step), given)
        assert answer.status_code == 302, text(answer)
    for kind in ("devis", "accepte", "commande"):
        answer = gestionnaire.get(document(quote, kind))
        assert answer.headers["Content-Type"] == "application/pdf"
    answer = gestionnaire.post(page(quote, "bill"), follow=True)
    assert "659,80" in text(answer)
    quote = Quote.objects.get()
    assert quote.campaign.runs.get().total == D("659.80")


def test_a_page_offers_the_steps_that_apply_and_says_what_is_left_to_do(world, gestionnaire):
    quote = sent(world, until=dt.date(2999, 1, 1))
    shown = text(gestionnaire.get(reverse("admin:invoicing_quote_change", args=[quote.pk])))
    assert page(quote, "accept") in shown
    assert page(quote, "order") not in shown
    assert "pas accepté ce devis" in shown
    draft_quote = draft(world, tablets=0, hours=0)
    shown = text(gestionnaire.get(reverse("admin:invoicing_quote_change", args=[draft_quote.pk])))
    assert "Ce devis n&#x27;a aucune ligne." in shown
    listed = text(gestionnaire.get(reverse("admin:invoicing_quote_changelist")))
    assert "D-2025-0001" in listed
    assert "en préparation" in listed


def test_a_step_that_does_not_apply_is_refused_to_who_types_its_address(world, gestionnaire):
    quote = sent(world)
    assert gestionnaire.post(page(quote, "order"), {"on": french(ORDERED)}).status_code == 403


def test_a_day_to_come_is_refused_on_the_page(world, gestionnaire):
    quote = sent(world, until=dt.date(2999, 1, 1))
    answer = gestionnaire.post(page(quote, "accept"), {"on": "31/12/2998"})
    assert "Cette date est à venir." in text(answer)
    assert state_of(Quote.objects.get(pk=quote.pk)) == State.SENT


def test_billing_says_what_stands_in_the_way_before_and_after_the_click(world, gestionnaire):
    quote = served(world, paid=False)
    assert "pas payée" in text(gestionnaire.get(page(quote, "bill")))
    answer = gestionnaire.post(page(quote, "bill"), follow=True)
    assert "pas payée" in text(answer)
    assert not Titre.objects.exists()


def test_the_mandat_is_entered_on_the_invoice_until_the_quote_is_billed(world, gestionnaire):
    quote = served(world, paid=False)
    invoice = SupplierInvoice.objects.get()
    change = reverse("admin:invoicing_supplierinvoice_change", args=[invoice.pk])
    given = {
        "number": invoice.number, "dated": french(SERVED), "served_on": french(SERVED),
        "proof": "PV", "amount": "3561.00", "mandat": "M-1", "paid_on": french(PAID),
        "lines-TOTAL_FORMS": "2", "lines-INITIAL_FORMS": "2",
    }  # fmt: skip
    for index, row in enumerate(invoice.lines.order_by("line")):
        given |= {f"lines-{index}-id": row.pk, f"lines-{index}-quantity": row.quantity}
    answer = gestionnaire.post(change, given)
    assert answer.status_code == 302, answer.context["errors"]
    quotes.bill(quote=quote, actor="gestion")


def test_a_reader_sees_quotes_and_changes_nothing(world, client):
    create_groups()
    quote = sent(world)
    client.force_login(account("lecture", issuers=[world.issuer]))
    assert client.get(reverse("admin:invoicing_quote_change", args=[quote.pk])).status_code == 200
    assert client.get(document(quote, "devis")).status_code == 200
    assert (
        client.post(page(quote, "refuse"), {"on": french(ANSWERED), "comment": "x"}).status_code == 403
    )


def test_a_quote_says_until_which_day_it_is_accepted(world, client):
    create_groups()
    quote = sent(world)
    client.force_login(account("lecture", issuers=[world.issuer]))
    answer = client.get(document(quote, "devis"))
    content = b"".join(answer) if answer.streaming else answer.content
    text = " ".join(PdfReader(io.BytesIO(content)).pages[0].extract_text().split())
    day = " ".join(long_date(quote.valid_until).split())
    assert f"daté et signé au plus tard le {day}" in text


def test_the_quotes_of_another_issuer_are_not_found(world, client):
    create_groups()
    quote = sent(world)
    client.force_login(account("gestionnaire", issuers=[IssuerFactory()]))
    assert client.get(document(quote, "devis")).status_code in (302, 404)
    assert client.post(page(quote, "refuse"), {"on": french(ANSWERED), "comment": "x"}).status_code in (
        403,
        404,
    )
    assert state_of(Quote.objects.get()) in (State.SENT, State.EXPIRED)


def test_a_quote_offers_the_prices_that_hold_today(world, gestionnaire):
    today = timezone.localdate()
    world.catalogue.ends_on = today - dt.timedelta(days=1)
    world.catalogue.save()
    newer = Catalogue.objects.create(
        schedule=world.market, market="2024-012", supplier="T", label="Avenant", starts_on=today
    )
    CatalogueItem.objects.create(
        catalogue=newer, code="NEUF", label="Tablette neuve", unit_label="u", unit_plural="u",
        unit_price=D("1.00"),
    )  # fmt: skip
    found = gestionnaire.get(
        reverse("admin:autocomplete"),
        {"app_label": "invoicing", "model_name": "quoteline", "field_name": "item", "term": "tablette"},
    ).json()
    assert [row["text"] for row in found["results"]] == ["NEUF – Tablette neuve"]


def listing(tmp_path, *lines):
    source = tmp_path / "bpu.csv"
    source.write_text("\n".join(["code;libelle;unite;prix_ttc", *lines]), encoding="utf-8")
    return str(source)


def named(world):
    return f"{world.market.code}/2024-012/Initiale"


def test_a_price_list_is_imported_once_and_brought_up_to_date(world, tmp_path, capsys):
    source = listing(tmp_path, "TAB-1;Tablette de classe;tablette;331,50", "NEUF;Borne;borne;1 250,1234")
    call_command("import_catalogue", source, "--catalogue", named(world))
    prices = dict(CatalogueItem.objects.order_by("code").values_list("code", "unit_price"))
    assert prices == {"FORM-H": D("87.3333"), "NEUF": D("1250.1234"), "TAB-1": D("331.50")}
    assert CatalogueItem.objects.get(code="NEUF").unit_plural == "bornes"
    capsys.readouterr()
    call_command("import_catalogue", source, "--catalogue", named(world))
    assert "inchangées     2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("X;Y;u;-1", "positif"),
        ("X;Y;u;1,23456", "quatre décimales"),
        ("X;Y;u;cher", "prix en euros"),
        ("X;Y;u;NaN", "positif"),
        ("DEDUCTION;Y;u;1", "réservé"),
        (";Y;u;1", "code"),
    ],
)
def test_a_price_that_is_none_is_refused_with_its_line(world, tmp_path, capsys, row, message):
    call_command("import_catalogue", listing(tmp_path, row), "--catalogue", named(world))
    out = capsys.readouterr().out
    assert "ligne 2 refusée" in out
    assert message in out


def test_prices_that_a_sent_quote_rests_on_are_not_imported_over(world, tmp_path):
    sent(world)
    with pytest.raises(Exception, match="cité"):
        call_command(
            "import_catalogue", listing(tmp_path, "TAB-1;T;u;1"), "--catalogue", named(world),
            stderr=io.StringIO(),
        )  # fmt: skip
    assert world.tablet.unit_price == D("329.90")


def test_a_draft_is_deleted_and_a_sent_quote_never_is(world, gestionnaire):
    quote, other = draft(world), sent(world)
    gestionnaire.post(reverse("admin:invoicing_quote_delete", args=[quote.pk]), {"post": "yes"})
    gestionnaire.post(reverse("admin:invoicing_quote_delete", args=[other.pk]), {"post": "yes"})
    assert list(Quote.objects.values_list("pk", flat=True)) == [other.pk]
    assert QuoteLine.objects.filter(quote=other).count() == 2


def test_copying_and_dropping_are_offered_on_the_page(world, gestionnaire):
    quote = ordered(world)
    answer = gestionnaire.post(page(quote, "copy_it"), {"valid_until": "01/03/2999"}, follow=True)
    assert Quote.objects.count() == 2, text(answer)
    gestionnaire.post(page(quote, "drop"), {"on": french(ORDERED), "comment": "Besoin disparu"})
    assert state_of(Quote.objects.get(pk=quote.pk)) == State.DROPPED

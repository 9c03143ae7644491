"""Half-days delivered are recorded with their proof, billed in the yearly call or at once, once only."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.urls import reverse

from conventions.assessment import read_basis
from conventions.estimates import estimate
from conventions.models import Convention, DeliveredUnits, Delivery
from entsvc import documents
from invoicing import deliveries
from invoicing.apart import CampaignRefused
from invoicing.calculation import compute_again, compute_run, open_supplement, recompute
from invoicing.corrections import correct
from invoicing.issuing import issue
from invoicing.models import BilledDelivery, Titre
from invoicing.numbering import IssueRefused
from invoicing.roles import create_groups
from invoicing.unbilled import unbilled
from tests.entsvc.test_scans import a_pdf
from tests.factories import DeliveredUnitsFactory
from tests.invoicing.test_admin import account
from tests.invoicing.world import ISSUED_ON, YEAR, a_world

pytestmark = pytest.mark.django_db
D = Decimal
HALF_DAY = {
    "code": "DEMIJOURNEE",
    "label": "Accompagnement spécifique",
    "unit_label": "demi-journée",
    "unit_plural": "demi-journées",
    "metric": "units",
    "unit_price": D("150.00"),
    "degree": "",
    "sector": "",
}


@pytest.fixture
def world(db):
    """Two members, of 1 and 2 schools at 45 €, whose tariff bills half-days at 150 €."""
    return a_world(members=2, charges=({}, HALF_DAY))


def deliver(member, on, quantity=1, **facts):
    convention = Convention.objects.get(debtor=member)
    given = {"subject": f"Formation du {on:%d/%m}", "proof": "émargement, 12 présents", **facts}
    delivery = Delivery(
        convention=convention, code="DEMIJOURNEE", delivered_on=on, quantity=quantity, **given
    )
    delivery.full_clean()
    delivery.save()
    return delivery


def totals(run):
    return {call.siret: call.total for call in run.calls.order_by("siret")}


def bill(world, *rows):
    [run] = deliveries.bill(deliveries=rows, actor="gestion")
    return run, issued_from(world, run)


def issued_from(world, run, on=None):
    return issue(run=run, on=on or ISSUED_ON, signatory=world.signatory, actor="finances")


def test_the_yearly_call_sums_the_deliveries_of_its_school_year_and_leaves_those_apart(world):
    first, second = world.members
    deliver(first, dt.date(2024, 11, 5), 2)
    deliver(first, dt.date(2025, 2, 3))
    deliver(first, dt.date(2025, 2, 4), 5, apart=True)
    run = world.compute()
    assert totals(run) == {first.siret: D("495.00"), second.siret: D("90.00")}


def test_the_proof_of_each_half_day_is_frozen_with_the_basis_and_printed(world):
    deliver(world.members[0], dt.date(2024, 11, 5), 2)
    titre = world.issue().titres[0]
    assert titre.call.run.basis["facts"]["delivered"] == [
        {
            "agreement": Convention.objects.get(debtor=world.members[0]).reference,
            "code": "DEMIJOURNEE",
            "on": "2024-11-05",
            "quantity": 2,
            "subject": "Formation du 05/11",
            "proof": "émargement, 12 présents",
            "sha256": "",
        }
    ]
    assert (
        "Service fait – Accompagnement spécifique : 2 le 05/11/2024 (Formation du 05/11, émargement, "
        "12 présents)"
    ) in titre.payload["sources"]


def test_a_delivery_billed_at_once_has_its_titre_and_the_yearly_call_bills_the_rest(world):
    first, second = world.members
    at_once = deliver(first, dt.date(2024, 11, 5), 2, apart=True)
    deliver(first, dt.date(2025, 2, 3))
    run, issued = bill(world, at_once)
    assert [(titre.siret, titre.total) for titre in issued.titres] == [(first.siret, D("300.00"))]
    assert "prestations du 05/11/2024" in issued.titres[0].subject
    assert sum(result.total for result in recompute(run)) == D("300.00")

    yearly = world.compute()
    assert totals(yearly) == {first.siret: D("195.00"), second.siret: D("90.00")}
    assert [titre.total for titre in world.issue(yearly).titres] == [D("195.00"), D("90.00")]
    assert open_supplement(campaign=yearly.campaign, reason="essai", actor="g").calls.count() == 0


def test_a_delivery_after_the_yearly_titre_is_called_by_a_supplement(world):
    yearly = world.compute()
    world.issue(yearly)
    deliver(world.members[0], dt.date(2025, 6, 3), 3)
    late = open_supplement(campaign=yearly.campaign, reason="demi-journées", actor="g")
    assert totals(late) == {world.members[0].siret: D("450.00")}


def test_several_members_are_billed_each_in_its_own_campaign(world):
    rows = [deliver(member, dt.date(2025, 1, 7), apart=True) for member in world.members]
    runs = deliveries.bill(deliveries=rows, actor="gestion")
    assert [run.campaign.rank for run in runs] == [1, 2]
    assert {run.campaign.reason for run in runs} == {"prestations du 07/01/2025"}
    [first, second] = [issued_from(world, run).titres[0] for run in runs]
    assert [first.siret, second.siret] == [member.siret for member in world.members]
    annul(world, first)
    Delivery.objects.filter(pk=rows[0].pk).update(quantity=2)
    with pytest.raises(DatabaseError), transaction.atomic():
        Delivery.objects.filter(pk=rows[1].pk).update(quantity=2)
    waiting = [row.siret for row in unbilled(world.issuer, 2025) if "à part" in row.basis]
    assert waiting == [world.members[0].siret]


def annul(world, titre):
    correct(
        titre=titre, kind=Titre.Kind.ANNULATION, reason_code="liquidation", reason="erreur",
        on=ISSUED_ON, signatory=world.signatory, actor="finances",
    )  # fmt: skip


def apart(row):
    row.apart = True
    row.save()


def test_what_a_yearly_titre_bills_is_not_billed_apart_too(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), 2)
    titre = world.issue().titres[0]
    apart(row)
    with pytest.raises(CampaignRefused, match=titre.reference):
        deliveries.bill(deliveries=[row], actor="gestion")


def test_a_yearly_run_that_read_a_delivery_billed_apart_since_is_not_issued(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), 2)
    yearly = world.compute()
    apart(row)
    bill(world, row)
    issued = world.issue(yearly)
    assert [titre.siret for titre in issued.titres] == [world.members[1].siret]
    assert "recalculez" in issued.blocked[0].messages[0]


def test_an_old_run_apart_bills_nothing_that_the_yearly_titre_took_over(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), 2, apart=True)
    [run] = deliveries.bill(deliveries=[row], actor="gestion")
    row.apart = False
    row.save()
    world.issue()
    apart(row)
    issued = issued_from(world, run)
    assert issued.titres == []
    assert "Déjà appelées à l'année" in issued.blocked[0].messages[0]


def test_a_titre_is_not_dated_before_the_service_is_done(world):
    row = deliver(world.members[0], dt.date(2025, 6, 3), apart=True)
    [run] = deliveries.bill(deliveries=[row], actor="gestion")
    with pytest.raises(IssueRefused, match="03/06/2025|3.juin.2025"):
        issued_from(world, run, dt.date(2025, 6, 2))
    assert issued_from(world, run, dt.date(2025, 6, 3)).titres


def test_a_delivery_computed_apart_by_error_is_unticked_then_deleted_until_its_titre(world, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    wrong, right = (deliver(world.members[0], dt.date(2025, 1, day), apart=True) for day in (7, 8))
    run, _ = bill(world, right)
    [other] = deliveries.bill(deliveries=[wrong], actor="gestion")
    for row in (wrong, right):
        delete = reverse("admin:conventions_delivery_delete", args=[row.pk])
        assert client.post(delete, {"post": "yes"}).status_code == 403
        given = {
            "convention": row.convention_id, "code": row.code, "delivered_on": row.delivered_on,
            "quantity": 1, "subject": row.subject, "proof": row.proof,
        }  # fmt: skip
        client.post(reverse("admin:conventions_delivery_change", args=[row.pk]), given)
        client.post(delete, {"post": "yes"})
    assert list(Delivery.objects.all()) == [right]
    assert issued_from(world, other).titres == []


def test_a_tied_delivery_keeps_its_year_and_its_schedule(world, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    Convention.objects.update(last_year=2025)
    row = deliver(world.members[0], dt.date(2025, 1, 7), apart=True)
    deliveries.bill(deliveries=[row], actor="gestion")
    given = {
        "convention": row.convention_id, "code": row.code, "delivered_on": "10/09/2025", "quantity": 1,
        "subject": row.subject, "proof": row.proof, "apart": "on",
    }  # fmt: skip
    page = reverse("admin:conventions_delivery_change", args=[row.pk])
    assert "elle reste de ce barème" in client.post(page, given).content.decode()
    assert client.post(page, given | {"delivered_on": "07/01/2025", "apart": ""}).status_code == 302
    assert not BilledDelivery.objects.exists()


def test_changing_what_a_yearly_titre_prints_names_the_titre(world, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    row = deliver(world.members[0], dt.date(2025, 1, 7))
    titre = world.issue().titres[0]
    given = {
        "convention": row.convention_id, "code": row.code, "delivered_on": "07/01/2025", "quantity": 2,
        "subject": row.subject, "proof": row.proof,
    }  # fmt: skip
    page = reverse("admin:conventions_delivery_change", args=[row.pk])
    answer = client.post(page, given, follow=True)
    assert f"Le titre {titre.reference} facture" in answer.content.decode()
    page = reverse("admin:conventions_delivery_delete", args=[row.pk])
    assert Delivery.objects.get().quantity == 2
    client.post(page, {"post": "yes"})
    assert not Delivery.objects.exists()


def test_the_link_of_a_billed_delivery_is_kept_by_the_database(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), apart=True)
    run, _ = bill(world, row)
    for written in (
        lambda: BilledDelivery.objects.filter(delivery=row).update(campaign=run.campaign),
        lambda: run.campaign.__class__.objects.filter(pk=run.campaign_id).update(apart=False),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            written()


def test_keys_that_no_row_has_are_refused_on_the_page(world, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    page = reverse("admin:conventions_delivery_bill_apart")
    for key in ("99999999999999999999", "abc", "0"):
        assert client.post(page, {"deliveries": [key]}).status_code == 200


def test_a_delivery_is_billed_apart_once(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), apart=True)
    bill(world, row)
    with pytest.raises(CampaignRefused, match="Déjà facturées"):
        deliveries.bill(deliveries=[row], actor="gestion")
    assert Titre.objects.count() == 1


def test_what_is_left_to_the_yearly_call_or_of_two_years_is_not_billed_apart(world):
    yearly = deliver(world.members[0], dt.date(2025, 1, 7))
    with pytest.raises(CampaignRefused, match="appel annuel"):
        deliveries.bill(deliveries=[yearly], actor="gestion")
    Convention.objects.update(last_year=2025)
    rows = [deliver(world.members[0], dt.date(y, 9, 10), apart=True) for y in (2024, 2025)]
    with pytest.raises(CampaignRefused, match="séparément"):
        deliveries.bill(deliveries=rows, actor="gestion")
    with pytest.raises(CampaignRefused, match="au moins une"):
        deliveries.bill(deliveries=[], actor="gestion")


def test_a_delivery_under_a_draft_is_not_billed(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), apart=True)
    Convention.objects.update(status="brouillon")
    with pytest.raises(CampaignRefused, match="pas en vigueur"):
        deliveries.bill(deliveries=[row], actor="gestion")


def test_units_of_an_option_that_is_not_subscribed_are_not_lost_in_silence(db):
    world = a_world(members=1, charges=({}, HALF_DAY | {"subscription": "SPECIFIQUE"}))
    deliver(world.members[0], dt.date(2025, 1, 7))
    [anomaly] = world.compute().anomalies.filter(blocking=True)
    assert "l'option SPECIFIQUE n'est pas souscrite" in anomaly.message


def test_a_billed_delivery_does_not_change_until_its_titre_is_annulled(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), 2, apart=True)
    run, issued = bill(world, row)
    for change in ({"quantity": 1}, {"apart": False}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Delivery.objects.filter(pk=row.pk).update(**change)
    correct(
        titre=issued.titres[0], kind=Titre.Kind.ANNULATION, reason_code="liquidation",
        reason="une seule demi-journée", on=ISSUED_ON, signatory=world.signatory, actor="finances",
    )  # fmt: skip
    Delivery.objects.filter(pk=row.pk).update(quantity=1)
    again = compute_again(campaign=run.campaign, actor="gestion")
    assert again.total == D("150.00")


def test_one_given_back_to_the_yearly_call_is_not_issued_from_the_run_made_before(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), apart=True)
    [run] = deliveries.bill(deliveries=[row], actor="gestion")
    row.apart = False
    row.save()
    issued = issue(run=run, on=ISSUED_ON, signatory=world.signatory, actor="finances")
    assert issued.titres == []
    assert "recalculez" in issued.blocked[0].messages[0]
    assert totals(world.compute())[world.members[0].siret] == D("195.00")


def test_a_total_and_dated_deliveries_are_not_both_entered(world):
    convention = Convention.objects.get(debtor=world.members[0])
    deliver(world.members[0], dt.date(2025, 1, 7))
    total = DeliveredUnits(convention=convention, school_year=YEAR, code="DEMIJOURNEE", quantity=3)
    with pytest.raises(ValidationError, match="leur somme"):
        total.full_clean()
    other = Convention.objects.get(debtor=world.members[1])
    DeliveredUnitsFactory(convention=other, code="DEMIJOURNEE", school_year=YEAR, quantity=3)
    with pytest.raises(ValidationError, match="total de DEMIJOURNEE est déjà saisi"):
        deliver(world.members[1], dt.date(2025, 1, 7))


def test_a_file_of_agreements_does_not_put_a_total_over_dated_deliveries(world, tmp_path, capsys):
    convention = Convention.objects.get(debtor=world.members[0])
    deliver(world.members[0], dt.date(2025, 1, 7))
    source = tmp_path / "conventions.csv"
    source.write_text(
        "siret_membre;bareme;reference;date_signature;premiere_annee;derniere_annee;date_fin;ecoles;"
        f"options;unites\n{world.members[0].siret};{world.schedule.code};{convention.reference};"
        "2024-09-02;2024-2025;2024-2025;;;;DEMIJOURNEE=3\n",
        encoding="utf-8",
    )
    call_command("import_conventions", str(source))
    assert "Des prestations datées sont enregistrées" in capsys.readouterr().out
    assert not DeliveredUnits.objects.exists()


@pytest.mark.parametrize(
    ("on", "message"),
    [(dt.date(2999, 1, 1), "à venir"), (dt.date(2023, 11, 5), "ne couvre pas 2023-2024")],
)
def test_a_delivery_is_done_within_the_years_of_its_agreement(world, on, message):
    with pytest.raises(ValidationError, match=message):
        deliver(world.members[0], on)


def test_a_delivery_without_proof_is_refused(world):
    with pytest.raises(ValidationError):
        deliver(world.members[0], dt.date(2025, 1, 7), proof="")


def test_the_new_amount_of_an_agreement_counts_its_deliveries(world):
    convention = Convention.objects.get(debtor=world.members[0])
    deliver(world.members[0], dt.date(2025, 1, 7), 2)
    assert estimate(convention, YEAR).total == D("345.00")
    [member, _] = read_basis(world.schedule, YEAR).members
    assert member.agreements[0].units == (("DEMIJOURNEE", 2),)


def test_what_is_left_apart_is_to_be_attached_until_its_titre(world):
    row = deliver(world.members[0], dt.date(2025, 1, 7), 2, apart=True)

    def waiting():
        rows = unbilled(world.issuer, 2025)
        return [found.left for found in rows if "à facturer à part" in found.basis]

    assert waiting() == [D("300.00")]
    bill(world, row)
    assert waiting() == []


def test_a_titre_of_a_court_is_asked_no_more_at_the_end_of_the_year(world):
    for titre in world.issue().titres:
        correct(
            titre=titre, kind=Titre.Kind.ANNULATION, reason_code="juge", reason="jugement",
            on=ISSUED_ON, signatory=world.signatory, actor="finances",
        )  # fmt: skip
    assert unbilled(world.issuer, 2025) == []


def test_the_sheet_is_kept_with_the_delivery_and_given_back(world, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    convention = Convention.objects.get(debtor=world.members[0])
    page = reverse("admin:conventions_delivery_add")
    content = a_pdf()
    answer = client.post(
        page,
        {
            "convention": convention.pk,
            "code": "DEMIJOURNEE",
            "delivered_on": "07/01/2025",
            "quantity": "2",
            "subject": "Formation",
            "proof": "émargement",
            "apart": "on",
            "file": SimpleUploadedFile("feuille.pdf", content, "application/pdf"),
        },
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    delivery = Delivery.objects.get()
    assert documents.read(delivery.document) == content
    answer = client.get(reverse("admin:conventions_delivery_sheet", args=[delivery.pk]))
    assert answer.content == content


def test_the_page_bills_what_waits_and_leads_to_the_run(world, client):
    create_groups()
    client.force_login(account("gestionnaire", issuers=[world.issuer]))
    row = deliver(world.members[0], dt.date(2025, 1, 7), 2, apart=True)
    page = reverse("admin:conventions_delivery_bill_apart")
    assert f"07/01/2025, {row.convention.debtor} : 2 DEMIJOURNEE" in client.get(page).content.decode()
    answer = client.post(page, {"deliveries": [row.pk]}, follow=True)
    assert "300,00" in answer.content.decode()
    assert BilledDelivery.objects.get(delivery=row).campaign.runs.get().total == D("300.00")
    change = client.get(reverse("admin:conventions_delivery_change", args=[row.pk]))
    assert change.status_code == 200


def test_a_school_year_without_tariff_says_so(world):
    Convention.objects.update(last_year=2025)
    row = deliver(world.members[0], dt.date(2025, 9, 10), apart=True)
    [found] = [r for r in unbilled(world.issuer, 2025) if r.agreements == row.convention.reference
               and r.year == 2025]  # fmt: skip
    assert "n'est adopté" in found.to_mend


def test_the_whole_year_can_still_be_computed_from_its_frozen_basis(world):
    deliver(world.members[0], dt.date(2024, 11, 5), 2)
    run = compute_run(schedule=world.schedule, year=YEAR, actor="essai")
    assert sum(result.total for result in recompute(run)) == run.total

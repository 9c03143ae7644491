"""The invoices that a channel asks for: made after the PDFs, counted with them, told when refused."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from entsvc import afterwards
from entsvc.models import Attempt
from invoicing import drawing
from invoicing.corrections import correct
from invoicing.facturx import production
from invoicing.facturx.production import Refused, kept_of, verdict_of
from invoicing.facturx.profiles import Profile, wants_facturx
from invoicing.keeping import PDF, keep
from invoicing.models import Channel, Titre, TitreDocument
from invoicing.rendering import render_missing
from tests.conventions.world import account
from tests.invoicing.correction_pages import shown
from tests.invoicing.facturx.test_production import drawn as drawn
from tests.invoicing.facturx.test_production import same_pdf as same_pdf
from tests.invoicing.facturx.test_production import unchecked as unchecked
from tests.invoicing.world import ISSUED_ON

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]


def choose(world, frame="S1"):
    Channel.objects.update_or_create(
        issuer=world.issuer, defaults={"kind": "pdf", "invoice_frame": frame}
    )


@pytest.fixture
def bordereau(world, unchecked):
    choose(world)
    return world.issue().bordereau


def counts(bordereau):
    done = drawing.progress(bordereau)
    return done.total, done.done, done.failed


def invoices():
    return TitreDocument.objects.filter(role="facturx").count()


def refuse(monkeypatch, *numbers):
    """Refuse the invoices of some titres, as a rule would."""
    produce, told = production._produce, "Règle BR-FR-05 : essai."

    def refusing(batch, profile, made):
        kept = [titre for titre in batch if titre.number not in numbers]
        made.refused += [Refused(t.pk, t.reference, [told]) for t in batch if t not in kept]
        produce(kept, profile, made)

    monkeypatch.setattr(production, "_produce", refusing)
    return told


def test_the_invoices_follow_the_documents_in_the_background(bordereau):
    assert counts(bordereau) == (7, 0, 0)
    assert drawing.nudge(bordereau)
    afterwards.run_pending()
    assert counts(bordereau) == (7, 7, 0)
    assert invoices() == 3
    assert not Attempt.objects.exists()
    assert not drawing.with_documents_left().exists()


def test_they_pass_the_rules_of_the_frame_that_was_chosen(world):
    choose(world, "A1")
    bordereau = world.issue().bordereau
    drawing.draw_left(bordereau_id=bordereau.pk)
    profile, verdict = verdict_of(kept_of(bordereau.titres.order_by("number").first()))
    assert (profile, verdict.refused, verdict.is_checked) == (Profile.CHORUS, [], True)


def test_part_by_part_each_document_comes_once(bordereau, monkeypatch):
    monkeypatch.setattr(drawing, "TOGETHER", 2)
    settled = [drawing.draw_left(bordereau_id=bordereau.pk, seconds=0) for _ in range(7)]
    assert settled == [1, 1, 1, 1, 2, 1, 0]
    assert counts(bordereau) == (7, 7, 0)


def test_a_killed_worker_loses_nothing(bordereau, monkeypatch):
    def killed(*args):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(drawing, "produce_some", killed)
        with pytest.raises(SystemExit):
            drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (7, 4, 0)
    assert drawing.draw_left(bordereau_id=bordereau.pk) == 0  # the dead one holds them
    assert drawing.with_documents_left().get() == bordereau
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(minutes=3))
    assert drawing.unfinished() == [bordereau.pk]
    assert drawing.draw_left(bordereau_id=bordereau.pk) == 3
    assert counts(bordereau) == (7, 7, 0)


def test_a_refused_one_is_told_never_kept_and_tried_again_when_asked(bordereau, monkeypatch):
    with monkeypatch.context() as patch:
        told = refuse(patch, 2)
        drawing.draw_left(bordereau_id=bordereau.pk)
        assert drawing.draw_left(bordereau_id=bordereau.pk) == 0  # not again by itself
    assert counts(bordereau) == (7, 6, 1)
    assert invoices() == 2
    [failure] = drawing.failures(bordereau, 10)
    assert (failure.name, failure.message, failure.invoice) == (
        Titre.objects.get(number=2).reference, told, True,
    )  # fmt: skip
    assert drawing.refused_of([bordereau]) == {bordereau.pk: 1}
    assert not drawing.with_documents_left().exists()
    assert drawing.put_back(bordereau=bordereau) == 1
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (7, 7, 0)


def test_one_that_breaks_the_library_stops_no_other(bordereau, monkeypatch):
    embed = production.embed

    def broken(pdf, xml, **facts):
        if facts["title"].endswith("000002"):
            raise ValueError("secret")
        return embed(pdf, xml, **facts)

    monkeypatch.setattr(production, "embed", broken)
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (7, 6, 1)
    [failure] = drawing.failures(bordereau, 10)
    assert "Facture impossible (ValueError)" in failure.message
    assert "secret" not in failure.message


def test_a_document_that_fails_keeps_its_invoice_and_that_of_the_bordereau(bordereau, monkeypatch):
    draw = drawing.draw
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "draw", lambda t: 1 / 0 if t.number == 1 else draw(t))
        drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (7, 4, 3)  # its own, its invoice, and the bordereau's
    drawing.put_back(bordereau=bordereau)
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (7, 7, 0)


def test_the_commands_make_them_too_and_say_what_was_refused(bordereau, monkeypatch):
    told, failures = refuse(monkeypatch, 3), []
    list(render_missing(Titre.objects.all(), failures))
    assert invoices() == 2
    assert failures == [f"{Titre.objects.get(number=3).reference} : {told}"]


def test_a_correction_has_its_own(world, bordereau):
    titre = bordereau.titres.order_by("number").first()
    made = correct(
        titre=titre, kind=Titre.Kind.ANNULATION, reason_code="liquidation", reason="Erreur.",
        on=ISSUED_ON, signatory=world.signatory, actor="essai",
    )  # fmt: skip
    list(render_missing(made.bordereau.titres.all()))
    assert kept_of(made) is not None


def test_what_the_channel_asks_later_changes_nothing_of_what_was_issued(world, bordereau):
    choose(world, "")
    assert wants_facturx(world.issuer) is None
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert invoices() == 3
    Channel.objects.all().delete()
    world.join(1)
    plain = world.issue().bordereau
    choose(world)
    drawing.draw_left(bordereau_id=plain.pk)
    assert counts(plain) == (2, 2, 0)
    assert not drawing.with_documents_left().exists()


def test_chorus_pro_takes_nothing_but_invoices(world):
    channel = Channel(issuer=world.issuer, kind="chorus_pro")
    with pytest.raises(ValidationError, match="choisissez leur cadre"):
        channel.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        channel.save()


# --- Pages ------------------------------------------------------------------------------------


def test_the_pages_count_them_and_tell_which_were_refused(client, world, bordereau, monkeypatch):
    told = refuse(monkeypatch, 2)
    account(client, "finances", world.issuer)
    drawing.draw_left(bordereau_id=bordereau.pk)
    page = shown(client.get(reverse("collection:documents", args=[bordereau.pk])))
    assert "une facture électronique par pièce" in page
    assert told in page
    assert "attend que ces pièces" not in page
    assert "Échec" in shown(client.get(reverse("collection:works")))
    again = shown(client.get(reverse("admin:invoicing_bordereau_draw_missing", args=[bordereau.pk])))
    assert "1 facture électronique manquante" in again


def test_the_frame_of_the_channel_is_not_asked_again(client, world, bordereau, drawn):
    account(client, "finances", world.issuer)
    for titre in bordereau.titres.order_by("number"):
        keep(titre, drawn, PDF)
    address = reverse("admin:invoicing_bordereau_facturx", args=[bordereau.pk])
    page = shown(client.get(address))
    assert "Demandée par le canal d'envoi" in page
    assert "Cadre de facturation" not in page
    client.post(address)
    assert invoices() == 3


def test_elsewhere_the_frame_of_the_channel_is_proposed_first(client, world, unchecked):
    plain = world.issue().bordereau
    list(render_missing(plain.titres.all()))
    choose(world, "A1")
    account(client, "finances", world.issuer)
    address = reverse("admin:invoicing_bordereau_facturx", args=[plain.pk])
    assert '<option value="A1" selected>' in client.get(address).content.decode()
    client.post(address, {"profile": "S1"})
    assert invoices() == 3

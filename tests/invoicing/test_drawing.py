"""The documents of a bordereau: claimed titre by titre, drawn once, never lost, told when they fail."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from entsvc import afterwards, attempts, background
from entsvc.models import Attempt, StoredDocument
from invoicing import drawing, rendering
from invoicing.models import BordereauDocument, Titre, TitreDocument
from tests.invoicing.world import a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def bordereau(world, blank_pdf):
    return world.issue().bordereau


@pytest.fixture
def press(monkeypatch, bordereau):
    """What was drawn, by number; `press.broken` says which numbers fail, and how."""

    class Press(list):
        broken = {}  # noqa: RUF012

    press, draw = Press(), rendering.draw

    def drawn(titre):
        if titre.number in press.broken:
            raise press.broken[titre.number]
        press.append(titre.number)
        return draw(titre)

    monkeypatch.setattr(drawing, "draw", drawn)
    return press


def later(monkeypatch, **time):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(**time))


def counts(bordereau):
    done = drawing.progress(bordereau)
    return done.done, done.failed, done.left


def killed(titre):
    raise SystemExit


def test_it_works(bordereau, press):
    assert counts(bordereau) == (0, 0, 4)
    assert drawing.nudge(bordereau)
    assert press == []  # nothing before the response
    afterwards.run_pending()
    assert counts(bordereau) == (4, 0, 0)
    assert press == [1, 2, 3]
    assert BordereauDocument.objects.get().bordereau == bordereau
    assert not Attempt.objects.exists()
    assert drawing.unfinished() == []


def test_a_part_stops_after_its_time_and_the_next_one_goes_on(bordereau, press):
    settled = [drawing.draw_left(bordereau_id=bordereau.pk, seconds=0) for _ in range(5)]
    assert settled == [1, 1, 1, 1, 0]
    assert counts(bordereau) == (4, 0, 0)


def test_a_titre_held_by_another_worker_is_not_drawn_twice(bordereau, press):
    held = drawing._claimed(bordereau.titres.all())
    assert held.number == 1
    assert drawing.draw_left(bordereau_id=bordereau.pk) == 2
    assert press == [2, 3]
    assert not BordereauDocument.objects.exists()  # not before all its titres


def test_a_killed_worker_loses_nothing(bordereau, press, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "draw", killed)
        with pytest.raises(SystemExit):
            drawing.draw_left(bordereau_id=bordereau.pk)
    assert drawing.draw_left(bordereau_id=bordereau.pk) == 2  # the dead one holds the first
    later(monkeypatch, minutes=3)
    assert drawing.unfinished() == [bordereau.pk]
    assert drawing.draw_left(bordereau_id=bordereau.pk) == 2
    assert counts(bordereau) == (4, 0, 0)
    assert press == [2, 3, 1]


def test_a_titre_that_kills_its_workers_fails_and_stops_no_other(bordereau, press, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "draw", killed)
        for _ in range(attempts.MOST):
            with pytest.raises(SystemExit):
                drawing.draw_left(bordereau_id=bordereau.pk)
            Attempt.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (2, 2, 0)
    [failure] = drawing.failures(bordereau, 10)
    assert "Arrêté 3 fois" in failure.message


def test_a_failure_stops_no_other_says_why_and_can_be_tried_again(bordereau, press):
    press.broken = {1: OSError(28, "No space left on device"), 3: ValueError("secret")}
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (1, 3, 0)  # its own waits for them
    assert drawing.failed_of([bordereau]) == {bordereau.pk: 2}
    first, third = drawing.failures(bordereau, 10)
    assert "No space left on device" in first.message
    assert "Dessin impossible (ValueError)" in third.message
    assert "secret" not in third.message
    assert first.name == Titre.objects.get(number=1).reference
    assert drawing.draw_left(bordereau_id=bordereau.pk) == 0  # not again by itself
    press.broken = {}
    assert drawing.put_back(bordereau=bordereau) == 2
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (4, 0, 0)


def test_a_failure_is_over_once_a_command_drew_the_document(bordereau, press):
    press.broken = {2: ValueError("secret")}
    drawing.draw_left(bordereau_id=bordereau.pk)
    list(rendering.render_missing(bordereau.titres.all()))
    assert counts(bordereau) == (4, 0, 0)
    assert drawing.failures(bordereau, 10) == []
    assert drawing.failed_of([bordereau]) == {}


def test_the_document_of_the_bordereau_fails_and_is_tried_again(bordereau, press, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("invoicing.bordereau_pdf.draw_bordereau", lambda bordereau: 1 / 0)
        drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (3, 1, 0)
    [failure] = drawing.failures(bordereau, 10)
    assert (failure.name, failure.titre) == (str(bordereau), None)
    assert drawing.failed_of([bordereau]) == {bordereau.pk: 1}
    assert drawing.put_back(bordereau=bordereau) == 1
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert counts(bordereau) == (4, 0, 0)


def test_a_document_drawn_between_the_reading_and_the_claim_is_not_drawn_again(
    bordereau, press, monkeypatch
):
    take = attempts.take

    def late(work, key):
        titre = Titre.objects.get(pk=key)
        rendering.keep(titre, b"%PDF d'un autre", rendering.PDF)
        monkeypatch.setattr(attempts, "take", take)
        return take(work, key)

    monkeypatch.setattr(attempts, "take", late)
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert press == [2, 3]
    assert TitreDocument.objects.count() == 3


def test_work_without_a_sign_of_life_is_told_apart(bordereau, press, monkeypatch):
    assert not drawing.is_stalled(bordereau)
    later(monkeypatch, minutes=2)
    assert drawing.is_stalled(bordereau)
    drawing._claimed(bordereau.titres.all())
    assert not drawing.is_stalled(bordereau)
    later(monkeypatch, minutes=3)
    assert drawing.is_stalled(bordereau)
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert not drawing.is_stalled(bordereau)


def test_the_pace_is_that_of_the_last_documents(bordereau, press, monkeypatch):
    for second in range(2):
        later(monkeypatch, seconds=10 * second)
        drawing.draw_left(bordereau_id=bordereau.pk, seconds=0)
    done = drawing.progress(bordereau)
    assert (done.done, done.left) == (2, 2)
    assert 5 <= done.per_minute <= 6
    assert 20 <= done.seconds_left <= 22


def test_corrections_are_drawn_as_well_on_their_own_bordereau(world, blank_pdf):
    from invoicing.corrections import Correction, correct_many

    issued = world.issue()
    asked = [
        Correction(titre, Titre.Kind.ANNULATION, reason_code="doublon", reason="Appelé deux fois.")
        for titre in issued.bordereau.titres.order_by("number")
    ]
    done = correct_many(
        corrections=asked, on=issued.bordereau.issued_on, signatory=world.signatory, actor="essai"
    )
    assert {bordereau.pk for bordereau in drawing.with_documents_left()} == {
        issued.bordereau.pk,
        done.bordereau.pk,
    }
    drawing.draw_left(bordereau_id=done.bordereau.pk)
    assert counts(done.bordereau) == (4, 0, 0)


def test_going_on_reads_as_much_for_many_titres_as_for_few(db, blank_pdf):
    seen = []
    for members in (2, 6):
        bordereau = a_world(members=members).issue().bordereau
        for titre in bordereau.titres.all():
            attempts.take(drawing.TITRE, titre.pk)
            attempts.fail(drawing.TITRE, titre.pk, "Essai.")
        with CaptureQueriesContext(connection) as queries:
            drawing.progress(bordereau)
            drawing.failures(bordereau, 10)
            drawing.is_stalled(bordereau)
        seen.append(len(queries))
    assert seen[0] == seen[1]


def test_a_document_is_kept_under_its_own_bytes(bordereau, press):
    drawing.draw_left(bordereau_id=bordereau.pk)
    assert StoredDocument.objects.count() == 4
    assert background.ACTIVITIES[drawing.ACTIVITY].unfinished() == []

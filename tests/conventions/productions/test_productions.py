"""All the papers of a year: claimed row by row, drawn once, never lost, told when they fail."""

import json
import zipfile
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from conventions import archive, productions, states
from conventions.models import Convention, Paper, PaperKind, Production, ProductionItem
from conventions.papers import drawing
from conventions.productions import ProductionRefused
from entsvc import afterwards, background, documents
from entsvc.models import JournalEntry
from tests.conventions.productions.producing import POLICY, finish, manifest_of, write, zip_of
from tests.conventions.world import YEAR, a_member, a_schedule, a_school, enrol
from tests.factories import AmendmentFactory, ConventionFactory, IssuerFactory, PaperFactory

pytestmark = pytest.mark.django_db


def test_it_works(schedule, agreements, press, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        production = productions.start(
            issuer=schedule.issuer, year=YEAR, kind=PaperKind.AGREEMENT, actor="essai"
        )
    afterwards.run_pending()
    done = productions.progress(production)
    assert (done.total, done.done, done.failed, done.left, done.percent) == (3, 3, 0, 0, 100)
    assert press.drawn == ["R1", "R2", "R3"]
    assert JournalEntry.objects.get(action="produire-documents").data["count"] == 3


def test_only_agreements_of_the_year_and_issuer_that_have_such_a_paper_are_concerned(schedule):
    facts = {"schedule": schedule, "policy": POLICY}
    draft = ConventionFactory(status="projet", **facts)
    force = ConventionFactory(first_year=2023, last_year=None, **facts)
    ConventionFactory(status="abandonnee", **facts)
    ConventionFactory(first_year=2025, last_year=2025, **facts)
    ConventionFactory(first_year=2023, last_year=2023, **facts)
    ConventionFactory(schedule=a_schedule(issuer=IssuerFactory(code="OTHER")), policy=POLICY)
    amended = AmendmentFactory(convention=force, school_year=YEAR)
    AmendmentFactory(convention=draft, school_year=YEAR, status="abandonne")

    def found(kind):
        return set(productions.concerned(schedule.issuer, YEAR, kind))

    assert found(PaperKind.AGREEMENT) == found(PaperKind.ANNEX) == {draft, force}
    assert found(PaperKind.CERTIFICATE) == found(PaperKind.NOTIFICATION) == {force}
    assert found(PaperKind.AMENDMENT) == {amended}
    assert all(found(kind) is not None for kind in PaperKind)


def test_nothing_to_produce_says_so_and_writes_nothing(schedule):
    with pytest.raises(ProductionRefused, match="Aucun document"):
        write(schedule)
    assert not Production.objects.exists()


def test_a_second_click_joins_the_production_that_is_under_way(schedule, agreements, press):
    first = write(schedule)
    assert write(schedule) == first
    finish(first)
    assert write(schedule) != first


def test_a_request_stops_after_its_time_and_the_next_one_goes_on(schedule, agreements, press):
    production = write(schedule)
    for left in (2, 1, 0):
        assert productions.produce(production_id=production.pk, seconds=0) == 1
        assert productions.progress(production).left == left
    assert productions.produce(production_id=production.pk, seconds=0) == 0


def test_a_killed_worker_loses_nothing(schedule, agreements, press, monkeypatch):
    production = write(schedule)
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "drawn", lambda *args, **kwargs: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            finish(production)
    monkeypatch.setattr(drawing, "drawn", lambda kind, c, a, **kw: SimpleNamespace(
        content=c.reference.encode(), text=press.text))  # fmt: skip
    assert productions.produce(production_id=production.pk) == 2  # the third is held by the dead one
    assert productions.progress(production).left == 1
    production.items.filter(claimed_until__isnull=False).update(
        claimed_until=timezone.now() - timedelta(seconds=1)
    )
    assert productions.produce(production_id=production.pk) == 1
    assert productions.progress(production).left == 0


def test_a_paper_held_by_another_worker_is_not_drawn_twice(schedule, agreements, press):
    production = write(schedule)
    first = productions._claimed(production)
    assert productions.produce(production_id=production.pk) == 2
    assert first.convention.reference not in press.drawn
    productions._settle(production, first)
    assert sorted(press.drawn) == ["R1", "R2", "R3"]
    productions._settle(production, first)  # a claim that ran out: the first one kept counts
    assert productions.progress(production).done == 3


def test_a_failure_stops_no_other_says_why_and_can_be_tried_again(
    schedule, agreements, press, django_capture_on_commit_callbacks
):
    press.broken = {"R1": drawing.PaperRefused("Il manque le SIRET."), "R2": ValueError("secret")}
    production = finish(write(schedule))
    done = productions.progress(production)
    assert (done.done, done.failed, done.left) == (1, 2, 0)
    told = dict(production.items.exclude(failure="").values_list("convention__reference", "failure"))
    assert told["R1"] == "Il manque le SIRET."
    assert "Dessin impossible (ValueError)" in told["R2"]
    assert "secret" not in told["R2"]
    press.broken = {}
    with django_capture_on_commit_callbacks(execute=True):
        assert productions.retry(production=production) == 2
    afterwards.run_pending()
    assert productions.progress(production).done == 3


def test_a_very_long_refusal_is_cut_to_its_column(schedule, agreements, press):
    press.broken = {"R1": drawing.PaperRefused("é" * 1000)}
    production = finish(write(schedule))
    failure = production.items.exclude(failure="").get().failure
    assert len(failure) == productions.LONGEST_FAILURE
    assert failure.endswith("…")


def test_what_was_sent_or_signed_comes_out_as_it_was_kept(schedule, agreements, press, media):
    first, second, _ = agreements
    sent, signed, annex = (
        documents.store(content, content_type="application/pdf", suffix=".pdf")
        for content in (b"%PDF envoye", b"%PDF signe", b"%PDF annexe")
    )
    PaperFactory(convention=first, document=sent)
    PaperFactory(convention=second, document=sent)
    PaperFactory(convention=second, document=signed, role=Paper.Role.SIGNED, text=None)
    PaperFactory(convention=first, kind=PaperKind.ANNEX, document=annex)
    production = finish(write(schedule))
    assert press.drawn == ["R3"]
    archived = zip_of(production)
    rows = {row["référence"]: row for row in manifest_of(archived)}
    assert rows["R1"]["état"] == "envoyé pour signature"
    assert rows["R2"]["état"] == "signé"
    assert rows["R3"]["état"] == archive.DRAFT
    assert archived.read(rows["R2"]["fichier"]) == b"%PDF signe"
    assert rows["R3"]["fichier"].endswith("PROJET.pdf")
    yearly = finish(write(schedule, PaperKind.ANNEX))
    assert yearly.items.filter(paper__isnull=True).count() == 3  # a list of a year is drawn anew


def test_the_manifest_tells_each_file_and_is_safe_in_a_spreadsheet(schedule, press, media):
    schedule.issuer.name = "Essai"
    party = a_member(name="=Commune d'Évry & fils")
    convention = ConventionFactory(schedule=schedule, reference="A/1", party=party, policy=POLICY)
    ConventionFactory(schedule=schedule, reference="A 1", party=party, policy=POLICY)
    press.broken = {"B": drawing.PaperRefused("Il manque le SIRET.")}
    ConventionFactory(schedule=schedule, reference="B", party=party, policy=POLICY)
    production = finish(write(schedule))
    archived = zip_of(production)
    assert archived.testzip() is None
    rows = {row["référence"]: row for row in manifest_of(archived)}
    assert len(archived.namelist()) == len(set(archived.namelist())) == 3
    assert {rows["A/1"]["fichier"], rows["A 1"]["fichier"]} < set(archived.namelist())
    for reference in ("A/1", "A 1"):
        row = rows[reference]
        stored = production.items.get(convention__reference=reference).document
        assert row["SHA-256"] == stored.sha256
        assert row["membre"] == "'=Commune d'Évry & fils"
        assert row["SIRET"] == convention.party.siret
        assert row["version du texte"] == str(press.text)
    assert rows["B"]["remarque"] == "Il manque le SIRET."
    assert rows["B"]["fichier"] == rows["B"]["SHA-256"] == ""


def test_a_damaged_document_is_left_out_and_the_manifest_says_so(schedule, agreements, press, media):
    production = finish(write(schedule))
    stored = production.items.get(convention=agreements[1]).document
    (media / stored.path).write_bytes(b"autre chose")
    rows = {row["référence"]: row for row in manifest_of(zip_of(production))}
    assert "restaurez-le" in rows["R2"]["remarque"]
    assert [row["fichier"] != "" for row in rows.values()] == [True, False, True]


def test_each_amendment_of_the_year_has_its_paper(schedule, agreements, press):
    for number, status in ((1, "accepte"), (2, "sans_effet")):
        AmendmentFactory(
            convention=agreements[0], number=number, status=status, ruling="Lu.", dated="2024-09-10"
        )
    production = finish(write(schedule, PaperKind.AMENDMENT))
    rows = manifest_of(zip_of(production))
    assert [row["avenant"] for row in rows] == ["1", "2"]
    assert len({row["fichier"] for row in rows}) == 2


def test_a_worker_that_cannot_be_reached_is_told(schedule, agreements, press, monkeypatch):
    production = write(schedule)
    monkeypatch.setattr(background, "is_inline", lambda: False)
    monkeypatch.setattr(background, "_awaited", lambda name, key: 1)
    asked = []
    task = SimpleNamespace(enqueue=lambda *given: asked.append(given))
    monkeypatch.setattr(background, "go_on_task", task)
    assert productions.nudge(production) is True
    assert asked == [(productions.ACTIVITY, str(production.pk))] * (background.HANDS - 1)
    monkeypatch.setattr(background, "go_on_task", SimpleNamespace(enqueue=lambda *given: 1 / 0))
    assert productions.nudge(production) is False
    assert productions.progress(production).left == 3


# --- Without a worker: the web server draws by itself -------------------------------------------


def test_the_work_goes_on_by_itself_a_part_at_a_time(schedule, agreements, press, monkeypatch):
    monkeypatch.setattr(background, "PART_SECONDS", 0)
    production, left = write(schedule), []
    hand_back = afterwards.hand_back

    def seen(job):
        left.append(productions.progress(production).left)
        hand_back(job)

    monkeypatch.setattr(afterwards, "hand_back", seen)
    assert productions.nudge(production) is True
    assert press.drawn == []  # nothing before the response
    afterwards.run_pending()
    assert left == [2, 1, 0]
    assert press.drawn == ["R1", "R2", "R3"]


def test_a_click_during_the_work_starts_no_second_one(schedule, agreements, press, monkeypatch):
    production, drawn = write(schedule), drawing.drawn

    def clicked(kind, convention, amendment=None, **facts):
        background.Part(productions.ACTIVITY, production.pk)()  # what another thread would do now
        return drawn(kind, convention, amendment, **facts)

    monkeypatch.setattr(drawing, "drawn", clicked)
    background.Part(productions.ACTIVITY, production.pk)()
    afterwards.run_pending()
    assert press.drawn == ["R1", "R2", "R3"]


def test_a_part_that_breaks_can_be_asked_for_again(schedule, agreements, press, monkeypatch, caplog):
    production = write(schedule)
    with monkeypatch.context() as patch:
        patch.setattr(productions, "_claimed", lambda production: 1 / 0)
        productions.nudge(production)
        afterwards.run_pending()
    assert "a échoué" in caplog.text
    assert productions.progress(production).left == 3
    background.Part(productions.ACTIVITY, production.pk)()
    assert background._under_way == set()


def test_work_without_a_sign_of_life_is_told_apart(schedule, agreements, press, monkeypatch):
    production = write(schedule)
    now = timezone.now()

    def later(**time):
        monkeypatch.setattr(timezone, "now", lambda: now + timedelta(**time))

    assert not productions.is_stalled(production)
    later(minutes=2)
    assert productions.is_stalled(production)
    item = productions._claimed(production)
    later(minutes=2, seconds=50)
    assert not productions.is_stalled(production)
    later(minutes=3, seconds=10)
    assert productions.is_stalled(production)
    productions._settle(production, item)
    assert not productions.is_stalled(production)
    later(minutes=20)
    assert productions.is_stalled(production)
    finish(production)
    later(minutes=40)
    assert not productions.is_stalled(production)


# --- Command ------------------------------------------------------------------------------------


def test_the_command_starts_goes_on_and_writes_the_zip(schedule, agreements, press, tmp_path, capsys):
    press.broken = {"R2": drawing.PaperRefused("Il manque le SIRET.")}
    wanted = ["--issuer", "TST", "--school-year", "2024-2025", "--kind", "convention"]
    call_command("produce_papers", *wanted, "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["total"], told["done"], told["left"]) == (3, 2, 0)
    assert told["failed"] == [{"reference": "R2", "message": "Il manque le SIRET."}]
    press.broken = {}
    path = tmp_path / "documents.zip"
    call_command("produce_papers", "--production", told["production"], "--retry", "--zip", str(path))
    assert "3 documents produits sur 3." in capsys.readouterr().out.replace("\xa0", " ")
    assert len(zipfile.ZipFile(path).namelist()) == 4
    assert [path.name for path in tmp_path.glob("*documents*")] == ["documents.zip"]


def test_the_command_says_what_is_wrong(schedule, agreements, press, tmp_path):
    with pytest.raises(CommandError, match="Arguments faux") as caught:
        call_command("produce_papers", "--issuer", "TST")
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="inconnu"):
        call_command("produce_papers", "--production", "00000000-0000-0000-0000-000000000000")
    wanted = ["--issuer", "TST", "--kind", "convention"]
    with pytest.raises(CommandError, match="Aucun document"):
        call_command("produce_papers", *wanted, "--school-year", "2001-2002")
    nowhere = tmp_path / "absent" / "documents.zip"
    with pytest.raises(CommandError, match="n'a pas pu être écrit"):
        call_command("produce_papers", *wanted, "--school-year", "2024-2025", "--zip", str(nowhere))


def test_a_school_enrolled_in_a_real_agreement_is_really_drawn(schedule):
    from conventions.papers.defaults import load_default_texts

    load_default_texts()
    enrol(schedule, a_school(), policy=POLICY, reference="VRAI")
    production = finish(write(schedule))
    item = ProductionItem.objects.select_related("document", "text").get(production=production)
    assert item.failure == ""
    assert documents.read(item.document).startswith(b"%PDF")
    assert item.text.policy == POLICY


def test_a_paper_that_was_taken_back_is_drawn_anew(schedule, agreements, press, media):
    first, second, third = agreements
    old, new = (
        documents.store(content, content_type="application/pdf", suffix=".pdf")
        for content in (b"%PDF ancien", b"%PDF nouveau")
    )
    PaperFactory(convention=first, document=old)  # sent, then taken up again
    PaperFactory(convention=first, document=old, role=Paper.Role.SIGNED, text=None)
    Convention.objects.filter(pk=first.pk).update(status=states.DRAFT)
    PaperFactory(convention=second, document=old)  # signed, then changed and sent again
    PaperFactory(convention=second, document=old, role=Paper.Role.SIGNED, text=None)
    PaperFactory(convention=second, document=new)
    production = finish(write(schedule))
    assert press.drawn == ["R1", "R3"]
    archived = zip_of(production)
    rows = {row["référence"]: row for row in manifest_of(archived)}
    assert rows["R1"]["état"] == archive.DRAFT
    assert rows["R2"]["état"] == "envoyé pour signature"
    assert archived.read(rows["R2"]["fichier"]) == b"%PDF nouveau"


def test_an_amendment_that_is_changed_or_sent_back_gives_no_former_paper(
    schedule, agreements, press, media
):
    sent, signed = (
        documents.store(content, content_type="application/pdf", suffix=".pdf")
        for content in (b"%PDF envoye", b"%PDF signe")
    )
    for convention, status in zip(
        agreements, (states.DRAFT, states.SENT_BACK, states.ACCEPTED), strict=True
    ):
        ruled = {"ruling": "Lu.", "dated": "2024-09-10"} if status == states.ACCEPTED else {}
        amendment = AmendmentFactory(convention=convention, status=status, **ruled)
        kept = {"convention": convention, "amendment": amendment, "kind": PaperKind.AMENDMENT}
        PaperFactory(document=sent, **kept)
        PaperFactory(document=signed, role=Paper.Role.SIGNED, text=None, **kept)
    archived = zip_of(finish(write(schedule, PaperKind.AMENDMENT)))
    found = {row["référence"]: row["état"] for row in manifest_of(archived)}
    assert found == {"R1": archive.DRAFT, "R2": "envoyé pour signature", "R3": "signé"}

"""The texts of the project are loaded once, and never over those of the staff."""

import pytest

from conventions.models import PaperKind, PaperText
from conventions.papers import defaults, texts
from conventions.papers.defaults import AUTHOR, UnreadableText, load_default_texts, read_all
from conventions.policies import POLICIES

pytestmark = pytest.mark.django_db

TEXT = '+++\ntitle = "Certificat"\nkind = "certificat"\n+++\n{membre} est inscrit.\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "commun.certificat.md").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_every_agreement_has_a_text_of_every_paper():
    load_default_texts()
    assert {text.created_by for text in PaperText.objects.all()} == {AUTHOR}
    for policy in POLICIES:
        for kind in PaperKind:
            assert texts.text_for(policy, kind).version == 1


def test_each_text_is_in_the_file_of_its_name():
    for path in sorted(defaults.FOLDER.glob("*.md")):
        text = defaults.read(path)
        assert path.name == f"{text.policy or 'commun'}.{text.kind}.md"
    assert len(read_all()) == len({(text.policy, text.kind) for text in read_all()})


def test_loading_twice_writes_nothing_more(folder):
    assert load_default_texts(folder=folder) == {"PaperText": 1}
    assert load_default_texts(folder=folder) == {}
    assert PaperText.objects.get().version == 1


def test_a_text_that_changed_gets_a_version_more(folder):
    load_default_texts(folder=folder)
    changed = TEXT.replace("est inscrit", "est bien inscrit")
    (folder / "commun.certificat.md").write_text(changed, encoding="utf-8")
    assert load_default_texts(folder=folder) == {"PaperText": 1}
    latest = PaperText.objects.order_by("-version").first()
    assert (latest.version, latest.created_by) == (2, AUTHOR)
    assert "bien inscrit" in latest.body
    assert latest.note


def test_a_text_that_staff_took_over_is_left_alone(folder):
    load_default_texts(folder=folder)
    texts.save_version(
        kind=PaperKind.CERTIFICATE, title="Le nôtre", body="{membre} est là.", actor="gestionnaire"
    )
    changed = TEXT.replace("est inscrit", "est bien inscrit")
    (folder / "commun.certificat.md").write_text(changed, encoding="utf-8")
    assert load_default_texts(folder=folder) == {}
    assert texts.text_for("", PaperKind.CERTIFICATE).title == "Le nôtre"


def test_a_file_that_is_no_text_is_named(folder):
    for content, why in (
        ("Sans en-tête", "en-tête"),
        ("+++\ntitle = 3 =\n+++\nTexte\n", "en-tête"),
        ('+++\ntitle = "T"\n+++\nTexte\n', "en-tête"),
        (TEXT.replace('"certificat"', '"facture"'), "inconnu"),
        (TEXT.replace("{membre}", "{mambre}"), "mambre"),
    ):
        (folder / "commun.certificat.md").write_text(content, encoding="utf-8")
        with pytest.raises(UnreadableText, match=why):
            load_default_texts(folder=folder)
    assert not PaperText.objects.exists()

"""The PDF renderer and the titre it draws: same bytes, own files only, every mention there."""

import io
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.checks import ERROR, WARNING
from django.template.loader import render_to_string
from pypdf import PdfReader
from weasyprint.urls import FatalURLFetchingError

from entsvc import checks, pdf
from tests.entsvc.titre_payload import (
    local_titre,
    state_titre,
    titre_of_schools,
    titre_without_options,
)

# WeasyPrint 70 leaves its colour profile for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning")

FONTS = Path(pdf.__file__).parent / "static" / "entsvc" / "fonts"
SPECIMEN = "SPÉCIMEN – signataire et comptable fictifs"
PRINT_DIGEST = """
import hashlib, django
django.setup()
from entsvc.pdf import render_pdf
from tests.entsvc import titre_payload
render_pdf("pdf/titre.html", titre_payload.local_titre())
print(hashlib.sha256(render_pdf("pdf/titre.html", titre_payload.state_titre())).hexdigest())
"""


@pytest.fixture(autouse=True)
def weasyprint_stays_silent(caplog):
    with caplog.at_level(logging.WARNING, logger="weasyprint"):
        yield
    assert [record.getMessage() for record in caplog.records if "weasyprint" in record.name] == []


def draw(payload):
    return PdfReader(io.BytesIO(pdf.render_pdf("pdf/titre.html", payload)))


def pages(reader):
    """Each page's text on one line, typographic spaces and apostrophes made plain."""
    return [" ".join(page.extract_text().replace("’", "'").split()) for page in reader.pages]


def draw_html(tmp_path, settings, html):
    (tmp_path / "page.html").write_text(html)
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]
    return pdf.render_pdf("page.html", {})


# --- The renderer ---------------------------------------------------------------------------


def test_two_processes_give_the_same_bytes_and_end_well():
    expected = sha256(pdf.render_pdf("pdf/titre.html", state_titre())).hexdigest()
    for seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "DJANGO_SETTINGS_MODULE": "entsvc.settings",
        }
        run = subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stdout.strip()) == (0, expected), run.stderr


def test_threads_share_the_press():
    expected = pdf.render_pdf("pdf/titre.html", state_titre())
    drawn = []
    threads = [
        threading.Thread(target=lambda: drawn.append(pdf.render_pdf("pdf/titre.html", state_titre())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [expected] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork n'existe pas sur ce système")
def test_a_forked_child_leaves_the_fonts_of_its_parent():
    expected = pdf.render_pdf("pdf/titre.html", state_titre())
    folder = pdf._press.fonts()._folder
    with pdf._press.lock, multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(pdf.render_pdf, ("pdf/titre.html", state_titre())) == expected
        pool.close()
        pool.join()
    assert sorted(path.name for path in folder.iterdir())
    assert pdf.render_pdf("pdf/titre.html", state_titre()) == expected


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/logo.png",
        "https://example.org/logo.png",
        "ftp://example.org/logo.png",
        "file:///etc/passwd",
        "data:text/css,p{}",
        "STATIC:entsvc/pdf.css",
        "static:",
        "static:entsvc/absent.css",
        "static:entsvc",
        "static:/etc/passwd",
        "static:../settings.py",
        "static:entsvc/../../settings.py",
        "static:%2e%2e/settings.py",
        "static:entsvc/%2E%2E/%2E%2E/settings.py",
        "static:%2Fetc%2Fpasswd",
        "static:entsvc/pdf.css%00",
        "entsvc/pdf.css",
    ],
)
def test_the_fetcher_refuses_everything_but_static_files(address):
    with pytest.raises(FatalURLFetchingError, match="refusée"):
        pdf.static_fetcher()(address)


def test_the_fetcher_opens_static_files():
    response = pdf.static_fetcher()("static:entsvc/pdf.css")
    assert response.content_type == "text/css"
    assert b"@font-face" in response.read()


@pytest.mark.parametrize(
    "body",
    [
        '<img src="http://example.org/a.png" alt="a">',
        '<img src="file:///etc/passwd" alt="a">',
        '<img src="logo.png" alt="a">',
        "<style>@import url(http://example.org/a.css);</style>",
        '<p style="background: url(file:///etc/passwd)">a</p>',
    ],
)
def test_a_document_that_asks_for_anything_else_is_not_drawn(tmp_path, settings, body):
    html = f'<html lang="fr"><title>Essai</title><body>{body}</body></html>'
    with pytest.raises(pdf.PdfError, match="refusée"):
        draw_html(tmp_path, settings, html)


def test_the_press_still_works_after_a_refusal(tmp_path, settings):
    with pytest.raises(pdf.PdfError):
        draw_html(tmp_path, settings, '<html lang="fr"><img src="http://a.example/" alt="a">')
    assert draw_html(tmp_path, settings, '<html lang="fr"><title>Essai</title><p>Oui')


def test_only_the_two_fonts_of_the_project_are_embedded():
    names, files = set(), 0
    for page in draw(titre_of_schools(20)).pages:
        for reference in page["/Resources"]["/Font"].values():
            font = reference.get_object()["/DescendantFonts"][0].get_object()
            names.add(font["/BaseFont"].split("+")[1])
            files += any(key.startswith("/FontFile") for key in font["/FontDescriptor"])
    assert names == {"Inter-Document", "Inter-Document-Semi-Bold"}
    assert files


def test_the_fonts_have_the_characters_of_french_and_tabular_figures():
    from fontTools.ttLib import TTFont

    for file in ("Inter-Regular.otf", "Inter-SemiBold.otf"):
        font = TTFont(FONTS / file)
        missing = set("\u00a0\u202f€œŒŸÉÈÀÇ’«»×−–·°") - {chr(code) for code in font.getBestCmap()}
        assert not missing
        assert "tnum" in {record.FeatureTag for record in font["GSUB"].table.FeatureList.FeatureRecord}
    assert "SIL OPEN FONT LICENSE" in (FONTS / "OFL.txt").read_text()


def test_the_file_declares_pdf_a_3a_and_its_own_dates():
    reader = draw(state_titre())
    catalog = reader.trailer["/Root"]
    xmp = catalog["/Metadata"].get_data().decode()
    assert 'pdfaid:part="3"' in xmp
    assert 'pdfaid:conformance="A"' in xmp
    assert "<xmp:CreateDate>2025-03-03</xmp:CreateDate>" in xmp
    assert catalog["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"] == "fr"
    assert reader.trailer["/ID"]
    assert reader.metadata["/CreationDate"] == "D:20250303"
    assert reader.metadata.title.startswith("Titre de perception n°\u00a012 (OCC-2025-000012)")
    assert reader.metadata.author == "Région académique Occitanie"


# --- The titre ------------------------------------------------------------------------------


def test_the_state_titre_carries_every_mention_on_one_page():
    payload = state_titre()
    (text,) = pages(draw(payload))
    for mention in (
        "Titre de perception N° 12 – exercice 2025",
        "Émis et rendu exécutoire le 3 mars 2025",
        "Ministère de l'Éducation nationale",
        "Délégation régionale au numérique pour l'éducation",
        "Centre de coûts RECEXEM031",
        "Contact : Bureau des conventions ENT",
        "Bordereau n° 3",
        "Commune de Saubens",
        "1 place Géraud Lavergne",
        "SIRET du débiteur 213 105 331 00010",
        "Participation à l'ENT-École pour l'année scolaire 2024-2025",
        "délibération municipale n° 2024/36 du 20 juin 2024",
        "Ecole élémentaire publique Le Petit Prince 0310891A Saubens 1 école × 45,00 € 45,00 €",
        "Total à payer Hors du champ de la TVA",
        "quarante-cinq euros",
        "Programme 0000 (exemple)",
        "RF84OCC2025000012",
        "FR36 3000 1000 0000 0000 0EXE M34",
        "BDFEFRPPCCT",
        "Codique 000000",
        "au plus tard le 15 mai 2025",
        "Camille Exemple Cheffe du service des recettes",
        "Par délégation du recteur",
        "Titre exécutoire en application de l'article L. 252 A du livre des procédures fiscales",
        "majorée de 10 %",
        "articles 117 et 118",
        "tribunal administratif",
        SPECIMEN,
        "Page 1 / 1",
    ):
        assert mention in text


def test_the_local_titre_carries_every_mention_on_one_page():
    payload = local_titre()
    (text,) = pages(draw(payload))
    for mention in (
        "Titre de recettes – avis des sommes à payer N° 1042 – exercice 2024",
        "Budget principal (collectivité 000, budget 00)",
        "Bordereau n° 87",
        "Code service SERVICE_EDUC",
        "Engagement ENG2024-0042",
        "291 élèves × 1,30 € 378,30 €",
        "Accompagnement spécifique à la demi-journée 3 demi-journées × 150,00 € 450,00 €",
        "neuf cent quinze euros et soixante centimes",
        "Nature 74751",
        "Fonction 212",
        "30 jours après la mise à disposition sur Chorus Pro",
        "PayFiP",
        "Ouvert du lundi au vendredi",
        "Dominique Modèle",
        "L. 252 A",
        "L. 1617-5",
        "deux mois",
    ):
        assert mention in text


def test_an_empty_mention_leaves_no_label():
    (text,) = pages(draw(titre_without_options(state_titre())))
    for label in (
        "SPÉCIMEN",
        "Bordereau",
        "Centre de coûts",
        "Budget",
        "SIRET du débiteur",
        "Code service",
        "Engagement",
        "Pour le compte de",
        "Contact",
        "fondement",
        "Imputation",
        "IBAN",
        "BIC",
        "En ligne",
        "Délai",
        "Codique",
        "Ouvert",
        "Force exécutoire",
        "recours",
        "·  ·",
    ):
        assert label not in text
    assert "Commune de Saubens" in text


@pytest.mark.parametrize("payload", [state_titre(), local_titre(), titre_of_schools(20)])
@pytest.mark.parametrize("bare", [False, True])
def test_no_variable_is_undefined(settings, payload, bare):
    settings.TEMPLATES = [
        settings.TEMPLATES[0]
        | {"OPTIONS": settings.TEMPLATES[0]["OPTIONS"] | {"string_if_invalid": "INDÉFINI"}}
    ]
    context = titre_without_options(payload) if bare else payload
    assert "INDÉFINI" not in render_to_string("pdf/titre.html", context)


def test_years_and_numbers_are_never_localized(settings):
    settings.USE_THOUSAND_SEPARATOR = True
    assert "N° 1042 – exercice 2024" in pages(draw(local_titre()))[0]


@pytest.mark.parametrize(("lines", "expected"), [(7, 1), (8, 1), (9, 2)])
def test_the_annex_comes_beyond_eight_lines(lines, expected):
    payload = state_titre()
    payload["lines"] = payload["lines"] * lines
    texts = pages(draw(payload))
    assert len(texts) == expected
    assert ("Annexe – détail par école" in texts[-1]) == (expected > 1)


def test_the_annex_repeats_its_headings_and_carries_its_totals():
    payload = titre_of_schools(60)
    first, *annex = pages(draw(payload))
    assert "Contribution de base 12 670 élèves × 1,30 € 16 471,00 €" in first
    assert "Le détail par école est donné en annexe" in first
    assert len(annex) == 3
    for rank, text in enumerate(annex, start=2):
        assert "École UAI Commune Calcul Montant" in text
        assert SPECIMEN in text
        assert "réf. NPDC-2024-001042" in text
        assert f"Page {rank} / 4" in text
    assert "Sous-total : Contribution de base 16 471,00 €" in " ".join(annex)
    for before, after in zip(annex, annex[1:], strict=False):
        carried = _carried(before)
        assert carried
        assert f"Report : {carried.removeprefix('À reporter : ')}" in after
    assert not _carried(annex[-1])
    assert "Total 20 722,00 €" in annex[-1]
    assert " ".join(annex).count(" élèves × ") == 120


def _carried(text):
    match = re.search(r"À reporter : [\d ]+,\d\d €", text)
    return match[0] if match else ""


def test_a_long_name_stays_whole_and_long_texts_flow_to_the_next_page():
    payload = local_titre()
    payload["debtor"]["name"] = " ".join(["Communauté d'agglomération des Exemples"] * 5)
    payload["texts"] = {name: text * 3 for name, text in payload["texts"].items()}
    first, second = pages(draw(payload))
    assert first.count("Communauté d'agglomération des Exemples") == 5
    assert "Voies et délais de recours" in second
    assert SPECIMEN in second


def test_without_school_the_calculation_stays_on_its_line():
    payload = local_titre()
    unit = {**payload["lines"][-1], "explanation": "2 demi-journées × 150,00\u00a0€ = 300,00\u00a0€"}
    unit |= {"school": "", "uai": "", "commune": "", "amount": "300.00"}
    charges = [
        {"code": unit["charge"], "label": unit["charge_label"], "formula": "", "amount": "300.00"}
    ]
    [page] = draw({**payload, "lines": [unit], "charges": charges, "total": "300.00"}).pages
    lines = [" ".join(line.split()) for line in page.extract_text().splitlines()]
    assert any("2 demi-journées × 150,00 €" in line for line in lines)


def test_a_correction_asks_for_no_payment():
    payload = state_titre()
    payload["document"]["kind"] = "annulation"
    (text,) = pages(draw(payload))
    assert "Pour payer" not in text
    assert "Total à payer" not in text


def test_headings_and_table_headers_are_tagged():
    reader = draw(local_titre())
    objects = (reader.get_object(number) for number in range(1, reader.trailer["/Size"]))
    tags = Counter(item.get("/S") for item in objects if isinstance(item, dict))
    assert tags["/H1"] == 1
    assert tags["/H2"] >= 6
    assert tags["/TH"] > 5
    assert tags["/TD"] > 20


def test_a_hostile_name_is_printed_as_text():
    payload = state_titre()
    payload["debtor"]["name"] = '<img src="file:///etc/passwd"> & fils'
    assert '<img src="file:///etc/passwd"> & fils' in pages(draw(payload))[0]


# --- The system check -----------------------------------------------------------------------


def test_this_machine_can_draw():
    assert checks.check_pdf_libraries(None) == []


def test_without_the_subsetter_a_warning_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(checks, "_loads", lambda name: False)
    monkeypatch.setattr("weasyprint.text.ffi.harfbuzz_subset", None)
    (message,) = checks.check_pdf_libraries(None)
    assert (message.level, message.id) == (WARNING, "entsvc.W001")
    assert "apt-get install libharfbuzz-subset0" in message.hint


def test_without_the_libraries_an_error_says_so(monkeypatch):
    def missing():
        raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(checks, "_loads", lambda name: False)
    monkeypatch.setattr(checks, "_weasyprint_has_subsetter", missing)
    (message,) = checks.check_pdf_libraries(None)
    assert (message.level, message.id) == (ERROR, "entsvc.E001")
    assert "libpango" in message.msg

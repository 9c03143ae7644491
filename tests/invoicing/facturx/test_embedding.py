"""The XML within the PDF: found again as it was, in a file still structured as PDF/A-3."""

import datetime as dt
import io
import re

import pikepdf
import pytest

from entsvc.pdf import render_pdf
from invoicing.facturx import invoice_xml
from invoicing.facturx.invoice_xml import embed, extract
from tests.entsvc.titre_payload import state_titre
from tests.invoicing.facturx.examples import invoice

# WeasyPrint 70 leaves its colour profile for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning")

ABOUT = {
    "author": "Région académique Occitanie",
    "title": "Titre de perception OCC-2025-000012",
    "subject": "Participation à l'ENT-École",
    "on": dt.date(2025, 3, 3),
}
FX = "{urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#}"
METADATA = {
    "pdfaid:part": "3",
    f"{FX}DocumentType": "INVOICE",
    f"{FX}DocumentFileName": "factur-x.xml",
    f"{FX}Version": "1.0",
    f"{FX}ConformanceLevel": "EN 16931",
}


@pytest.fixture(scope="module")
def xml():
    return invoice("D")


@pytest.fixture(scope="module")
def base():
    return render_pdf("pdf/titre.html", state_titre())


@pytest.fixture(scope="module")
def whole(base, xml):
    return embed(base, xml, **ABOUT)


@pytest.fixture
def pdf(whole):
    with pikepdf.open(io.BytesIO(whole)) as opened:
        yield opened


def test_the_xml_comes_out_as_it_went_in(whole, xml):
    assert extract(whole) == xml


def test_a_plain_pdf_holds_no_invoice(base):
    assert extract(base) == b""


def test_the_same_titre_gives_the_same_bytes_at_any_hour(base, xml, whole, monkeypatch):
    import facturx.facturx as library

    monkeypatch.setattr(library, "_get_pdf_timestamp", lambda *_: "D:20330102030405+00'00'")
    monkeypatch.setattr(library, "_get_metadata_timestamp", lambda: "2033-01-02T03:04:05+00:00")
    assert embed(base, xml, **ABOUT) == whole
    assert b"2033" not in whole
    assert len(re.findall(invoice_xml.PDF_STAMP, whole)) == 3
    assert len(re.findall(invoice_xml.XMP_STAMP, whole)) == 2


def test_the_pages_are_those_of_the_titre(base, pdf):
    with pikepdf.open(io.BytesIO(base)) as former:
        assert len(pdf.pages) == len(former.pages)
        for page, before in zip(pdf.pages, former.pages, strict=True):
            assert page.Contents.read_bytes() == before.Contents.read_bytes()
        assert "/StructTreeRoot" in pdf.Root
        assert pdf.Root.Lang == "fr-FR"


def test_the_metadata_are_one_and_say_what_the_file_is(pdf):
    raw = pdf.Root.Metadata.read_bytes()
    assert raw.count(b"<rdf:RDF") == 1
    assert b"pdfaExtension" in raw
    with pdf.open_metadata() as read:
        assert {name: read.get(name) for name in METADATA} == METADATA
        assert read["dc:title"] == ABOUT["title"]


def test_the_file_has_an_identity_and_no_lock(pdf):
    assert len(pdf.trailer.ID) == 2
    assert "/Encrypt" not in pdf.trailer
    assert not [item for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and "/JS" in item]


def test_the_colours_are_told(pdf):
    [intent] = pdf.Root.OutputIntents
    assert intent.S == "/GTS_PDFA1"
    assert "/DestOutputProfile" in intent


def test_the_xml_is_attached_once_with_what_it_is(pdf):
    [attached] = pdf.Root.AF
    names = pdf.Root.Names.EmbeddedFiles.Names
    assert str(names[0]) == "factur-x.xml"
    assert names[1].objgen == attached.objgen
    assert attached.AFRelationship == "/Data"
    assert str(attached.F) == str(attached.UF) == "factur-x.xml"
    assert attached.EF.F.Subtype == "/text/xml"


def test_every_font_is_within_the_file(pdf):
    described = [
        item
        for item in pdf.objects
        if isinstance(item, pikepdf.Dictionary) and item.get("/Type") == "/FontDescriptor"
    ]
    assert described
    for font in described:
        assert any(f"/FontFile{suffix}" in font for suffix in ("", "2", "3"))

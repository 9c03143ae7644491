"""A file that someone sends is a plain PDF or it is refused, whatever its name says."""

import tempfile
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NullObject,
    NumberObject,
    TextStringObject,
)

from entsvc import scan_check, scans
from entsvc.scan_check import check_inside, check_shape
from entsvc.scans import (
    MEGABYTE,
    MOST_PAGES,
    CheckedPdf,
    PdfField,
    RefusedFile,
    check_pdf,
    checked,
    checked_upload,
    read,
)


def a_pdf(pages=1, change=None, **options):
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(width=200, height=200)
    if change:
        change(writer)
    if options.get("password"):
        writer.encrypt(options["password"], algorithm="RC4-128")
    stream = BytesIO()
    writer.write(stream)
    return stream.getvalue()


def by_hand(*objects, trailer="/Root 1 0 R"):
    """Write a PDF object by object, with a right table of places."""
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(content)
    content += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    content += b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return content + f"trailer\n<< /Size {size} {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode()


ONE_PAGE = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
)


def look(content):
    """Look at a harmless test file in this process, which is faster than in another."""
    check_shape(content)
    check_inside(content)


def refusal_of(content, check=look):
    with pytest.raises(RefusedFile) as refused:
        check(content)
    return str(refused.value)


def test_a_plain_pdf_is_taken_with_blanks_after_its_end():
    check_pdf(a_pdf())
    look(a_pdf(MOST_PAGES) + b"\r\n\x00 ")
    look(by_hand(*ONE_PAGE))


def test_a_link_and_a_first_page_to_open_at_are_harmless():
    def change(writer):
        writer.add_annotation(0, Link(rect=(0, 0, 9, 9), url="https://example.org/"))
        action = [writer.pages[0].indirect_reference, NameObject("/Fit")]
        writer.root_object[NameObject("/OpenAction")] = ArrayObject(action)

    look(a_pdf(change=change))


def test_an_electronic_signature_is_accepted():
    def change(writer):
        field = DictionaryObject(
            {NameObject("/FT"): NameObject("/Sig"), NameObject("/T"): TextStringObject("Signature")}
        )
        form = {
            NameObject("/Fields"): ArrayObject([writer._add_object(field)]),
            NameObject("/SigFlags"): NumberObject(3),
        }
        writer.root_object[NameObject("/AcroForm")] = DictionaryObject(form)

    look(a_pdf(change=change))


def test_nothing_and_too_much_are_refused_before_being_read(settings):
    assert "vide" in refusal_of(b"", check_pdf)
    assert "20 Mo permis" in refusal_of(b"%PDF-" + bytes(25 * MEGABYTE - 5), check_pdf)
    settings.LARGEST_SCAN_MB = 1
    assert "1 Mo permis" in refusal_of(b"%PDF-" + bytes(MEGABYTE), check_pdf)


def test_a_huge_file_is_not_read_whole(settings):
    settings.LARGEST_SCAN_MB = 1
    assert len(read(ContentFile(bytes(3 * MEGABYTE)))) == MEGABYTE + 1


def test_only_what_is_a_pdf_from_its_first_byte_to_its_last_is_taken():
    whole = a_pdf()
    for content in (
        b"<html><script>alert(1)</script></html>",
        b"PK\x03\x04",
        b"junk" + whole,
        b"\n" + whole,
    ):
        assert "n'est pas un PDF" in refusal_of(content)
    for content in (whole[:-200], whole + b"PK\x03\x04zip", b"%PDF-1.7\n", whole + b"<script>"):
        assert "incomplet" in refusal_of(content)


def test_a_broken_pdf_is_refused_in_words():
    for content in (
        b"%PDF-1.7\n%%EOF",
        b"%PDF-1.7\n\xff\xfe\x00garbage\nstartxref\n99999999\n%%EOF",
        b"%PDF-1.7\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF",
        by_hand(b"<< /Type /Catalog >>"),
        by_hand(b"[ " * 2000 + b"] " * 2000),
        by_hand(b"<< /Type /Catalog /Pages 2 0 R >>", b"(never closed"),
    ):
        assert "PDF" in refusal_of(content)


def test_an_encrypted_pdf_is_refused():
    for password in ("secret", ""):
        content = a_pdf(password=password) if password else a_pdf(password=" ")
        assert "mot de passe" in refusal_of(content)


def test_programs_launches_forms_and_files_inside_are_refused_wherever_they_hang():
    def javascript(writer):
        action = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject("1")}
        names = {NameObject("/JavaScript"): DictionaryObject(action)}
        writer.root_object[NameObject("/Names")] = DictionaryObject(names)

    def attached(writer):
        writer.add_attachment("a.exe", b"MZ")

    def launched(writer):
        action = {NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject("cmd")}
        writer.root_object[NameObject("/OpenAction")] = writer._add_object(DictionaryObject(action))

    def on_a_page(writer):
        action = DictionaryObject({NameObject("/S"): NameObject("/SubmitForm")})
        writer.pages[0][NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})

    def xfa(writer):
        form = DictionaryObject({NameObject("/XFA"): TextStringObject("<x/>")})
        writer.root_object[NameObject("/AcroForm")] = form

    def hung_nowhere(writer):
        writer._add_object(DictionaryObject({NameObject("/JS"): TextStringObject("1")}))

    def deep(writer):
        inner = DictionaryObject({NameObject("/JS"): TextStringObject("1")})
        nested = ArrayObject([ArrayObject([DictionaryObject({NameObject("/A"): inner})])])
        writer.pages[0][NameObject("/Annots")] = nested

    for change in (javascript, attached, launched, on_a_page, xfa, hung_nowhere, deep):
        assert "programme" in refusal_of(a_pdf(change=change)), change.__name__


def test_a_name_written_in_disguise_is_read_as_it_is():
    action = b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /Java#53cript /J#53 (app.alert) >> >>"
    assert "programme" in refusal_of(by_hand(action, *ONE_PAGE[1:]))


def test_what_hides_in_a_compressed_stream_of_objects_is_found():
    inside = b"4 0 << /JS (1) >>"
    packed = zlib.compress(inside)
    stream = (
        b"<< /Type /ObjStm /N 1 /First 4 /Length %d /Filter /FlateDecode >>\nstream\n" % len(packed)
        + packed
        + b"\nendstream"
    )
    head = b"%PDF-1.7\n"
    places, content = [], head
    for number, body in enumerate((*ONE_PAGE, b"null", stream), start=1):
        places.append(len(content))
        if number != 4:
            content += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(content)
    rows = [
        (0, 0, 65535),
        *((1, places[n], 0) for n in range(3)),
        (2, 5, 0),
        (1, places[4], 0),
        (1, start, 0),
    ]
    table = b"".join(bytes([a]) + b.to_bytes(4, "big") + c.to_bytes(2, "big") for a, b, c in rows)
    content += (
        b"6 0 obj\n<< /Type /XRef /Size 7 /W [1 4 2] /Root 1 0 R /Length %d >>\nstream\n" % len(table)
        + table
        + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start
    )
    assert len(PdfReader(BytesIO(content)).pages) == 1
    assert "programme" in refusal_of(content)


def test_no_page_or_too_many_are_refused():
    assert "aucune page" in refusal_of(by_hand(ONE_PAGE[0], b"<< /Type /Pages /Kids [] /Count 0 >>"))
    assert f"{MOST_PAGES} pages" in refusal_of(a_pdf(MOST_PAGES + 1))


def test_a_tree_of_pages_that_turns_round_or_multiplies_does_not_hang():
    loop = b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"
    assert "PDF" in refusal_of(by_hand(ONE_PAGE[0], loop))
    levels = [ONE_PAGE[0]]
    for number in range(3, 40):
        levels.append(b"<< /Type /Pages /Kids [%d 0 R %d 0 R] >>" % (number, number))
    assert "PDF" in refusal_of(by_hand(*levels, ONE_PAGE[2]))


def test_a_bomb_in_a_page_is_not_opened_and_one_among_the_objects_is_refused():
    bomb = zlib.compress(bytes(90 * MEGABYTE), 9)
    page = DecodedStreamObject()

    def change(writer):
        page.set_data(bomb)
        page[NameObject("/Filter")] = NameObject("/FlateDecode")
        writer.pages[0][NameObject("/Contents")] = writer._add_object(page)
        writer.pages[0][NameObject("/Rotate")] = NullObject()

    look(a_pdf(change=change))
    stream = (
        b"<< /Type /XRef /Size 9 /W [1 4 2] /Root 1 0 R /Length %d /Filter /FlateDecode >>\nstream\n"
    )
    content = b"%PDF-1.7\n1 0 obj\n" + stream % len(bomb) + bomb + b"\nendstream\nendobj\n"
    assert "PDF" in refusal_of(content + b"startxref\n9\n%%EOF")


# --- In a process of its own ------------------------------------------------------------------


def a_swollen_table(megabytes):
    """Write a PDF of some kilobytes whose table of places claims a lot once inflated and predicted."""
    table = zlib.compress(b"\2" + b"\1" * (megabytes * 1_000_000), 9)
    head = b"%PDF-1.7\n" + b"".join(
        b"%d 0 obj\n" % number + body + b"\nendobj\n" for number, body in enumerate(ONE_PAGE, start=1)
    )
    stream = (
        b"9 0 obj\n<< /Type /XRef /Size 10 /Root 1 0 R /W [1 2 1] /Index [0 10] /Filter /FlateDecode "
        b"/DecodeParms << /Predictor 15 /Columns 4 >> /Length %d >>\nstream\n" % len(table)
    )
    return head + stream + table + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(head)


def test_a_small_file_that_asks_for_too_much_work_is_stopped(monkeypatch):
    shorter = Path(scan_check.__file__).read_text().replace("CPU_SECONDS = 5", "CPU_SECONDS = 1")
    with tempfile.NamedTemporaryFile("w", suffix=".py") as quick:
        quick.write(shorter)
        quick.flush()
        monkeypatch.setattr(scan_check, "__file__", quick.name)
        assert "trop compliqué" in refusal_of(a_swollen_table(70), check_pdf)


def test_a_reading_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(scans, "SECONDS", 0.01)
    assert "trop compliqué" in refusal_of(a_pdf(), check_pdf)


def test_a_reading_that_can_not_start_or_breaks_is_not_blamed_on_the_file(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(scan_check, "__file__", str(tmp_path / "absent.py"))
    assert "réessayez dans quelques minutes" in refusal_of(a_pdf(), check_pdf)
    monkeypatch.setattr("sys.executable", str(tmp_path / "absent"))
    assert "réessayez dans quelques minutes" in refusal_of(a_pdf(), check_pdf)
    assert "en panne" in caplog.text
    assert "ne démarre pas" in caplog.text


def test_another_process_says_the_same_as_this_one():
    assert "programme" in refusal_of(
        by_hand(b"<< /Type /Catalog /Pages 2 0 R /AA << >> >>", *ONE_PAGE[1:]), check_pdf
    )
    assert checked(a_pdf(), "a.pdf") == CheckedPdf(a_pdf(), "a.pdf")


def test_an_upload_is_read_once_whoever_asks_again(monkeypatch):
    seen = []
    monkeypatch.setattr(scans, "check_pdf", seen.append)
    file = ContentFile(b"octets", name="signé.pdf")
    assert checked_upload(file) == PdfField().clean(file) == CheckedPdf(b"octets", "signé.pdf")
    assert seen == [b"octets"]

    def refuse(content):
        seen.append(content)
        raise RefusedFile("Non.")

    monkeypatch.setattr(scans, "check_pdf", refuse)
    wrong = ContentFile(b"autre", name="x.pdf")
    for _ in range(2):
        with pytest.raises(ValidationError, match="Non."):
            PdfField().clean(wrong)
    assert seen == [b"octets", b"autre"]
    assert PdfField(required=False).clean(None) is None


# --- Actions, however they are named ----------------------------------------------------------


@pytest.mark.parametrize(
    ("opening", "name"),
    [
        ("<< /S 4 0 R /F (cmd.exe) >>", "/Launch"),
        ("<< /S 4 0 R /F (http://example.org) >>", "/SubmitForm"),
        ("<< /S 4 0 R /F (//example.org/part/x.pdf) /D [0 /Fit] >>", "/GoToR"),
        ("<< /S /URI /URI (http://example.org) >>", "null"),
        ("4 0 R", "<< /S /URI /URI (http://example.org) >>"),
        ("5 0 R", "null"),
    ],
)
def test_nothing_but_a_place_is_opened_at(opening, name):
    catalog = f"<< /Type /Catalog /Pages 2 0 R /OpenAction {opening} >>".encode()
    assert "programme" in refusal_of(by_hand(catalog, *ONE_PAGE[1:], name.encode()))
    in_trailer = f"/Root << /Type /Catalog /Pages 2 0 R /OpenAction {opening} >>"
    assert "programme" in refusal_of(by_hand(*ONE_PAGE, name.encode(), trailer=in_trailer))


def test_an_action_named_elsewhere_is_found_wherever_it_hangs():
    for name in ("/Launch", "/ImportData", "/SubmitForm", "/GoToR", "/GoToE"):
        objects = (*ONE_PAGE, name.encode(), b"<< /Type /Action /S 4 0 R >>")
        assert "programme" in refusal_of(by_hand(*objects)), name
    turning = (*ONE_PAGE, b"5 0 R", b"4 0 R", b"<< /S 4 0 R >>")
    assert "PDF" in refusal_of(by_hand(*turning))


def test_a_place_to_open_at_may_be_written_elsewhere():
    look(by_hand(b"<< /Type /Catalog /Pages 2 0 R /OpenAction 4 0 R >>", *ONE_PAGE[1:], b"[3 0 R /Fit]"))


def test_what_runs_by_itself_on_an_event_is_refused():
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /AA << /O << /S /URI >> >> >>"
    assert "programme" in refusal_of(by_hand(*ONE_PAGE[:2], page))

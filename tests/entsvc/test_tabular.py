"""Files people send: what is read, and what is refused as a whole."""

import datetime as dt
import json
import zipfile
from dataclasses import replace
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entsvc import tabular
from entsvc.tabular import UnreadableFile, normalise, read_table


def read_whole(path):
    """Read a table with all its rows, for tests that look at them more than once."""
    table = read_table(path)
    return replace(table, rows=list(table.rows))


@pytest.fixture
def table(tmp_path):
    """Write bytes in a file and read them as a table."""

    def read(content, name="fichier.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_whole(path)

    return read


@pytest.fixture
def workbook(tmp_path):
    """Write rows in the first sheet of a workbook and read it as a table."""

    def read(*rows):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.create_sheet("Autre").append(["ignorée"])
        path = tmp_path / "classeur.xlsx"
        book.save(path)
        return read_whole(path)

    return read


def values(table):
    return [row.values for row in table.rows]


def test_it_works(table):
    read = table("uai;nom\n0310891A;Petit Prince\n")
    assert read.columns == ["uai", "nom"]
    assert [(row.line, row.values) for row in read.rows] == [
        (2, {"uai": "0310891A", "nom": "Petit Prince"})
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_encoding_and_end_of_line_reads_alike(table, encoding, newline):
    lines = ["Élèves;Nom", "12;Évry-l'Œuf", "13;Thônes"]
    read = table((newline.join(lines) + newline).encode(encoding))
    assert values(read) == [
        {"eleves": "12", "nom": "Évry-l'Œuf"},
        {"eleves": "13", "nom": "Thônes"},
    ]
    assert [row.line for row in read.rows] == [2, 3]


def test_quoted_fields_may_hold_separators_quotes_and_line_ends(table):
    read = table('a;b\n"x;y";"il dit ""oui"""\n"deux\nlignes";z\n1;2\n')
    assert values(read) == [
        {"a": "x;y", "b": 'il dit "oui"'},
        {"a": "deux\nlignes", "b": "z"},
        {"a": "1", "b": "2"},
    ]
    assert read.rows[-1].line == 5


def test_blank_lines_are_skipped_and_still_counted(table):
    read = table("\na;b\n\n1;2\n ; \n3;4\n")
    assert [(row.line, row.values["a"]) for row in read.rows] == [(4, "1"), (6, "3")]


def test_spaces_around_values_go(table):
    assert values(table("a;b\n 1 ; deux mots \n")) == [{"a": "1", "b": "deux mots"}]


def test_a_short_line_is_completed_and_a_column_without_name_ignored(table):
    assert values(table("a;;b;c\n1;x;2\n")) == [{"a": "1", "b": "2", "c": ""}]


def test_cells_right_of_the_last_named_column_are_kept_apart(table, workbook):
    for read in (
        table("a;b;;\n1;2;;\n3;4;;5\n"),
        workbook(["a", "b"], ["1", "2"], ["3", "4", None, "5"]),
    ):
        assert values(read) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
        assert [row.beyond for row in read.rows] == [{}, {4: "5"}]


def test_nothing_is_converted(table):
    assert values(table("a\n007\n")) == [{"a": "007"}]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Identifiant_de_l_etablissement", "identifiant_de_l_etablissement"),
        ("Code postal", "code_postal"),
        ("Numéro de l'école", "numero_de_l_ecole"),
        ("  REP + ", "rep_plus"),
        ("\ufeffUAI", "uai"),
        ("", ""),
    ],
)
def test_headers_lose_case_accents_and_punctuation(header, name):
    assert normalise(header) == name


@given(st.text())
def test_a_normalised_header_is_its_own_name(header):
    assert normalise(normalise(header)) == normalise(header)


@pytest.mark.parametrize("content", ["", "\n\n", " ; ; \n", "\ufeff"])
def test_an_empty_file_is_refused(table, content):
    with pytest.raises(UnreadableFile, match="vide"):
        table(content)


def test_a_header_alone_is_a_table_without_rows(table):
    assert table("a;b\n").rows == []


def test_a_column_twice_is_refused(table):
    with pytest.raises(UnreadableFile, match="double.*code_postal"):
        table("Code postal;Code_postal\n1;2\n")


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\x00\x00\x00", b"%PDF-1.7\n\x00", b"a;b\n1;\x00\n"],
)
def test_a_binary_file_is_refused(table, content):
    with pytest.raises(UnreadableFile, match="ni un CSV ni un XLSX"):
        table(content)


def test_an_old_excel_workbook_is_refused_with_what_to_do(table):
    with pytest.raises(UnreadableFile, match="enregistrez-le en XLSX"):
        table(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_refused_with_what_to_do(table, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    with pytest.raises(UnreadableFile, match="UTF-16 : enregistrez-le"):
        table(f"{mark}uai;nom\nx;y\n".encode(encoding))


def test_accents_encoded_twice_are_refused(table):
    with pytest.raises(UnreadableFile, match="accents .* sont abîmés"):
        table("nom\nécole\n".encode().decode("cp1252"))


@pytest.mark.parametrize("offset", range(tabular.CHUNK - 4, tabular.CHUNK + 2))
def test_accents_encoded_twice_are_seen_across_pieces_of_the_file(table, offset):
    with pytest.raises(UnreadableFile, match="abîmés"):
        table("nom\n" + "x" * (offset - 4) + "Ã©")


def test_a_long_file_in_windows_1252_is_read_to_its_end(table):
    rows = ["école;1"] * 200_000
    read = table("\n".join(["nom;n", *rows, "é;2"]).encode("cp1252"))
    assert (len(read.rows), read.rows[-1].values["nom"]) == (200_001, "é")


@pytest.mark.parametrize("name", ["envoi.csv", "envoi.json"])
@pytest.mark.parametrize("mixed", ["école", "l’été", "À vérifier"])
def test_a_file_in_two_encodings_is_refused_with_the_line_that_differs(table, name, mixed):
    with pytest.raises(UnreadableFile, match=f"{name}, ligne 3 : .* UTF-8"):
        table(f"nom\n{mixed}\n".encode() + "Thônes\n".encode("cp1252") + b"fin\n", name)


def test_accents_encoded_twice_are_refused_beside_others_in_windows_1252(table):
    with pytest.raises(UnreadableFile, match="ligne 1"):
        table("numéro;nom\n1;Ã©cole\n".encode("cp1252"))


def test_a_file_in_windows_1252_keeps_its_capitals_and_its_signs(table):
    read = table("nom;n\nSÃO JOÃO;n°\u00a01 – l’Œuf\n".encode("cp1252"))
    assert values(read) == [{"nom": "SÃO JOÃO", "n": "n°\u00a01 – l’Œuf"}]


@pytest.mark.parametrize("separator", [",", "\t"])
def test_another_separator_is_refused_with_the_right_one(table, separator):
    with pytest.raises(UnreadableFile, match="points-virgules"):
        table(f"uai{separator}nom\nx{separator}y\n")


def test_an_encoding_that_is_neither_is_refused(table):
    with pytest.raises(UnreadableFile, match="UTF-8"):
        table(b"a;b\n\x81\x8d;2\n")


@pytest.mark.parametrize("broken", ['"3;4', '"3"x;4'])
def test_quotes_never_closed_are_refused_with_the_line(table, broken):
    with pytest.raises(UnreadableFile, match=r"ligne 3 : guillemets mal fermés\.$"):
        table(f"a;b\n1;2\n{broken}\n")


def test_a_cell_too_long_is_refused_with_the_line(table):
    with pytest.raises(UnreadableFile, match="ligne 2 : une case dépasse 131.072 caractères"):
        table(f"a;b\n1;{'x' * 140_000}\n")


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match=r"absent\.csv est introuvable"):
        read_table(tmp_path / "absent.csv")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="introuvable"):
        read_table(tmp_path)


def test_a_file_too_large_is_refused(table, monkeypatch):
    monkeypatch.setattr(tabular, "MAX_BYTES", 3)
    with pytest.raises(UnreadableFile, match="dépasse"):
        table("a;b\n")


# Workbooks.


def test_a_workbook_reads_like_a_csv(workbook):
    read = workbook(["UAI", "Nom"], ["0310891A", " Petit Prince "], [None, None], ["x", None])
    assert [(row.line, row.values) for row in read.rows] == [
        (2, {"uai": "0310891A", "nom": "Petit Prince"}),
        (4, {"uai": "x", "nom": ""}),
    ]


def test_numbers_and_dates_of_a_workbook_become_the_text_people_see(workbook):
    read = workbook(
        ["siret", "nombre", "decimal", "jour", "instant", "texte"],
        [21310533100010, 143, 1.5, dt.date(2024, 6, 20), dt.datetime(2024, 6, 20, 8), "007"],
    )
    assert values(read) == [
        {
            "siret": "21310533100010",
            "nombre": "143",
            "decimal": "1.5",
            "jour": "2024-06-20",
            "instant": "2024-06-20",
            "texte": "007",
        }
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (90.00000000000001, "90"),
        (89.99999999999999, "90"),
        (258529.84000000003, "258529.84"),
        (-0.30000000000000004, "-0.3"),
        (13839.000000000107, "13839"),
        (1e-14, "0"),
        # True fractions of a cent: nobody knows what was meant.
        (33.33333333333334, "33.33333333333334"),
        (90.001, "90.001"),
        (90.000001, "90.000001"),
        (90.0000051234, "90.0000051234"),
        (0.005, "0.005"),
    ],
)
def test_what_a_formula_adds_to_a_number_of_cents_goes(workbook, cell, text):
    assert values(workbook(["montant"], [cell])) == [{"montant": text}]


@given(st.lists(st.integers(-(10**8), 10**8), min_size=1, max_size=30))
def test_a_sum_of_cents_computed_by_a_spreadsheet_is_read_to_the_cent(cents):
    computed = sum(cent / 100 for cent in cents)
    assert Decimal(tabular._number_text(computed)) == Decimal(sum(cents)) / 100


def test_a_workbook_that_starts_lower_keeps_its_line_numbers(workbook):
    assert [row.line for row in workbook([], [], ["a"], ["1"]).rows] == [4]


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04" + b"x" * 200])
def test_a_broken_workbook_is_refused(table, content):
    with pytest.raises(UnreadableFile, match="classeur"):
        table(content, "classeur.xlsx")


def test_a_workbook_without_cells_is_empty(workbook):
    with pytest.raises(UnreadableFile, match="vide"):
        workbook()


def test_columns_left_empty_in_a_workbook_keep_the_rank_of_the_others(tmp_path):
    book = openpyxl.Workbook()
    book.active["B1"], book.active["B2"], book.active["D2"] = "uai", "x", "trop"
    path = tmp_path / "classeur.xlsx"
    book.save(path)
    assert [(row.values, row.beyond) for row in read_table(path).rows] == [({"uai": "x"}, {4: "trop"})]


def zipped(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_a_workbook_that_unpacks_beyond_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tabular, "MAX_UNPACKED_BYTES", 10 * 1024**2)
    bomb = zipped(tmp_path / "bombe.xlsx", {"xl/worksheets/sheet1.xml": b"0" * 11 * 1024**2})
    assert bomb.stat().st_size < 20_000
    with pytest.raises(UnreadableFile, match="10 Mo une fois décompressé"):
        read_table(bomb)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_workbook_whose_xml_declares_entities_is_refused(tmp_path, encoding):
    laughs = '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">]><worksheet/>'
    bomb = zipped(tmp_path / "entites.xlsx", {"xl/workbook.xml": laughs.encode(encoding)})
    with pytest.raises(UnreadableFile, match="DOCTYPE"):
        read_table(bomb)


CONTENT_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"""
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = f"""<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="{OFFICE}/%s" Target="%s"/></Relationships>"""
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sheet(path, data):
    """Write the workbook whose first sheet holds these rows of XML, as another program would."""
    book = (
        f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="Un" sheetId="1" r:id="r1"/>'
        "</sheets></workbook>"
    )
    return zipped(
        path,
        {
            "[Content_Types].xml": CONTENT_TYPES,
            "_rels/.rels": RELATIONS % ("officeDocument", "xl/workbook.xml"),
            "xl/_rels/workbook.xml.rels": RELATIONS % ("worksheet", "worksheets/sheet1.xml"),
            "xl/workbook.xml": book,
            "xl/worksheets/sheet1.xml": (
                f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>'
            ),
        },
    )


def cell(text, at=""):
    return f'<c{at and f" r={chr(34)}{at}{chr(34)}"} t="inlineStr"><is><t>{text}</t></is></c>'


HEAD = f'<row r="1">{cell("uai", "A1")}{cell("nom", "B1")}</row>'
FAR, WORDS = "v", ("uai", "x")


@pytest.mark.parametrize(
    "stray",
    [
        f'<row r="1048576">{cell(FAR, "XFD1048576")}</row>',
        f"<row>{cell(FAR, 'XFD1048576')}</row>",
        f'<row r="3">{cell(FAR, "xfd1048576")}</row>',
        f'<row r="1048576">{cell(FAR) * 30}</row>',
        f'<row r="9">{cell(FAR, "XFD9")}</row><row r="1048576">{cell(FAR)}</row>',
        '<row r="4"><c  s = "1>"\n r=\'XFD1048576\'><v>1</v></c></row>',
        f'<row r="4"><c {" " * 200_000} r="XFD1048576"><v>1</v></c></row>',
        '<row r="4"><c r="AAAAAAA4"><v>1</v></c></row>',
        f'<row r="4"><c r="A{"9" * 5000}"><v>1</v></c></row>',
    ],
)
@pytest.mark.parametrize("chunk", [64, tabular.CHUNK])
def test_a_cell_absurdly_far_from_the_table_is_refused(tmp_path, monkeypatch, stray, chunk):
    path = sheet(tmp_path / "loin.xlsx", HEAD + stray)
    assert path.stat().st_size < 3000
    monkeypatch.setattr(tabular, "CHUNK", chunk)
    with pytest.raises(UnreadableFile, match="loin.xlsx .* supprimez"):
        read_table(path)


@pytest.mark.parametrize(
    ("stray", "line"),
    [
        (f'<row r="90000">{cell(FAR, "B90000")}</row>', 90_000),
        (f"<row>{cell(FAR)}{cell(FAR)}</row>", 2),
        (f"<row>{cell(FAR * 200_000)}</row>", 2),
        (f'<row r="5">{cell(FAR, "A5")}</row><row r="1048576"><c r="XFD1048576" s="1"/></row>', 5),
    ],
)
def test_a_cell_far_within_reason_without_reference_or_empty_is_read(tmp_path, stray, line):
    rows = list(read_table(sheet(tmp_path / "pres.xlsx", HEAD + stray)).rows)
    assert [row.line for row in rows] == [line]


def test_a_table_is_measured_from_the_corner_that_its_reader_fills_from(tmp_path):
    near, far = (
        "".join(
            f'<row r="{row + n}">{cell(word, f"XFC{row + n}")}</row>' for n, word in enumerate(WORDS)
        )
        for row in (1, 100_000)
    )
    assert values(read_table(sheet(tmp_path / "coin.xlsx", near))) == [{"uai": "x"}]
    with pytest.raises(UnreadableFile, match="supprimez"):
        read_table(sheet(tmp_path / "coin.xlsx", far))


@pytest.mark.parametrize("column", ["A", "B", "D"])
def test_a_workbook_with_a_character_that_no_database_keeps_is_refused(tmp_path, column):
    rows = f'{HEAD}<row r="2">{cell("x_x0000_y", f"{column}2")}</row>'
    with pytest.raises(UnreadableFile, match="nul.xlsx, ligne 2 : caractère illisible, reprenez"):
        list(read_table(sheet(tmp_path / "nul.xlsx", rows)).rows)


# JSON.


def test_a_list_of_objects_reads_like_a_csv(table):
    communes = [
        {"code": "01001", "siren": "210100012", "codesPostaux": ["01400", "01401"], "rang": 0},
        {"code": "2A004", "population": None, "chefLieu": True},
    ]
    read = table(json.dumps(communes), "communes.json")
    assert read.columns == ["code", "siren", "codespostaux", "rang", "population", "cheflieu"]
    first, second = read.rows
    assert (first.line, first.values["codespostaux"], first.values["rang"]) == (1, "01400 01401", "0")
    assert (second.line, second.values["siren"], second.values["population"]) == (2, "", "")


def test_a_list_of_objects_inside_an_object_gives_a_row_for_each(table):
    epcis = [{"code": "200000172", "membres": [{"code": "74042"}, {"code": "74049"}]}, {"code": "2"}]
    read = table(json.dumps(epcis), "epci.json")
    assert [(row.line, row.values["code"], row.values["membres_code"]) for row in read.rows] == [
        (1, "200000172", "74042"),
        (2, "200000172", "74049"),
        (3, "2", ""),
    ]


@pytest.mark.parametrize("content", ['{"a": 1}', "[1, 2]", '[{"a": 1}', "[]"])
def test_a_json_that_is_no_list_of_objects_is_refused(table, content):
    with pytest.raises(UnreadableFile):
        table(content, "fichier.json")


@pytest.mark.parametrize("content", ['[{"a": "x\\u0000"}]', '[{"a": "x\\ud800"}]', '[{"\\ud800": "x"}]'])
def test_a_json_with_characters_that_no_database_keeps_is_refused(table, content):
    with pytest.raises(UnreadableFile, match="illisible, reprenez"):
        list(table(content, "fichier.json"))


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ('[{"a": 1},\n{"a" 2}]', "ligne 2, colonne 6"),
        ("[" * 200_000, "trop de listes les unes dans les autres"),
        (f'[{{"a": {"9" * 5000}}}]', "un nombre trop long"),
    ],
)
def test_a_json_that_cannot_be_read_is_refused_with_what_is_wrong(table, content, where):
    with pytest.raises(UnreadableFile, match=rf"n'est pas un JSON lisible \({where}\)\.$"):
        table(content, "fichier.json")

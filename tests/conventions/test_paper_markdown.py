"""A text becomes HTML; whatever a value holds, it stays text."""

from html.parser import HTMLParser

from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

from conventions.papers.markdown import fill, to_html
from conventions.papers.placeholders import PLACEHOLDERS

INLINE = [name for name, one in PLACEHOLDERS.items() if not one.block]
HOSTILE = st.text(st.sampled_from("<>&\"'`*_[](){}%|#\\!\n -=~:/abé1€") | st.characters(codec="utf-8"))


class Outline(HTMLParser):
    """The tags of a page in their order, and its text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.words = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data):
        self.words += data


def outline(html):
    parser = Outline()
    parser.feed(html)
    parser.close()
    return parser


def test_headings_make_articles():
    html = to_html("Entre :\n\n## Article 1\n\nUn\n\n### 1.1\n\n## Article 2\n\nDeux", {}, {})
    assert html.count('<section class="article">') == html.count("</section>") == 2
    assert "<h2>Article 1</h2>" in html.replace("\u00a0", " ")
    assert "<h3>1.1</h3>" in html


def test_a_value_takes_the_place_of_its_name_and_a_missing_one_leaves_dots():
    html = to_html("Entre {emetteur} et **{membre}**, {payeur}.", {"emetteur": "A", "membre": "B"}, {})
    assert "Entre A et <strong>B</strong>, <wbr><span" in html
    assert "...." in html


def test_a_block_takes_a_whole_line_even_inside_a_paragraph():
    html = to_html("avant\n{signatures}\naprès", {}, {"signatures": mark_safe("<table></table>")})
    assert html.replace("\n", "") == "<p>avant</p><table></table><p>après</p>"


def test_html_links_and_images_are_printed_as_they_are_written():
    text = "<b>x</b> [lien](http://example.org) ![i](file:///etc/passwd) <http://a.fr> `code` &lt;"
    html = to_html(f"{text}\n\n    {text}\n\n[a]: http://example.org", {}, {})
    assert {tag for tag, _ in outline(html).tags} == {"p"}
    assert "http://example.org" in html


def test_the_typography_is_french():
    assert "l’école\u00a0:" in to_html("l'école : 45 €", {}, {})
    assert "45\u00a0€" in to_html("45 €", {}, {})
    assert fill("Année {annee_scolaire} : n° 2", {"annee_scolaire": "2024-2025"}).endswith("n°\u00a02")


@given(st.dictionaries(st.sampled_from(INLINE), HOSTILE.filter(str.strip), min_size=1))
def test_no_value_becomes_markup_nor_another_placeholder(values):
    """The tags are those of the same text with plain values, and every value is there word for word."""
    names = list(values)
    body = "## Titre {%s}\n\n- {%s} et *{%s}*\n\n| a | b |\n|---|---|\n| {%s} | x |\n" % (
        (names[0],) * 4
    ) + "\n\n".join(f"{{{name}}}" for name in names)
    plain = outline(to_html(body, dict.fromkeys(values, "x"), {}))
    hostile = outline(to_html(body, values, {}))
    assert hostile.tags == plain.tags
    squeezed = "".join(hostile.words.replace("’", "'").split())
    for value in values.values():
        assert "".join(value.replace("’", "'").split()) in squeezed


@given(HOSTILE)
def test_no_text_makes_a_tag_of_its_own(body):
    allowed = {
        "p", "h2", "h3", "h4", "h5", "section", "ul", "ol", "li", "em", "strong", "hr", "br", "table",
        "thead", "tbody", "tr", "th", "td", "blockquote", "span",
    }  # fmt: skip
    assert {tag for tag, _ in outline(to_html(body, {}, {})).tags} <= allowed

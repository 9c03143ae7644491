"""French amounts, dates and counts: examples, and the laws that hold for all of them."""

from datetime import date
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from entsvc import french

cents = st.integers(min_value=0, max_value=99_999_999_999_999)


@pytest.mark.parametrize(
    ("amount", "printed"),
    [
        ("0", "0,00\u00a0€"),
        ("45", "45,00\u00a0€"),
        ("1234.56", "1\u202f234,56\u00a0€"),
        ("1234567.8", "1\u202f234\u202f567,80\u00a0€"),
        ("-45.00", "\u221245,00\u00a0€"),
        ("-0.00", "0,00\u00a0€"),
        ("45.1200", "45,12\u00a0€"),
    ],
)
def test_euros(amount, printed):
    assert french.euros(Decimal(amount)) == printed


@given(cents)
def test_euros_can_be_read_back(number):
    figures = french.euros(Decimal(number) / 100).removesuffix("\u00a0€")
    assert Decimal(figures.replace("\u202f", "").replace(",", ".")) * 100 == number


@pytest.mark.parametrize("amount", [Decimal("0.001"), Decimal("NaN"), Decimal("Infinity")])
def test_euros_refuses_what_is_no_amount(amount):
    with pytest.raises(ValueError):
        french.euros(amount)


def test_euros_refuses_floats():
    with pytest.raises(TypeError):
        french.euros(45.0)


@pytest.mark.parametrize(
    ("amount", "printed"),
    [("45.0000", "45,00\u00a0€"), ("0.3333", "0,3333\u00a0€"), ("1.305", "1,305\u00a0€")],
)
def test_price(amount, printed):
    assert french.price(Decimal(amount)) == printed


def test_price_refuses_a_fifth_decimal():
    with pytest.raises(ValueError, match="décimales"):
        french.price(Decimal("0.33333"))


@pytest.mark.parametrize(
    ("number", "printed"),
    [(0, "0"), (999, "999"), (1213, "1\u202f213"), (-1213, "\u22121\u202f213")],
)
def test_integer(number, printed):
    assert french.integer(number) == printed


@pytest.mark.parametrize(
    ("number", "nouns", "printed"),
    [
        (0, ("école",), "0\u00a0école"),
        (1, ("école",), "1\u00a0école"),
        (2, ("école",), "2\u00a0écoles"),
        (1213, ("élève",), "1\u202f213\u00a0élèves"),
        (3, ("mois",), "3\u00a0mois"),
        (3, ("élève actif", "élèves actifs"), "3\u00a0élèves actifs"),
    ],
)
def test_plural(number, nouns, printed):
    assert french.plural(number, *nouns) == printed


def test_dates():
    assert french.long_date(date(2025, 3, 3)) == "3\u00a0mars\u00a02025"
    assert french.long_date(date(2025, 8, 1)) == "1er\u00a0août\u00a02025"
    assert french.short_date(date(2025, 3, 3)) == "03/03/2025"


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "zéro euro"),
        ("0.01", "un centime"),
        ("0.45", "quarante-cinq centimes"),
        ("1", "un euro"),
        ("1.01", "un euro et un centime"),
        ("2.00", "deux euros"),
        ("45.00", "quarante-cinq euros"),
        ("80", "quatre-vingts euros"),
        ("81.71", "quatre-vingt-un euros et soixante et onze centimes"),
        ("200", "deux cents euros"),
        ("201", "deux cent un euros"),
        ("1000.05", "mille euros et cinq centimes"),
        ("80000", "quatre-vingt mille euros"),
        ("200000", "deux cent mille euros"),
        ("1000000", "un million d'euros"),
        ("1000000.05", "un million d'euros et cinq centimes"),
        ("2000000", "deux millions d'euros"),
        ("1000001", "un million un euros"),
        ("80000000", "quatre-vingts millions d'euros"),
        ("1200000000", "un milliard deux cents millions d'euros"),
        ("5476.90", "cinq mille quatre cent soixante-seize euros et quatre-vingt-dix centimes"),
    ],
)
def test_amount_in_words(amount, words):
    assert french.amount_in_words(Decimal(amount)) == words


@given(cents | st.integers(min_value=1, max_value=999_999).map(lambda millions: millions * 10**8))
def test_amount_in_words_can_be_read_back(number):
    words = french.amount_in_words(Decimal(number) / 100)
    assert _read(words) == number
    assert "zéro centime" not in words


@pytest.mark.parametrize("amount", ["-0.01", "0.001", "1000000000000", "NaN"])
def test_amount_in_words_refuses_in_french(amount):
    with pytest.raises(ValueError, match="montant"):
        french.amount_in_words(Decimal(amount))


def test_identifiers_are_grouped():
    assert french.siret_grouped("21310533100010").split() == ["213", "105", "331", "00010"]
    assert french.siret_grouped("213105331") == "213105331"
    assert french.iban_grouped("FR36 30001 0").split() == ["FR36", "3000", "10"]


@pytest.mark.parametrize(
    ("plain", "set_"),
    [
        ("l'école", "l’école"),
        ("Objet : n° 12", "Objet\u00a0: n°\u00a012"),
        ("« numérique » ; quoi ?", "«\u00a0numérique\u00a0»\u202f; quoi\u202f?"),
        ("l'article L. 252 A du livre", "l’article\u00a0L.\u00a0252\u00a0A du livre"),
        ("articles 117 et 118", "articles\u00a0117 et 118"),
        ("le 3 mars 2025, 10 %", "le 3\u00a0mars\u00a02025, 10\u00a0%"),
        ("de 8 h 30 à 12 h", "de 8\u00a0h\u00a030 à 12\u00a0h"),
    ],
)
def test_typography(plain, set_):
    assert french.typography(plain) == set_


@given(st.text(alphabet="a1 LRA.°n«»:;?!€%'hmars", max_size=40))
def test_typography_only_touches_spaces_and_apostrophes_and_settles(text):
    once = french.typography(text)
    assert french.typography(once) == once
    assert once.translate({0xA0: " ", 0x202F: " ", 0x2019: "'"}) == text


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ('"1234.56"|euros', "1\u202f234,56\u00a0€"),
        ('"0.3333"|price', "0,3333\u00a0€"),
        ('"1213"|integer', "1\u202f213"),
        ('3|plural:"école"', "3\u00a0écoles"),
        ('2|plural:"cheval,chevaux"', "2\u00a0chevaux"),
        ('"2025-03-03"|long_date', "3\u00a0mars\u00a02025"),
        ('"2025-03-03"|short_date', "03/03/2025"),
        ('"1.01"|amount_in_words', "un euro et un centime"),
        ('"21310533100010"|siret_grouped', "213\u00a0105\u00a0331\u00a000010"),
        ('"FR3630001"|iban_grouped', "FR36\u00a03000\u00a01"),
        ('"1 école × 45,00 € = 45,00 €"|without_result:"45.00"', "1 école × 45,00 €"),
        ('"412 élèves : tranche 400–599"|without_result:"45.00"', "412 élèves : tranche 400–599"),
    ],
)
def test_filters_read_the_strings_of_a_frozen_document(expression, printed):
    assert Template("{% load french %}{{ " + expression + " }}").render(Context()) == printed


def test_filters_read_dates_and_decimals_too():
    template = Template("{% load french %}{{ amount|euros }} {{ day|long_date }}")
    printed = template.render(Context({"amount": Decimal("45"), "day": date(2025, 3, 3)}))
    assert printed == "45,00\u00a0€ 3\u00a0mars\u00a02025"


def test_typography_of_a_block_keeps_its_escapes():
    template = Template(
        '{% load french %}{% filter typography %}<p class="a">{{ name }} : 1</p>{% endfilter %}'
    )
    printed = template.render(Context({"name": "<b> l'été"}))
    assert printed == '<p class="a">&lt;b&gt; l’été\u00a0: 1</p>'
    assert isinstance(printed, SafeString)


def test_lines_are_grouped_in_the_order_of_the_charges_and_carried():
    from entsvc.templatetags.french import by_charge

    lines = [
        {"charge": "B", "school": "", "amount": "450.00"},
        {"charge": "A", "school": "Une école", "amount": "1.10"},
        {"charge": "A", "school": "Une autre", "amount": "2.20"},
    ]
    first, second = by_charge(lines, [{"code": "A"}, {"code": "B"}])
    assert [row["carried"] for row in first["rows"]] == [Decimal("1.10"), Decimal("3.30")]
    assert [row["carried"] for row in second["rows"]] == [Decimal("453.30")]
    assert (first["flat"], second["flat"]) == (False, True)


def test_a_line_without_its_charge_is_refused_rather_than_lost():
    from entsvc.templatetags.french import by_charge

    with pytest.raises(ValueError, match="Z"):
        by_charge([{"charge": "Z", "school": "", "amount": "1.00"}], [])


UNITS = {
    word: value
    for value, word in enumerate(
        ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")
        + ("dix", "onze", "douze", "treize", "quatorze", "quinze", "seize")
    )
} | {"vingt": 20, "vingts": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60}
SCALES = {"mille": 10**3, "million": 10**6, "milliard": 10**9}


def _read(words):
    """Read an amount in words back, in cents."""
    euros, found, centimes = words.replace("d'euros", "euros").partition(" euro")
    if not found:
        return _number(words)
    return _number(euros) * 100 + (_number(centimes.removeprefix("s")) if centimes else 0)


def _number(words):
    total = group = 0
    for word in words.replace("-", " ").split():
        scale = word.removesuffix("s")
        if scale in SCALES:
            total, group = total + (group or 1) * SCALES[scale], 0
        elif scale == "cent":
            group = group - group % 100 + (group % 100 or 1) * 100
        elif scale == "vingt" and group % 10 == 4 and group % 100 == 4:
            group += 76  # quatre-vingts
        elif word in UNITS:
            group += UNITS[word]
    return total + group

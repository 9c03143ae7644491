"""How the name of a public body stands in a French sentence: with its article, after « de ».

Pure functions of the name alone, as it is written in its record. A name that begins with no known noun
stands as it is: « Somme Numérique » takes no article.
"""

import unicodedata

FEMININE = frozenset(
    [
        "académie",
        "agence",
        "caisse",
        "commune",
        "communauté",
        "direction",
        "inspection",
        "mairie",
        "métropole",
        "régie",
        "région",
        "ville",
    ]
)
MASCULINE = frozenset(
    [
        "centre",
        "conseil",
        "département",
        "epci",
        "établissement",
        "groupement",
        "pays",
        "pôle",
        "rectorat",
        "regroupement",
        "rpi",
        "sivom",
        "sivos",
        "sivu",
        "syndicat",
        "territoire",
    ]
)
PLURAL = frozenset({"communes"})
VOWELS = "aeiouy"


def with_article(name: str) -> str:
    """Return a name as a subject or an object: « la commune de Saubens », « le RPI de la Vallée »."""
    article, noun = _article(name), _inside(name)
    return f"{article}{noun}"


def after_de(name: str) -> str:
    """Return a name after « de »: « de la commune de Saubens », « du département de la Somme »."""
    for own, contracted in (("Le ", "du "), ("Les ", "des ")):
        if name.startswith(own):
            return contracted + name.removeprefix(own)
    article = _article(name)
    if article:
        return {"le ": "du ", "les ": "des "}.get(article, f"de {article}") + _inside(name)
    if not name:
        return ""
    return f"d'{name}" if _begins_with_vowel(name) else f"de {name}"


def _article(name: str) -> str:
    """Return « la », « le », « les » or « l' » with the space it needs, nothing for an unknown noun."""
    noun = name.partition(" ")[0].lower()
    if noun in PLURAL:
        return "les "
    if noun not in FEMININE and noun not in MASCULINE:
        return ""
    if _begins_with_vowel(noun):
        return "l'"
    return "la " if noun in FEMININE else "le "


def _inside(name: str) -> str:
    """Return a name as it reads inside a sentence: « commune de Saubens », but « Métropole Rouen »."""
    noun, _, rest = name.partition(" ")
    common = _article(name) and rest[:1].islower() and noun[1:].islower()
    return name[0].lower() + name[1:] if common else name


def _begins_with_vowel(name: str) -> bool:
    """Tell whether « de » is cut before a name: an h is not, nor a y before a vowel (« de Yerres »)."""
    letters = unicodedata.normalize("NFKD", name[:2].lower().replace("œ", "oe"))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    if plain.startswith("y"):
        return plain[1:2] not in VOWELS
    return plain[:1] in VOWELS if plain else False

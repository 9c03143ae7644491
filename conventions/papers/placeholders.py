"""The names that a text may leave to be filled, and how a text is checked and cut around them.

``{membre}`` stands for a value inside a sentence; ``{signatures}``, alone on its line, for a part that
our own templates draw. Nothing else is understood: a text is data, never code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from django.core.exceptions import ValidationError

DOTS = "." * 30


@dataclass(frozen=True)
class Placeholder:
    """A name of the published list: what stands there, an example of it, whether it fills a whole line.

    A paper can't go out without an `essential` one; without another, a dotted line is left to be filled.
    """

    name: str
    meaning: str
    example: str
    block: bool = False
    essential: bool = False

    @property
    def token(self) -> str:
        """Return it as a text writes it."""
        return f"{{{self.name}}}"


@dataclass(frozen=True)
class Family:
    """Placeholders shown together beside a text."""

    title: str
    placeholders: tuple[Placeholder, ...]


def _one(name: str, meaning: str, example: str) -> Placeholder:
    return Placeholder(name, meaning, example)


def _needed(name: str, meaning: str, example: str) -> Placeholder:
    return Placeholder(name, meaning, example, essential=True)


def _block(name: str, meaning: str) -> Placeholder:
    return Placeholder(name, meaning, "seul sur sa ligne", block=True)


FAMILIES = (
    Family(
        "Émetteur",
        (
            _needed("emetteur", "dénomination de l'émetteur", "Région académique Occitanie"),
            _one("emetteur_le", "la même avec son article", "la région académique Occitanie"),
            _one("emetteur_de", "la même après « de »", "de la région académique Occitanie"),
            _one("emetteur_siret", "son SIRET", "173 405 017 00010"),
            _one("emetteur_adresse", "son adresse sur une ligne", "31 rue de l'Exemple, 34000 Ville"),
            _one("emetteur_ville", "sa ville, pour « Fait à »", "Montpellier"),
            _one("emetteur_contact", "le service à contacter", "Délégation au numérique éducatif"),
            _one("emetteur_telephone", "son téléphone", "04 00 00 00 00"),
            _one("emetteur_courriel", "son courriel", "ent-ecole@exemple.fr"),
            _one("signataire", "prénom et nom de qui signe pour l'émetteur", "Prénom Nom"),
            _one("signataire_qualite", "sa qualité", "recteur de région académique"),
            _one("signataire_delegation", "la délégation qu'il a reçue", "arrêté du 1er juin 2024"),
            _one("tribunal", "le tribunal, après « tribunal administratif »", "de Montpellier"),
            _one("titre", "ce que l'émetteur envoie pour être payé", "titre de perception"),
        ),
    ),
    Family(
        "Membre",
        (
            _needed("membre", "nom du signataire", "Commune de Saubens"),
            _one("membre_le", "le même avec son article", "la commune de Saubens"),
            _one("membre_de", "le même après « de »", "de la commune de Saubens"),
            _one("membre_type", "ce qu'il est", "commune"),
            _one("membre_siret", "son SIRET", "213 105 331 00010"),
            _one("membre_adresse", "son adresse sur une ligne", "1 place de l'Exemple, 31600 Saubens"),
            _one("membre_ville", "sa ville, pour « Fait à »", "Saubens"),
            _one("membre_courriel", "son courriel", "mairie@exemple.fr"),
            _one("membre_representant", "qui signe pour lui ; toujours en pointillés", DOTS),
            _one("membre_qualite", "qualité de qui signe pour lui", "maire"),
            _one("membre_assemblee", "son assemblée", "conseil municipal"),
            _one("representant", "la commune ou le syndicat qui représente le RPI", "Commune d'Espèce"),
            _one("forme_juridique", "forme juridique du RPI", "entente intercommunale"),
            _one("communes_rpi", "communes du RPI", "Commune-Un, Commune-Deux et Commune-Trois"),
            _needed("payeur", "nom de qui paie", "Commune de Saubens"),
            _one("payeur_le", "le même avec son article", "la commune de Saubens"),
            _one("payeur_de", "le même après « de »", "de la commune de Saubens"),
            _one("payeur_siret", "SIRET de qui paie", "213 105 331 00010"),
            _one("payeur_adresse", "adresse de qui paie", "1 place de l'Exemple, 31600 Saubens"),
        ),
    ),
    Family(
        "Convention",
        (
            _needed("reference", "référence de la convention", "ENT-2024-031"),
            _one("convention_type", "le texte dont elle relève", "Convention de partenariat 2024-2025"),
            _needed("annee_scolaire", "année scolaire du document", "2024-2025"),
            _needed("annees", "années couvertes", "2019-2020 à 2020-2021"),
            _one("date_effet", "jour où elle prend effet", "25 juin 2024"),
            _one("date_effet_motif", "pourquoi ce jour", "Signée le 25 juin 2024."),
            _one("date_effet_demandee", "date d'effet fixée par le membre", "1er septembre 2023"),
            _one("date_fin", "son dernier jour", "5 septembre 2025"),
            _one("date_fin_motif", "pourquoi ce jour", "Fin fixée au 5 septembre 2025."),
            _one("duree", "sa durée", "trois ans"),
            _one("date_signature", "jour de la signature", "25 juin 2024"),
            _one("date_transmission", "transmission du texte signé", "26 juin 2024"),
            _one("preavis", "préavis de dénonciation", "un mois"),
            _one("delai_avenant", "quand déposer un avenant", "du 1er septembre au 15 octobre"),
            _one("conditions", "version des conditions acceptées", "Conditions du 15 juin 2023"),
            _one("conditions_acte", "délibération qui les adopte", "délibération du 15 juin 2023"),
            _one("conditions_en_vigueur", "dernière version des conditions", "Conditions du 3 mai 2025"),
            _one(
                "conditions_en_vigueur_acte",
                "délibération qui adopte cette dernière version",
                "délibération du 3 mai 2025",
            ),
            _one("date_jour", "date du document", "3 mars 2025"),
        ),
    ),
    Family(
        "Délibérations",
        (
            _one("deliberation", "délibération du membre", "délibération n° 2024/36 du 20 juin 2024"),
            _one("deliberation_numero", "son numéro", "2024/36"),
            _one("deliberation_date", "sa date", "20 juin 2024"),
            _one("deliberation_convocation", "date de la convocation", "14 juin 2024"),
            _one("deliberation_en_exercice", "membres en exercice", "18"),
            _one("deliberation_presents", "présents", "14"),
            _one("deliberation_votants", "votants, pouvoirs compris", "18"),
            _one("deliberation_pour", "votes pour", "18"),
            _one("deliberation_contre", "votes contre", "0"),
            _one("deliberation_abstentions", "abstentions", "0"),
            _one("deliberation_transmission", "sa transmission au contrôle de légalité", "24 juin 2024"),
            _one(
                "deliberation_actes",
                "son identifiant ACTES",
                "031-213105331-20240620-202436-DE",
            ),
            _one(
                "deliberation_comite",
                "délibération concordante du comité",
                "délibération n° 7 du 28 juin 2023",
            ),
        ),
    ),
    Family(
        "Écoles et prix",
        (
            _one("ecoles_nombre", "nombre d'écoles et le nom qui s'accorde", "3 écoles"),
            _one("ecoles_liste", "les écoles dans une phrase", "Le Petit Prince (0310891A)"),
            _one("prix_unitaire", "prix d'une unité, s'il n'y en a qu'un", "45,00 €"),
            _one("prix_unitaire_en_lettres", "le même en lettres", "quarante-cinq euros"),
            _one("total", "ce que coûte l'année à ce prix", "135,00 €"),
            _one("total_en_lettres", "le même en lettres", "cent trente-cinq euros"),
            _one("calcul", "comment ce total se fait", "3 écoles × 45,00 € = 135,00 €"),
            _one(
                "tarif_acte", "acte qui adopte le tarif de l'année", "délibération n° 12 du 24 juin 2014"
            ),
            _one("tarif_tva", "mention de TVA", "Hors du champ de la TVA"),
        ),
    ),
    Family(
        "Avenant",
        (
            _one("avenant_numero", "son numéro", "2"),
            _one("avenant_annee", "année scolaire à partir de laquelle il vaut", "2020-2021"),
            _one("avenant_motif", "motif de la demande", "Fermeture d'une école"),
            _one("avenant_delai", "dernier jour pour le déposer", "15 octobre 2020"),
            _one("avenant_date", "date retenue pour l'avenant", "3 octobre 2020"),
            _one("avenant_decision", "ce qui en a été décidé, et pourquoi", "Reçu dans le délai."),
            _one(
                "avenant_deliberation", "délibération qui l'approuve", "délibération n° 8 du 9 mai 2020"
            ),
            _one("ecoles_ajoutees", "écoles ajoutées, dans une phrase", "École du Lac (0341301E)"),
            _one("ecoles_ajoutees_nombre", "leur nombre", "1 école"),
            _one("ecoles_retirees", "écoles retirées, dans une phrase", "aucune"),
            _one("ecoles_retirees_nombre", "leur nombre", "aucune école"),
            _one("communes_ajoutees", "communes qui rejoignent le RPI", "Commune-Quatre"),
            _one("communes_retirees", "communes qui quittent le RPI", "aucune"),
            _one("nouveau_signataire", "nouveau signataire", "Communauté de communes de l'Exemple"),
            _one("nouveau_payeur", "nouveau payeur", "Communauté de communes de l'Exemple"),
        ),
    ),
    Family(
        "Parties dessinées",
        (
            _block("parties", "les parties, avec leur SIRET, leur adresse et qui les représente"),
            _block("tableau_ecoles", "les écoles de l'année : UAI, type, nom, commune"),
            _block("tableau_beneficiaires", "les écoles avec leurs classes, à remplir, et leurs élèves"),
            _block("tableau_ecoles_ajoutees", "les écoles que l'avenant ajoute"),
            _block("tableau_ecoles_retirees", "les écoles que l'avenant retire"),
            _block("tableau_tarif", "le tarif adopté pour l'année, ligne par ligne"),
            _block("tableau_calcul", "ce que coûte l'année, ligne par ligne, et le total"),
            _block("tableau_communes", "les communes du RPI qui le rejoignent ou le quittent"),
            _block("tableau_votes", "le décompte des votes, à remplir quand il n'est pas saisi"),
            _block("signatures", "les cadres de signature des parties"),
            _block("signature_emetteur", "le cadre de signature de l'émetteur seul"),
            _block("signature_membre", "le cadre de signature du membre seul"),
        ),
    ),
)
PLACEHOLDERS = {one.name: one for family in FAMILIES for one in family.placeholders}

_FIELD = re.compile(r"\{([^{}\n]*)\}")
_CODE = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


def names(body: str) -> Iterator[str]:
    """Give what stands between braces in a text, in its order, known or not."""
    for match in _FIELD.finditer(body):
        yield match[1]


def check(body: str) -> None:
    """Raise ValidationError, in French, for a text that names an unknown placeholder or holds code.

    A block must stand alone on its line: it takes the place of a paragraph.
    """
    mistakes = [*_code(body), *_unknown(body), *_misplaced_blocks(body)]
    if mistakes:
        raise ValidationError(mistakes)


def check_title(title: str) -> None:
    """Raise ValidationError, in French, for a title that `check` would refuse or that holds a block."""
    check(title)
    blocks = [name for name in names(title) if PLACEHOLDERS[name].block]
    if blocks:
        raise ValidationError(f"{{{blocks[0]}}} ne peut pas être dans un titre.")
    if not title or "\n" in title:
        raise ValidationError("Le titre tient sur une ligne et n'est pas vide.")


def _code(body: str) -> list[str]:
    found = _CODE.search(body)
    if found:
        return [f"« {found[0]} » n'est pas permis : un texte ne contient pas de code."]
    if re.search(r"[{}]", _FIELD.sub("", body)):
        return ["Une accolade est seule : un champ s'écrit {comme_ceci}, sur une même ligne."]
    return []


def _unknown(body: str) -> list[str]:
    unknown = list(dict.fromkeys(name for name in names(body) if name not in PLACEHOLDERS))
    if not unknown:
        return []
    known = ", ".join(sorted(PLACEHOLDERS))
    mistakes = []
    for name in unknown:
        near = get_close_matches(name, PLACEHOLDERS, n=1)
        advice = f" : vouliez-vous {{{near[0]}}} ?" if near else "."
        mistakes.append(f"Champ inconnu {{{name}}}{advice}")
    return [*mistakes, f"Champs connus : {known}."]


def _misplaced_blocks(body: str) -> list[str]:
    mistakes = []
    for line in body.splitlines():
        for name in names(line):
            if name in PLACEHOLDERS and PLACEHOLDERS[name].block and line.strip() != f"{{{name}}}":
                mistakes.append(f"{{{name}}} doit être seul sur sa ligne.")
    return mistakes

"""What a new version of a text would no longer say, though the version in force says it.

Each paper has facts without which it fails its reader: declared here once, each with the placeholders
that carry it. A text may lose one on purpose, once its author has said so.
"""

from dataclasses import dataclass

from conventions.models.papers import PaperKind
from conventions.papers.placeholders import names


@dataclass(frozen=True)
class Fact:
    """A fact that a paper should keep: any of its placeholders carries it."""

    code: str
    meaning: str
    carriers: frozenset[str]


@dataclass(frozen=True)
class Loss:
    """A fact of the version in force that another text lacks, and the placeholders that carried it."""

    code: str
    meaning: str
    carried_by: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return « le montant de l'année – {calcul}, {total} »."""
        return f"{self.meaning} – {', '.join(f'{{{name}}}' for name in self.carried_by)}"


def _fact(code: str, meaning: str, carriers: str) -> Fact:
    return Fact(code, meaning, frozenset(carriers.split()))


PARTIES = _fact("parties", "les parties", "parties")
MEMBER = _fact("membre", "le nom du membre", "membre membre_le membre_de parties")
PAYER = _fact("payeur", "qui paie", "payeur payeur_le payeur_de parties")
REFERENCE = _fact("reference", "la référence de la convention", "reference")
SCHOOLS = _fact("ecoles", "la liste des écoles", "tableau_ecoles ecoles_liste")
PUPILS = _fact(
    "beneficiaires", "les écoles, leurs classes et leurs élèves", "tableau_beneficiaires tableau_ecoles"
)
PRICE = _fact("prix", "le prix d'une unité", "prix_unitaire tableau_tarif")
TOTAL = _fact("montant", "le montant de l'année", "total calcul tableau_calcul")
YEARS = _fact("annees", "les années scolaires couvertes", "annees")
YEAR = _fact("annee", "l'année scolaire du document", "annee_scolaire avenant_annee")
DURATION = _fact("duree", "la durée, ou le dernier jour", "duree date_fin")
START = _fact("effet", "la date d'effet", "date_effet date_effet_demandee")
NOTICE = _fact("preavis", "le préavis", "preavis")
WINDOW = _fact("delai", "le délai pour déposer un avenant", "delai_avenant avenant_delai")
CONDITIONS = _fact("conditions", "la version des conditions", "conditions conditions_en_vigueur")
CLAIM = _fact("titre", "ce que l'émetteur envoie pour être payé", "titre")
COURT = _fact("tribunal", "le tribunal compétent", "tribunal")
VOTE = _fact("votes", "le décompte des votes", "tableau_votes deliberation_pour")
ASSEMBLY = _fact("assemblee", "l'assemblée qui délibère", "membre_assemblee")
DAY = _fact("jour", "la date du document", "date_jour")
ADDED = _fact("ajoutees", "les écoles ajoutées", "tableau_ecoles_ajoutees ecoles_ajoutees")
REMOVED = _fact("retirees", "les écoles retirées", "tableau_ecoles_retirees ecoles_retirees")
COMMUNES = _fact("communes", "les communes du RPI qui changent", "tableau_communes communes_ajoutees")
SIGNATURES = _fact(
    "signatures", "le cadre de signature", "signatures signature_membre signature_emetteur"
)

TO_KEEP: dict[str, tuple[Fact, ...]] = {
    PaperKind.AGREEMENT: (
        PARTIES, MEMBER, PAYER, SCHOOLS, PRICE, TOTAL, YEARS, DURATION, NOTICE, WINDOW, CONDITIONS,
        CLAIM, COURT, SIGNATURES,
    ),
    PaperKind.AMENDMENT: (
        PARTIES, REFERENCE, YEAR, ADDED, REMOVED, COMMUNES, SCHOOLS, TOTAL, PAYER, WINDOW, SIGNATURES,
    ),
    PaperKind.ANNEX: (REFERENCE, MEMBER, YEAR, SCHOOLS, TOTAL),
    PaperKind.DELIBERATION: (
        ASSEMBLY, VOTE, SCHOOLS, PUPILS, TOTAL, START, CONDITIONS, DURATION, SIGNATURES,
    ),
    PaperKind.NOTIFICATION: (
        MEMBER, REFERENCE, START, DURATION, YEARS, TOTAL, PAYER, CONDITIONS, CLAIM, SIGNATURES,
    ),
    PaperKind.CERTIFICATE: (MEMBER, REFERENCE, YEAR, SCHOOLS, DAY, SIGNATURES),
}  # fmt: skip
CODES = tuple(dict.fromkeys(fact.code for facts in TO_KEEP.values() for fact in facts))


def losses(kind: str, before: str, after: str) -> list[Loss]:
    """Return the facts of a paper that the text `before` carries and the text `after` does not."""
    had, has = set(names(before)), set(names(after))
    return [
        Loss(fact.code, fact.meaning, tuple(sorted(fact.carriers & had)))
        for fact in TO_KEEP[kind]
        if fact.carriers & had and not fact.carriers & has
    ]

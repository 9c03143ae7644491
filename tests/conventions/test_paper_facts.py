"""Every fact of the sources' articles stands in the papers drawn from the default texts."""

import io
from datetime import date

import pytest
from pypdf import PdfReader

from conventions.models import PaperKind
from conventions.papers.drawing import draw, draw_blank
from invoicing.regimes import load_regimes
from members.models import Issuer, Signatory
from tariffs.models import Schedule
from tests.factories import (
    ActFactory,
    ConditionsFactory,
    ConventionFactory,
    EnrolmentFactory,
    HeadcountFactory,
    MemberFactory,
    SchoolFactory,
)

pytestmark = [
    pytest.mark.django_db,
    # WeasyPrint 70 leaves its colour profile for the garbage collector to close.
    pytest.mark.filterwarnings("ignore:unclosed file .*sRGB2014:ResourceWarning"),
]

CHARTER = {
    "2014 preamble": ("n° 12 du 24 juin 2014",),
    "2014 art. 1 object": ("ressources numériques", "accompagnement scolaire à distance"),
    "2014 art. 2 services": (
        "plate-forme logicielle", "achète les contenus et les héberge", "compte pour chaque",
        "hotline", "SSO", "mise en concurrence", "recommandation",
    ),
    "2014 art. 2 budget and equipment": (
        "budget spécifique", "budget principal", "groupement de commandes", "chaque collectivité",
    ),
    "2014 art. 3 what the assembly decides": (
        "approuve la charte", "autorise son exécutif", "nombre de classes", "nombre d'élèves",
    ),
    "2014 art. 3 offer and effect": (
        "offre", "expressément", "contrôle de légalité", "plus tardive des deux transmissions",
    ),
    "2014 art. 4.1 proportional, first exercice": ("en proportion", "compter de l'exercice"),
    "2014 art. 4.2 five charges": (
        "suivi des projets", "contenus pédagogiques payants", "comptes des élèves",
        "deux personnes", "salaires, charges et déplacements", "budget mutualisé",
        "chef de projet", "création des comptes", "redevances",
    ),
    "2014 art. 4.2 premier degré": (
        "dépense constatée", "payées à ses fournisseurs", "les subventions reçues en sont retirés",
        "les dépenses des collèges n'y entrent pas", "proportionnelle à ses élèves",
        "constat de rentrée", "au centime près", "commencée est due entière", "hors du champ de la tva",
    ),
    "2014 art. 4.3 collèges": (
        "6,00 €", "409,40 €", "2 000,00 €", "187,62 €", "247,30 €", "315,50 €", "366,70 €",
        "434,40 €", "de 1 à 200", "de 900 à 1 100", "plus d'une heure", "marchés du syndicat", "FEDER",
    ),
    "2014 art. 4.4 call": ("une fois l'année scolaire terminée", "payées à ses fournisseurs"),
    "2014 art. 5 steering": (
        "comité départemental du numérique", "comité d'éthique", "retours d'usage", "orientations",
    ),
    "2014 art. 6 ending": ("unilatéralement", "aucun accord", "intérêt général"),
}  # fmt: skip
FRAMEWORK = {
    "2010 parties": ("inspecteur d'académie", "président", "10 mai 2010"),
    "2010 preamble": ("toute la communauté éducative", "pendant la classe et en dehors"),
    "2010 art. 1": ("écoles qui relèvent des collectivités membres", "généralisation"),
    "2010 art. 2": ("rédigent un projet", "valide", "familles"),
    "2010 art. 3": ("au moins une fois par an", "bilan", "présidé par l'inspecteur d'académie"),
    "2010 art. 4": (
        "après chaque période de vacances scolaires", "équipe les écoles", "incidents",
        "chef de projet", "22 juin 2009", "annexés", "formation des enseignants",
    ),
    "2010 art. 5": ("mineurs", "filtrage", "à distance", "justice", "police"),
    "2010 art. 6": ("authentification", "chiffrement", "VPN"),
    "2010 art. 7": ("seul a compétence pour financer", "ressources numériques distantes"),
    "2010 art. 8": ("maintenance des matériels", "compétence scolaire"),
    "2010 art. 9": ("comité d'utilisateurs", "associations"),
    "2010 art. 10": ("livret national de compétences", "C2i niveau 2", "rapports d'inspection"),
    "2010 art. 11": ("trois ans",),
}  # fmt: skip
TRANSFER = {
    "2023 art. 1": ("article 4.2", "à la carte", "NTIC"),
    "2023 art. 2": ("2013-595", "8 juillet 2013", "30 novembre 2006", "13 octobre 2017", "SDET"),
    "2023 art. 3 in": (
        "licences d'hébergement", "Région et les Départements", "sensibilisation", "audit",
        "connecteurs", "portail", "parents d'élèves", "vérifications électriques",
        "ressources pédagogiques complémentaires",
    ),
    "2023 art. 3 out": ("produire les ressources", "plan pédagogique", "compétence scolaire"),
    "2023 art. 4": (
        "délibérations concordantes", "deux tiers des suffrages exprimés", "article 15",
        "article 16", "fixe la date d'effet", "approuve les présentes conditions",
        "1er septembre 2023", "version du 15 juin 2023",
    ),
    "2023 art. 5": (
        "1,30 €", "0,30 €", "150,00 €", "vote chaque année", "subvention", "application mobile",
        "critères de calcul", "1 000 élèves × 1,30 €", "1 300,00 €", "mille trois cents euros",
    ),
    "2023 art. 6": (
        "gestion du marché", "webinaires", "ONE", "statistiques", "conseils sur les matériels",
        "prospection", "formation des familles", "devis",
    ),
    "2023 art. 7": ("Hauts-de-France", "bordereau de prix unitaires", "30 jours", "Chorus Pro"),
    "2023 art. 8": ("délibération du comité syndical, notifiée",),
}  # fmt: skip
BREACH = (
    "met l'autre en demeure", "recommandée avec accusé de réception", "griefs",
    "la plus diligente", "au plus tard dans le délai d'un mois",
    "quinze jours après l'envoi", "motifs", "ne sont pas remboursées",
)  # fmt: skip
PARTNERSHIP_2020 = {
    "2020 parties": ("SIRET", "RPI", "une convention est établie pour chacune"),
    "2020 preamble": ("2013", "intérêt général", "mettent leurs moyens en commun"),
    "2020 art. 1": ("ses principes", "programme des ENT"),
    "2020 art. 2.1 to 2.3": ("accès à Internet", "préconisations", "DSII", "héberge"),
    "2020 art. 2.4 to 2.6": (
        "formation des enseignants", "correspondants numériques de circonscription", "niveau 2",
        "niveau 3", "éditeur", "groupe de travail", "représentants des mairies",
    ),
    "2020 art. 2.7": ("référent ville", "contributeurs"),
    "2020 art. 3": ("date de sa signature", "31 octobre 2021"),
    "2020 art. 4 and 5": ("uniquement", "50,00 € TTC", "cinquante euros", "par école et par an"),
    "2020 art. 6.1": ("nombre d'écoles inscrites l'année précédente",),
    "2020 art. 6.2": (
        "du 1er septembre au 15 octobre", "que signe le maire", "cette année et des suivantes",
    ),
    "2020 art. 6.3": ("Moins d'écoles", "ne sont pas activées", "hors délai"),
    "2020 art. 6 titre": ("titre de perception",),
    "2020 art. 7": ("3 écoles × 50,00 € = 150,00 €", "cent cinquante euros", "annexe 1"),
    "2020 art. 8": (
        "un RPI est modifié", "entrent dans un RPI", "en sortent", "communauté de communes",
        "métropole",
    ),
    "2020 art. 9": ("préavis est fixé à un mois", "lettre"),
    "2020 art. 10": BREACH,
    "2020 annex 1": ("Annexe 1", "UAI", "EM : école maternelle"),
}  # fmt: skip
PARTNERSHIP_2024 = {
    "2024 preamble": ("R. 222-24-2", "alinéa 5", "Toulouse et de Montpellier", "intérêt général"),
    "2024 art. 1": ("données personnelles nécessaires", "gouvernance"),
    "2024 art. 2": ("GAR", "stockage", "vie scolaire", "produire des contenus"),
    "2024 art. 3.1": ("formation des enseignants", "assistance", "personnalisables", "responsable"),
    "2024 art. 3.2": ("accès à Internet", "maintenance", "même temps", "préconisations"),
    "2024 art. 4": ("45,00 € TTC", "quarante-cinq euros", "une part", "titre de perception"),
    "2024 art. 5": ("DNMA", "anonymes", "tableaux de bord", "moment de la journée", "DSDEN"),
    "2024 art. 6": ("directeur de la publication", "diffamatoire", "neutralité", "charte"),
    "2024 art. 7": ("7 jours sur 7", "24 heures sur 24", "ERUN", "Les écoles aident les parents"),
    "2024 art. 8 duties": ("responsable du traitement", "AAF", "ONDE", "registre", "sensibilise"),
    "2024 art. 8 rights": (
        "informée", "accéder aux données", "rectifier", "s'opposer", "limitation", "après sa mort",
    ),
    "2024 art. 9": ("3 écoles × 45,00 € = 135,00 €", "cent trente-cinq euros", "UAI"),
    "2024 art. 10": ("date de sa signature", "5 septembre 2025", "2024-2025"),
    "2024 art. 11": (*BREACH, "tribunal administratif de Montpellier", "dans le mois"),
}  # fmt: skip


@pytest.fixture(scope="module")
def regimes(kept):
    return kept(lambda: load_regimes(actor="essai"))


def text_of(content):
    """A PDF's text on one line, typographic spaces and apostrophes made plain."""
    pages = PdfReader(io.BytesIO(content)).pages
    text = " ".join(page.extract_text() for page in pages)
    return " ".join(text.replace("’", "'").split())


def missing(text, facts):
    plain = text.lower()
    return [
        f"{rule} : {words}"
        for rule, wanted in facts.items()
        for words in wanted
        if words.lower() not in plain
    ]


def an_agreement(code, policy, year, schools=3, **facts):
    convention = ConventionFactory(
        schedule=Schedule.objects.get(code=code), policy=policy, reference="REF-1",
        first_year=year, last_year=year, **{"signed_on": None, **facts},
    )  # fmt: skip
    for _ in range(schools):
        EnrolmentFactory(convention=convention, school=SchoolFactory(level="EE"))
    return convention


def test_the_charter_of_2014_says_all_that_its_source_says(regimes):
    issuer, schedule = Issuer.objects.get(code="SOMME"), Schedule.objects.get(code="SOMME-COLLEGES")
    drawn = draw_blank("convention", "charte-somme-2014", issuer, schedule=schedule, year=2014)
    assert missing(text_of(drawn), CHARTER) == []


def test_the_framework_of_2010_says_all_that_its_source_says(regimes):
    issuer = Issuer.objects.get(code="SOMME")
    assert missing(text_of(draw_blank("convention", "cadre-somme-2010", issuer)), FRAMEWORK) == []


def test_the_conditions_of_2023_say_all_that_their_source_says(regimes):
    issuer = Issuer.objects.get(code="NPDC")
    act = ActFactory(issuer=issuer, date=date(2023, 6, 15))
    convention = an_agreement(
        "NPDC-ENT", "transfert-npdc-2023", 2023, schools=0, fixed_start=date(2023, 9, 1),
        conditions=ConditionsFactory(issuer=issuer, act=act, label="version du 15 juin 2023"),
    )  # fmt: skip
    school = EnrolmentFactory(convention=convention).school
    HeadcountFactory(school=school, school_year=2023, source_id="DEPP", pupils=1000)
    assert missing(text_of(draw("convention", convention)), TRANSFER) == []


def test_the_partnership_of_2020_says_all_that_its_source_says(regimes):
    convention = an_agreement("OCC-ENT-ECOLE", "partenariat-montpellier-2020", 2020)
    assert missing(text_of(draw("convention", convention)), PARTNERSHIP_2020) == []


def test_the_partnership_of_2024_says_all_that_its_source_says(regimes):
    convention = an_agreement("OCC-ENT-ECOLE", "partenariat-occitanie-2024", 2024)
    assert missing(text_of(draw("convention", convention)), PARTNERSHIP_2024) == []


def test_each_deliberation_decides_what_its_source_asks_for(regimes):
    decided = {
        ("SOMME", "charte-somme-2014"): (
            "approuve la charte", "autorise son exécutif", "nombre de classes", "Pour", "Abstentions",
        ),
        ("NPDC", "transfert-npdc-2023"): (
            "transfère", "NTIC", "fixe la date d'effet", "approuve les conditions", "version",
        ),
        ("OCC", "partenariat-occitanie-2024"): ("approuve la convention", "autorise son exécutif"),
    }  # fmt: skip
    for (code, policy), words in decided.items():
        drawn = draw_blank("deliberation", policy, Issuer.objects.get(code=code))
        assert missing(text_of(drawn), {policy: words}) == []


def test_a_charter_deliberation_names_the_pupils_of_each_school(regimes):
    convention = an_agreement("SOMME-1D", "charte-somme-2014", 2014, schools=0)
    school = EnrolmentFactory(convention=convention).school
    HeadcountFactory(school=school, school_year=2014, source_id="DEPP", pupils=137)
    text = text_of(draw("deliberation", convention, year=2014))
    assert f"{school.uai}" in text
    assert "137" in text


def test_drafts_blanks_and_fictitious_signatories_say_what_they_are(regimes):
    convention = an_agreement("OCC-ENT-ECOLE", "partenariat-occitanie-2024", 2024, schools=1)
    draft = text_of(draw("notification", convention))
    assert "PROJET – ne pas signer" in draft or "PROJET" in draft
    assert "SPÉCIMEN – signataire fictif" in draft
    Signatory.objects.filter(issuer=convention.schedule.issuer).update(is_fictitious=False)
    final = text_of(draw("notification", convention, draft=False))
    assert "PROJET" not in final
    assert "SPÉCIMEN" not in final
    blank = text_of(draw_blank("annexe", convention.policy, convention.schedule.issuer))
    assert "......" in blank
    assert "PROJET" not in blank


def test_a_long_list_runs_over_pages_and_the_signatures_stay_whole(regimes):
    name = "Saint-Remy-en-Bouzemont-Saint-Genest-et-Isson"
    party = MemberFactory(name=f"Commune de {name}", city=name)
    for schools in (1, 15):
        convention = an_agreement(
            "OCC-ENT-ECOLE", "partenariat-occitanie-2024", 2024, schools=schools, party=party
        )
        convention.reference = f"REF-{schools}"
        pages = PdfReader(io.BytesIO(draw("convention", convention))).pages
        signed = [page.extract_text() for page in pages if "Prénom, nom" in page.extract_text()]
        assert len(signed) == 1
        assert "FICTIF" in signed[0]
        assert "remboursées" in signed[0]  # never a page of signatures alone
        convention.delete()


def test_the_papers_are_tagged_archives_in_french(regimes):
    drawn = draw_blank(PaperKind.CERTIFICATE, "", Issuer.objects.get(code="OCC"))
    catalog = PdfReader(io.BytesIO(drawn)).trailer["/Root"]
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"] == "fr"
    assert b"pdfaid:part" in drawn or "/Metadata" in catalog

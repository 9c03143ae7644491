"""Frozen payloads of titres, as the issuing step hands them to the PDF template.

The collectivities and the school are real; signatories, accountants, bank details and the
issuers' contacts are invented, and every document says so.
"""

from decimal import Decimal
from typing import Any

from entsvc import french

STATE_TEXTS = {
    "enforceability": (
        "Titre exécutoire en application de l'article L. 252 A du livre des procédures fiscales. "
        "Son auteur est nommé ci-dessus ; sa signature figure sur l'état récapitulatif remis au "
        "comptable (article 55 de la loi n° 2010-1658 du 29 décembre 2010)."
    ),
    "payment": (
        "Votre comptable public vire la somme, sur mandat administratif, au compte indiqué "
        "ci-dessus, avec la référence à rappeler. Le paiement en ligne est également possible."
    ),
    "late": (
        "Toute somme non réglée le 15 du deuxième mois qui suit le mois d'émission peut être "
        "majorée de 10 % (même article 55)."
    ),
    "remedies": (
        "Vous avez deux mois, à partir de la notification de ce titre, pour contester "
        "l'existence, le montant ou l'exigibilité de la créance. Adressez d'abord votre "
        "contestation, avec les pièces qui la justifient, au comptable chargé du recouvrement "
        "désigné ci-dessus : cette étape est obligatoire et suspend le recouvrement (articles 117 "
        "et 118 du décret n° 2012-1246 du 7 novembre 2012). Le comptable en accuse réception et "
        "la transmet à l'ordonnateur, qui a six mois pour répondre ; sans réponse dans ce délai, "
        "elle est rejetée. Vous avez alors deux mois, à compter de la décision ou de l'expiration "
        "des six mois, pour saisir le tribunal administratif de Montpellier. Les actes de "
        "poursuite se contestent à part (article 119 du même décret, articles L. 281 et suivants "
        "du livre des procédures fiscales)."
    ),
}

LOCAL_TEXTS = {
    "enforceability": (
        "Titre exécutoire en application de l'article L. 252 A du livre des procédures fiscales, "
        "émis et rendu exécutoire selon les articles R. 2342-4 et D. 3342-11 du code général des "
        "collectivités territoriales (CGCT). L'ordonnateur, nommé ci-dessus, signe le bordereau "
        "qui porte ce titre (article L. 1617-5, 4°, du CGCT)."
    ),
    "payment": (
        "Entre comptables publics : par virement sur mandat administratif, au compte indiqué "
        "ci-dessus, avec la référence à rappeler. Également par PayFiP (identifiant de "
        "collectivité 000000 et référence ci-dessus) ou par chèque à l'ordre du Trésor public, "
        "envoyé au comptable avec la référence."
    ),
    "late": (
        "À défaut de paiement dans le délai, le comptable engage le recouvrement forcé ; les "
        "frais de poursuite s'ajoutent à la somme due."
    ),
    "remedies": (
        "Vous avez deux mois, à partir de la notification de cet avis, pour contester la somme "
        "en saisissant directement le tribunal administratif de Lille, ou le juge judiciaire si "
        "la nature de la créance relève de lui (article L. 1617-5, 1° et 2°, du CGCT). Saisir le "
        "juge suspend la force exécutoire du titre. Une réclamation amiable adressée à "
        "l'ordonnateur reste possible : elle ne suspend ni ne prolonge ce délai de deux mois."
    ),
}


def state_titre() -> dict[str, Any]:
    """One commune, one school, one charge: the call of the région académique on Saubens."""
    return {
        "document": {
            "kind": "titre",
            "regime": "ETAT",
            "title": "Titre de perception",
            "number": 12,
            "reference": "OCC-2025-000012",
            "issued_on": "2025-03-03",
            "exercice": 2025,
            "bordereau": 3,
            "payment_reference": "RF84OCC2025000012",
            "due_text": "au plus tard le 15 mai 2025",
            "specimen": True,
        },
        "issuer": {
            "code": "OCC",
            "name": "Région académique Occitanie",
            "ministry": "Ministère de l'Éducation nationale",
            "siret": "10000000900017",
            "address": ["1 rue de l'Exemple", "31000 Toulouse"],
            "service": "Délégation régionale au numérique pour l'éducation",
            "cost_centre": "RECEXEM031",
            "budget": "",
            "contact": {
                "name": "Bureau des conventions ENT",
                "phone": "05 36 49 00 00",
                "email": "ent-ecole@occitanie.example",
            },
        },
        "debtor": {
            "name": "Commune de Saubens",
            "siret": "21310533100010",
            "address": ["1 place Géraud Lavergne", "31600 Saubens"],
            "service_code": "",
            "engagement_number": "",
            "party": "",
        },
        "subject": "Participation à l'ENT-École pour l'année scolaire 2024-2025",
        "foundations": [
            "Convention ENT-École 2024-2025 entre la région académique Occitanie et la commune "
            "de Saubens, approuvée par la délibération municipale n° 2024/36 du 20 juin 2024",
            "Tarif 2024-2025 : 45,00 € TTC par école inscrite, fixé par la convention",
        ],
        "charges": [
            {
                "code": "ECOLE",
                "label": "Participation par école inscrite",
                "formula": "1 école × 45,00 €",
                "amount": "45.00",
            }
        ],
        "lines": [
            {
                "charge": "ECOLE",
                "charge_label": "Participation par école inscrite",
                "uai": "0310891A",
                "school": "Ecole élémentaire publique Le Petit Prince",
                "commune": "Saubens",
                "quantity": "1",
                "unit": "école",
                "unit_price": "45.00",
                "amount": "45.00",
                "explanation": "1 école × 45,00 € = 45,00 €",
            }
        ],
        "sources": ["Écoles inscrites : liste annexée à la convention"],
        "total": "45.00",
        "total_words": "quarante-cinq euros",
        "vat": "Hors du champ de la TVA (article 256 B du code général des impôts)",
        "imputation": [
            {"label": "Programme", "value": "0000 (exemple)"},
            {"label": "Compte de produit", "value": "000000 (exemple)"},
        ],
        "accountant": {
            "name": "Direction régionale des finances publiques (comptable fictif)",
            "codique": "000000",
            "address": ["2 rue de l'Exemple", "31000 Toulouse"],
            "phone": "05 36 49 00 01",
            "email": "recettes@comptable.example",
            "hours": "du lundi au vendredi, de 9 h à 12 h",
            "iban": "FR3630001000000000000EXEM34",
            "bic": "BDFEFRPPCCT",
            "payment_url": "https://paiement.example/titres",
        },
        "signatory": {
            "first_name": "Camille",
            "last_name": "Exemple",
            "quality": "Cheffe du service des recettes (personne fictive)",
            "delegation": "Par délégation du recteur, arrêté fictif du 2 septembre 2024",
        },
        "texts": dict(STATE_TEXTS),
    }


def local_titre() -> dict[str, Any]:
    """An EPCI of a long name, two charges by school and a flat one: the syndicate's call."""
    return _with_lines(_local_heading(), schools=3)


def titre_of_schools(schools: int) -> dict[str, Any]:
    """The syndicate's call on an EPCI of that many schools, two lines each and a flat one."""
    return _with_lines(_local_heading(), schools=schools)


def titre_without_options(payload: dict[str, Any]) -> dict[str, Any]:
    """The same titre with every optional mention empty."""
    bare = payload | {"sources": [], "vat": "", "imputation": [], "foundations": []}
    bare["document"] = payload["document"] | {"due_text": "", "specimen": False, "bordereau": 0}
    bare["issuer"] = payload["issuer"] | {
        "ministry": "",
        "service": "",
        "cost_centre": "",
        "budget": "",
        "contact": {"name": "", "phone": "", "email": ""},
    }
    bare["debtor"] = payload["debtor"] | {
        "siret": "",
        "service_code": "",
        "engagement_number": "",
        "party": "",
    }
    bare["accountant"] = payload["accountant"] | dict.fromkeys(
        ("codique", "phone", "email", "hours", "iban", "bic", "payment_url"), ""
    )
    bare["signatory"] = payload["signatory"] | {"delegation": ""}
    bare["texts"] = dict.fromkeys(payload["texts"], "")
    return bare


def _local_heading() -> dict[str, Any]:
    return {
        "document": {
            "kind": "titre",
            "regime": "LOCAL",
            "title": "Titre de recettes – avis des sommes à payer",
            "number": 1042,
            "reference": "NPDC-2024-001042",
            "issued_on": "2024-10-01",
            "exercice": 2024,
            "bordereau": 87,
            "payment_reference": "RF13NPDC2024001042",
            "due_text": "30 jours après la mise à disposition sur Chorus Pro",
            "specimen": True,
        },
        "issuer": {
            "code": "NPDC",
            "name": "Syndicat mixte Nord-Pas-de-Calais Numérique",
            "ministry": "",
            "siret": "20000000800017",
            "address": ["3 rue de l'Exemple", "59000 Lille"],
            "service": "Pôle des usages numériques éducatifs",
            "cost_centre": "",
            "budget": "Budget principal (collectivité 000, budget 00)",
            "contact": {
                "name": "Cellule facturation",
                "phone": "03 53 01 00 00",
                "email": "facturation@npdc.example",
            },
        },
        "debtor": {
            "name": "Communauté d'agglomération de Béthune-Bruay, Artois-Lys Romane",
            "siret": "20007246000013",
            "address": [
                "Direction des finances et de la commande publique",
                "4 avenue de l'Exemple",
                "62400 Béthune",
            ],
            "service_code": "SERVICE_EDUC",
            "engagement_number": "ENG2024-0042",
            "party": "",
        },
        "subject": "Contribution à la compétence numérique éducatif, année scolaire 2023-2024",
        "foundations": [
            "Transfert de la compétence « numérique éducatif » par délibérations concordantes de "
            "l'EPCI et du comité syndical",
            "Conditions techniques, administratives et financières du 15 juin 2023, tarif voté "
            "pour l'année scolaire 2023-2024",
        ],
        "sources": [
            "Effectifs : constat de rentrée 2023, écoles publiques du premier degré, publié par "
            "le service statistique du ministère (DEPP)",
            "Demi-journées : bons d'intervention signés de juillet 2023 à juin 2024",
        ],
        "vat": "Hors du champ de la TVA (article 256 B du code général des impôts)",
        "imputation": [
            {"label": "Nature", "value": "74751 (exemple)"},
            {"label": "Fonction", "value": "212 (exemple)"},
            {"label": "Code produit", "value": "0000"},
        ],
        "accountant": {
            "name": "Service de gestion comptable (comptable fictif)",
            "codique": "000000",
            "address": ["5 rue de l'Exemple", "59000 Lille"],
            "phone": "03 53 01 00 01",
            "email": "sgc@comptable.example",
            "hours": "du lundi au vendredi, de 8 h 30 à 12 h",
            "iban": "FR4530001000000000EXEMPLE79",
            "bic": "BDFEFRPPCCT",
            "payment_url": "https://paiement.example/payfip",
        },
        "signatory": {
            "first_name": "Dominique",
            "last_name": "Modèle",
            "quality": "Président du comité syndical (personne fictive)",
            "delegation": "",
        },
        "texts": dict(LOCAL_TEXTS),
    }


def _with_lines(payload: dict[str, Any], *, schools: int) -> dict[str, Any]:
    by_charge = [
        (
            {"code": "BASE", "label": "Contribution de base"},
            [_pupil_line("BASE", "Contribution de base", rank, "1.30") for rank in range(schools)],
        ),
        (
            {"code": "ACCOMPAGNEMENT", "label": "Accompagnement forfaitaire"},
            [
                _pupil_line("ACCOMPAGNEMENT", "Accompagnement forfaitaire", rank, "0.30")
                for rank in range(schools)
            ],
        ),
        ({"code": "DEMIJOURNEE", "label": "Accompagnement spécifique"}, [_half_days()]),
    ]
    charges, lines = [], []
    for charge, charge_lines in by_charge:
        amount = sum((Decimal(line["amount"]) for line in charge_lines), Decimal(0))
        quantity = sum(int(line["quantity"]) for line in charge_lines)
        unit, unit_price = charge_lines[0]["unit"], Decimal(charge_lines[0]["unit_price"])
        formula = f"{french.plural(quantity, unit)} × {french.price(unit_price)}"
        charges.append(charge | {"formula": formula, "amount": str(amount)})
        lines += charge_lines
    total = sum((Decimal(charge["amount"]) for charge in charges), Decimal(0))
    return payload | {
        "charges": charges,
        "lines": lines,
        "total": str(total),
        "total_words": french.amount_in_words(total),
    }


def _pupil_line(code: str, label: str, rank: int, unit_price: str) -> dict[str, str]:
    pupils = 60 + rank * 37 % 310
    amount = pupils * Decimal(unit_price)
    words = f"{french.plural(pupils, 'élève')} × {french.price(Decimal(unit_price))}"
    names = (
        "Jules Ferry",
        "Jacques Prévert",
        "Les Marronniers",
        "Lucie Aubrac",
        "Jean de La Fontaine",
    )
    communes = ("Béthune", "Bruay-la-Buissière", "Nœux-les-Mines", "Isbergues", "Saint-Venant")
    return {
        "charge": code,
        "charge_label": label,
        "uai": _uai(621_000 + rank * 7),
        "school": f"Ecole primaire publique {names[rank % 5]}",
        "commune": communes[rank // 5 % 5],
        "quantity": str(pupils),
        "unit": "élève",
        "unit_price": unit_price,
        "amount": str(amount),
        "explanation": f"{words} = {french.euros(amount)}",
    }


def _half_days() -> dict[str, str]:
    return {
        "charge": "DEMIJOURNEE",
        "charge_label": "Accompagnement spécifique à la demi-journée",
        "uai": "",
        "school": "",
        "commune": "",
        "quantity": "3",
        "unit": "demi-journée",
        "unit_price": "150.00",
        "amount": "450.00",
        "explanation": f"{french.plural(3, 'demi-journée')} × 150,00\u00a0€ = 450,00\u00a0€",
    }


def _uai(number: int) -> str:
    return f"{number:07d}{'ABCDEFGHJKLMNPRSTUVWXYZ'[number % 23]}"

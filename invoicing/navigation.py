"""The menu, named as people speak; what an account may not see is not shown to it."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

MENU = (
    (
        "Appels et titres",
        (
            ("Campagnes", "campaign", "invoicing.campaign"),
            ("Calculs", "calculate", "invoicing.run"),
            ("Appels par membre", "request_quote", "invoicing.call"),
            ("Titres", "receipt_long", "invoicing.titre"),
            ("Bordereaux", "list_alt", "invoicing.bordereau"),
            ("Envois", "outbox", "invoicing.sending"),
            ("Pièces déposées", "cloud_upload", "invoicing.depositedpiece"),
            ("Encaissements", "account_balance_wallet", "invoicing.payment"),
            ("Encaissements à attribuer", "add_link", "invoicing.pendingreceipt"),
            ("Relances", "forward_to_inbox", "invoicing.reminder"),
            ("Demandes de mandat", "outgoing_mail", "invoicing.mandatrequest"),
            ("Clôtures d'exercice", "lock", "invoicing.closedexercice"),
        ),
    ),
    (
        "Prestations et devis",
        (
            ("Prestations réalisées", "co_present", "conventions.delivery"),
            ("Devis", "request_quote", "invoicing.quote"),
            ("Factures du titulaire", "receipt", "invoicing.supplierinvoice"),
            ("Catalogues de prix", "menu_book", "invoicing.catalogue"),
        ),
    ),
    (
        "Décisions de l'année",
        (
            ("États des dépenses", "request_page", "invoicing.coststatement"),
            ("Enveloppes à répartir", "savings", "invoicing.yearpool"),
            ("Subventions", "volunteer_activism", "invoicing.subsidy"),
            ("Déductions", "remove_circle", "invoicing.decideddeduction"),
            ("Ajustements manuels", "tune", "invoicing.adjustment"),
            ("Montants votés", "how_to_vote", "invoicing.votedamount"),
            ("Écoles écartées", "block", "invoicing.exclusion"),
            ("Anomalies acceptées", "task_alt", "invoicing.acceptance"),
        ),
    ),
    (
        "Conventions et tarifs",
        (
            ("Conventions", "handshake", "conventions.convention"),
            ("Avenants", "difference", "conventions.amendment"),
            ("Conditions d'exercice", "contract", "conventions.conditions"),
            ("Documents", "description", "conventions.paper"),
            ("Textes des documents", "edit_document", "conventions.papertext"),
            ("Barèmes", "price_change", "tariffs.schedule"),
            ("Versions de tarif", "history", "tariffs.version"),
            ("Adoptions", "how_to_reg", "tariffs.adoption"),
            ("Actes", "gavel", "members.act"),
        ),
    ),
    (
        "Membres et écoles",
        (
            ("Membres", "apartment", "members.member"),
            ("Écoles", "school", "members.school"),
            ("Effectifs", "groups", "members.headcount"),
            ("Usages", "touch_app", "members.usage"),
            ("Connexions à l'espace", "login", "members.portalaccess"),
            ("Communes et codes", "location_city", "members.commune"),
            ("Imports", "upload_file", "entsvc.importrecord"),
        ),
    ),
    (
        "Réglages",
        (
            ("Émetteurs", "account_balance", "members.issuer"),
            ("Signataires", "ink_pen", "members.signatory"),
            ("Comptables", "payments", "members.accountant"),
            ("Règles d'appel", "rule", "invoicing.callrules"),
            ("Canaux d'envoi", "forward_to_inbox", "invoicing.channel"),
            ("Numérotation des séries", "pin", "invoicing.numberingpolicy"),
            ("Textes légaux", "article", "entsvc.datedtext"),
            ("Chiffres légaux", "tag", "entsvc.datedfigure"),
            ("Niveaux de relance", "schedule_send", "invoicing.reminderstep"),
            ("Formats d'export", "table_view", "invoicing.exportlayout"),
            ("Comptes", "person", "members.user"),
            ("Courriels", "mail", "entsvc.outgoingmail"),
            ("Journal", "menu_book", "entsvc.journalentry"),
        ),
    ),
)

PAGES = {
    "Appels et titres": (
        ("Reste à recouvrer", "hourglass_bottom", "collection:balance", "invoicing.view_titre"),
        (
            "États contradictoires",
            "rate_review",
            "conventions:etats",
            "conventions.view_etatcontradictoire",
        ),
        ("Travaux", "pending_actions", "collection:works", "invoicing.view_run"),
    ),
    "Conventions et tarifs": (
        ("Simuler un tarif", "query_stats", "conventions:what-if", "tariffs.view_version"),
        (
            "Montants prévisionnels",
            "request_quote",
            "conventions:forecasts",
            "conventions.view_forecast",
        ),
        ("Ouvertures", "door_open", "conventions:openings", "conventions.view_enrolment"),
        ("Formulaires vierges", "draft", "conventions:blank-papers", "conventions.view_convention"),
        ("Produire les documents", "print", "conventions:productions", "conventions.view_production"),
        ("Qualité des données", "fact_check", "conventions:readiness", "conventions.view_convention"),
    ),
    "Membres et écoles": (
        ("Payeurs proposés", "person_check", "conventions:debtors", "members.view_confirmeddebtor"),
    ),
}


# What is of no use until a setting turns it on.
OFF = {"invoicing.depositedpiece": "CHORUS_API_URL"}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu of the account."""
    groups = []
    for title, entries in MENU:
        items = [_item(*entry) for entry in entries if _may_view(request, entry[2])]
        items += [
            {"title": name, "icon": icon, "link": reverse(page)}
            for name, icon, page, permission in PAGES.get(title, ())
            if request.user.has_perm(permission)
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def _may_view(request: HttpRequest, label: str) -> bool:
    if label in OFF and not getattr(settings, OFF[label]):
        return False
    app, model = label.split(".")
    return request.user.has_perm(f"{app}.view_{model}")


def _item(title: str, icon: str, label: str) -> dict[str, Any]:
    app, model = label.split(".")
    link: Callable | str = reverse(f"admin:{app}_{model}_changelist")
    return {"title": title, "icon": icon, "link": link}

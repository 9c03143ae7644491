"""What the page says before a PES file is made: what it holds, or all that there is to mend first."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html

from entsvc.french import euros, lower_first, plural, short_date
from entsvc.staff import LINK
from invoicing.models import Bordereau, Sending, Titre
from invoicing.pes.answering import Planned
from invoicing.pes.findings import Finding
from invoicing.pes.forms import ProduceForm
from invoicing.pes.retour_answers import PlannedRetour
from invoicing.pes.sending import Prepared

SHOWN = 50
LARGE_WEIGHT = 50_000_000  # bytes of documents, before they are packed
HEAVY = (
    "Ce fichier porte beaucoup de documents et dépassera sans doute 50 Mo : demandez à votre tiers de "
    "télétransmission la taille qu'il accepte, aucune limite publiée n'étant connue ici."
)
PAGES = {
    "accountant": ("members_accountant", "Comptables"),
    "channel": ("invoicing_channel", "Canaux d'envoi"),
    "issuer": ("members_issuer", "Émetteurs"),
    "schedule": ("tariffs_schedule", "Barèmes"),
    "signatory": ("members_signatory", "Signataires"),
    "text": ("entsvc_datedtext", "Textes légaux"),
}
CONTROL = (
    "Fichier contrôlé par nos règles et, s'il est fourni, par le schéma ; jamais par Hélios lui-même."
)


def told(bordereau: Bordereau, prepared: Prepared) -> dict[str, Any]:
    """Return the facts, warnings and button of the page; no button while something is to mend."""
    if prepared.findings:
        return {"facts": _to_mend(prepared.findings), "warnings": [_count(prepared)]}
    flow = prepared.flow
    pieces = plural(len(flow.pieces), "pièce")
    documents = plural(len(flow.attachments), "pièce jointe", "pièces jointes")
    listed = [
        f"{bordereau} du {short_date(bordereau.issued_on)} : {pieces}, {euros(bordereau.total)}, "
        f"{documents}.",
        f"Fichier {flow.file_name}, à remettre à votre tiers de télétransmission ou au comptable.",
        CONTROL,
        "Schéma : fourni." if settings.PES_XSD_DIR else "Schéma : non fourni (PES_XSD_DIR).",
    ]
    return {"facts": listed, "warnings": _warnings(prepared), **_offered(prepared.rank)}


def unchecked(bordereau: Bordereau) -> dict[str, Any]:
    """Return the facts, warnings and button of the page of a bordereau too large to check at once."""
    before = Sending.objects.filter(bordereau=bordereau).count()
    return {
        "facts": [
            f"{bordereau} du {short_date(bordereau.issued_on)} : {plural(bordereau.count, 'pièce')}, "
            f"{euros(bordereau.total)}.",
            "Il est trop grand pour être contrôlé sur cette page : contrôle et écriture se font en "
            "arrière-plan. Ce qui serait à corriger y est dit, et rien n'est alors produit.",
            CONTROL,
        ],
        "warnings": [*_made_before(before), HEAVY],
        **_offered(before + 1),
    }


def _offered(rank: int) -> dict[str, Any]:
    return {"form": ProduceForm(initial={"rank": rank}), "button": "Produire le fichier"}


def already_made(bordereau: Bordereau, given: Any) -> Sending | None:
    """Return the file that a page offered to make, when another click made it meanwhile."""
    form = ProduceForm(given)
    rank = form.cleaned_data["rank"] if form.is_valid() else 0
    return Sending.objects.filter(bordereau=bordereau, rank=rank).first()


def made(sending: Sending) -> str:
    """Say that a file was made, and by what it was checked."""
    schema = "et par le schéma fourni" if sending.schema else "; le schéma n'est pas fourni"
    return f"{sending.file_name} produit, contrôlé par nos règles {schema}."


def planned(plan: Planned) -> list[str]:
    """Say what an acknowledgement would change; nothing is written yet."""
    first = f"Essai : rien n'est enregistré. Réponse : {lower_first(plan.answer.label)}."
    if not plan.changes:
        return [first, *plan.words.splitlines()[:SHOWN], "Aucun titre ne change d'état."]
    lines = [f"{c.titre.reference} : {lower_first(c.kind.label)}. {c.comment}" for c in plan.changes]
    return [first, *_shortened(lines)]


def planned_retour(plan: PlannedRetour, *, trial: bool = True) -> list[str]:
    """Say what a PES retour would change, or changed, and what it says besides."""
    told = plan.retour
    first = "Essai : rien n'est enregistré." if trial else "Enregistré."
    of = f"{told.file_name}, {plan.issuer} : {plural(len(told.pieces), 'pièce')}"
    lines = [
        f"{change.titre.reference} : {lower_first(change.kind.label)} le {short_date(change.on)}. "
        f"{change.comment}"
        for change in plan.changes
    ]
    done = "à mettre" if trial else "mis"
    counted = plural(len(lines), f"titre {done} à jour", f"titres {done} à jour")
    return [
        f"{first} {of}, {counted}, {plural(plan.known, 'réponse déjà notée', 'réponses déjà notées')}.",
        *_shortened(lines),
        *_shortened(list(plan.notes)),
        *(
            [f"{plural(told.others, 'encaissement')} à régulariser, sans titre d'ici."]
            if told.others
            else []
        ),
    ]


def _shortened(lines: list[str]) -> list[str]:
    left = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"… et {plural(left, 'autre')}."] if left > 0 else [])]


def recorded(plan: Planned) -> str:
    """Say what an acknowledgement changed."""
    changed = plural(len(plan.changes), "titre mis à jour", "titres mis à jour")
    return f"{plan.sending.file_name} : {lower_first(plan.answer.label)}, {changed}."


def _warnings(prepared: Prepared) -> list[str]:
    warnings = []
    if prepared.flow.specimen:
        warnings.append("SPÉCIMEN : son comptable ou son signataire est fictif, ne l'envoyez pas.")
    weight = sum(len(item.content) for item in prepared.flow.attachments)
    return [
        *warnings,
        *_made_before(prepared.rank - 1),
        *([HEAVY] if weight > LARGE_WEIGHT else []),
    ]


def _made_before(number: int) -> list[str]:
    if not number:
        return []
    before = plural(number, "fichier a déjà été produit", "fichiers ont déjà été produits")
    return [
        f"{before} pour ce bordereau : n'envoyez celui-ci qu'à la demande du comptable, qui refuse "
        "deux fois le même bordereau."
    ]


def _count(prepared: Prepared) -> str:
    points = plural(len(prepared.findings), "point à corriger", "points à corriger")
    return f"{points} : aucun fichier n'est produit tant qu'il en reste."


def _to_mend(findings: list[Finding]) -> list[str]:
    """Return each finding with a link to the page that mends it."""
    shown = findings[:SHOWN]
    titres = Titre.objects.filter(pk__in={finding.key for finding in shown if finding.key})
    debtors = {str(pk): debtor for pk, debtor in titres.order_by("pk").values_list("pk", "debtor")}
    lines = [_line(finding, debtors) for finding in shown]
    if len(findings) > SHOWN:
        lines.append(f"… et {len(findings) - SHOWN} autres.")
    return lines


def _line(finding: Finding, debtors: dict[str, Any]) -> str:
    link = _link(finding, debtors)
    return format_html("{} {}", str(finding), format_html(LINK, *link)) if link else str(finding)


def _link(finding: Finding, debtors: dict[str, Any]) -> tuple[str, str] | None:
    if finding.page in PAGES:
        page, words = PAGES[finding.page]
        return reverse(f"admin:{page}_changelist"), words
    if finding.page == "member" and finding.key in debtors:
        return reverse("admin:members_member_change", args=[debtors[finding.key]]), "Membre"
    if finding.page == "titre" and finding.key:
        return reverse("admin:invoicing_titre_change", args=[finding.key]), "Titre"
    return None

"""What the page says before an état liquidatif is made: its sums, or what is missing."""

from typing import Any

from entsvc.french import euros, plural, short_date
from invoicing.liquidation.reading import Sums, sums_of
from invoicing.liquidation.sending import Prepared
from invoicing.models import Sending


def told(prepared: Prepared) -> dict[str, Any]:
    """Return the facts, warnings and button of the page; no button while something is missing."""
    etat = prepared.etat
    if prepared.findings:
        return {"facts": prepared.findings, "warnings": ["Rien n'est produit tant qu'il en reste."]}
    facts = [
        f"{etat.campaign} : état n° {etat.rank}, daté du {short_date(etat.on)}.",
        f"Demandé : {_words(sums_of(etat.asked))}.",
        *(f"{where} : {_words(sums)}." for where, sums in etat.by_imputation()),
        *(
            f"Ordonnateur, qui signe l'état : {who.first_name} {who.last_name}, {who.quality}."
            for who, _ in etat.signatories
        ),
        f"{etat.stem}.pdf, à signer, et {etat.stem}.xlsx, qui revient avec les numéros : remettez-les "
        "au service qui saisit les titres dans Chorus. L'application n'envoie rien.",
    ]
    return {"facts": facts, "warnings": prepared.warnings, "button": "Produire l'état liquidatif"}


def answer_of(sending: Sending) -> str:
    """Return the answer to a sending, in words; that of an état counts the numbers read back.

    The sending comes from `sending.answered`.
    """
    if sending.campaign_id is None:
        return sending.get_answer_display()
    numbers = plural(sending.n_numbers or 0, "numéro relu", "numéros relus")
    return f"{numbers} pour {plural(sending.n_pieces or 0, 'pièce')}"


def _words(sums: Sums) -> str:
    parts = [f"{plural(sums.titres, 'titre')}, {euros(sums.called)}"]
    if sums.corrections:
        count = plural(sums.corrections, "annulation ou réduction", "annulations ou réductions")
        parts.append(f"{count}, {euros(sums.corrected)}")
    return " ; ".join(parts)

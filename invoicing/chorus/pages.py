"""What the pages say before a deposit on Chorus Pro, and of what was deposited."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html

from entsvc.french import euros, plural, short_date
from entsvc.staff import LINK
from invoicing.chorus.access import ChorusOff, access_of
from invoicing.chorus.depositing import Prepared, lost_pieces
from invoicing.chorus.following import to_handle
from invoicing.models import Bordereau, Deposit, DepositedPiece

SHOWN = 50
TRIAL = "Essai : ces adresses sont celles du bac à sable ou de ce poste, rien ne part en vrai."
ONCE = (
    "Un dépôt ne se reprend pas : une facture rejetée se dépose de nouveau, une facture acceptée ne se "
    "corrige que par une annulation ou une réduction."
)


def told(bordereau: Bordereau, prepared: Prepared) -> dict[str, Any]:
    """Return the facts, warnings and button of the page of a deposit."""
    facts: list[Any] = [
        f"{bordereau} du {short_date(bordereau.issued_on)} : {plural(bordereau.count, 'pièce')}, "
        f"{euros(bordereau.total)}."
    ]
    files = len(prepared.lots)
    if prepared.ready:
        many = plural(len(prepared.ready), "facture", "factures")
        facts.append(f"À déposer : {many}, en {plural(files, 'fichier')}.")
        facts += _listed([f"{titre.reference}, {titre.debtor_name}" for titre in prepared.ready])
    facts += [
        f"Préparé, à déposer : {_sending(deposit)}. {deposit.told}" for deposit in prepared.waiting
    ]
    if prepared.under_way:
        facts.append(
            f"Déjà confié à Chorus Pro ou préparé : {plural(len(prepared.under_way), 'pièce')}."
        )
        facts += _listed([str(piece) for piece in prepared.under_way])
    return {
        "facts": facts,
        "warnings": _warnings(prepared),
        "button": "Déposer sur Chorus Pro" if prepared.ready or prepared.waiting else "",
    }


def followed(
    bordereau: Bordereau, deposits: list[Deposit], pieces: list[DepositedPiece]
) -> dict[str, Any]:
    """Return the facts, warnings and button of the page of the follow-up."""
    warnings: list[Any] = [words for words in map(to_handle, pieces) if words][:SHOWN]
    warnings += [f"{piece} : {piece.reason}" for piece in pieces if piece.closed][:SHOWN]
    try:
        access_of(bordereau.issuer)
        button = "Interroger Chorus Pro"
    except ChorusOff as error:
        warnings, button = [str(error), *warnings], ""
    if not deposits:
        return {"facts": [f"{bordereau} : rien n'a encore été déposé."], "warnings": [], "button": ""}
    every = reverse("admin:invoicing_depositedpiece_changelist")
    return {
        "facts": [
            *(format_html("{} : {}. {}", _link(row), row.told_state, row.told) for row in deposits),
            format_html(LINK, every, "Toutes les pièces déposées"),
        ],
        "warnings": warnings,
        "button": button,
    }


def to_settle(deposit: Deposit) -> dict[str, Any]:
    """Return the facts, warnings and button of the page that closes a deposit by hand."""
    lost = [piece.titre.reference for piece in lost_pieces(deposit).select_related("titre")]
    there = deposit.pieces.filter(closed=False).exclude(identifier="").select_related("titre")
    facts: list[Any] = [f"{deposit.sending} : {deposit.told_state.lower()}. {deposit.told}"]
    facts += _listed([f"{piece} : elle reste suivie ici." for piece in there.order_by("titre__number")])
    if lost:
        gone = plural(len(lost), "pièce pourra être déposée", "pièces pourront être déposées")
        facts.append(f"{gone} de nouveau, dans un autre envoi :")
        facts += _listed(lost)
    warnings = ["Vérifiez d'abord, sur le portail de Chorus Pro, qu'elles n'y sont pas."] if lost else []
    return {"facts": facts, "warnings": warnings, "button": "Clore ce dépôt"}


def posting_of(piece: DepositedPiece) -> str:
    """Say where a deposited piece stands on Chorus Pro, in French."""
    if piece.made_available_on:
        return f"{piece.told_status}. Mis à disposition le {short_date(piece.made_available_on)}."
    return f"{piece.told_status}. {piece.reason}".strip()


def _warnings(prepared: Prepared) -> list[Any]:
    warnings: list[Any] = [TRIAL if prepared.trial else ONCE]
    for deposit in prepared.adrift:
        words = (
            f"état inconnu. {deposit.told} Suivez les dépôts avant tout autre : ses pièces attendent."
        )
        warnings.append(format_html("{} : {}", _link(deposit), words))
    if prepared.left_out:
        count = plural(len(prepared.left_out), "pièce laissée de côté", "pièces laissées de côté")
        warnings.append(f"{count} :")
        warnings += _listed([f"{left.titre.reference} : {left.why}" for left in prepared.left_out])
    return warnings


def _listed(lines: list[str]) -> list[str]:
    more = len(lines) - SHOWN
    return lines[:SHOWN] + ([f"… et {more} autres."] if more > 0 else [])


def _link(deposit: Deposit) -> str:
    url = reverse("admin:invoicing_sending_change", args=[deposit.sending_id])
    return format_html(LINK, url, deposit.sending.file_name)


def _sending(deposit: Deposit) -> str:
    return deposit.sending.file_name

"""What becomes of the titres of the demonstration: sent, answered, corrected, paid, reminded, closed.

All of it is read from `suites.toml` and from the accountant's files beside it, at days that are written
there; each fact is recorded by the function that the pages call.
"""

import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from entsvc import school_year
from invoicing.answers import record_events
from invoicing.bordereaux import send, sign
from invoicing.calculation import compute_run
from invoicing.closing import close_exercice
from invoicing.correction_payload import PartOff
from invoicing.corrections import correct
from invoicing.mandats import request_mandat
from invoicing.models import Bordereau, PendingReceipt, Titre, TitreEvent
from invoicing.receipts import attribute, dismiss
from invoicing.reissue import annul_and_reissue
from invoicing.reminders import write_reminders
from invoicing.rendering import render_missing
from members.models import Issuer, Signatory
from tariffs.models import Schedule

FILE = "suites.toml"


def live_on(folder: Path, *, actor: str, bring: Callable[[str, str, dict[str, str]], None]) -> None:
    """Tell the whole story of `suites.toml`, in this order: it ends with what closes an exercice.

    `bring(importer, name, options)` imports a file of the folder, and refuses any wrong row.
    """
    story = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
    for item in story["bordereau"]:
        _send(item, actor)
    for item in story["reissue"]:
        bring("conventions", item["conventions"], {})
        _reissue(item, actor)
    for item in story["reduction"]:
        _reduce(item, actor)
    list(render_missing(Titre.objects.order_by("pk")))
    for item in story["correction_bordereau"]:
        _send(item, actor)
    for item in story["receipts"]:
        bring("encaissements", item["file"], {"issuer": item["issuer"]})
    for item in story["pending"]:
        _decide(item, actor)
    for item in story["reminder"]:
        only = {_titre(reference).pk for reference in item["titres"]}
        write_reminders(issuer=_issuer(item["issuer"]), on=item["on"], actor=actor, only=only)
    for item in story["closing"]:
        close_exercice(issuer=_issuer(item["issuer"]), exercice=item["exercice"], actor=actor)
    for item in story["mandat"]:
        _ask_mandat(item, actor)


def _send(item: dict[str, Any], actor: str) -> None:
    """Sign a bordereau, send it, and record what the accountant answers of its pieces."""
    bordereau = Bordereau.objects.get(
        issuer__code=item["issuer"],
        exercice=item["exercice"],
        number=item["number"],
        kind=item.get("kind", Bordereau.Kind.TITRES),
    )
    sign(bordereau=bordereau, signatory=_signatory(bordereau.issuer), on=item["signed_on"], actor=actor)
    send(bordereau=bordereau, on=item["sent_on"], actor=actor)
    rejected = item.get("rejected", {})
    answers = [
        ([row for row in bordereau.titres.all() if row.reference not in rejected], "TAKEN", ""),
        *(([_titre(reference)], "REJECTED", comment) for reference, comment in rejected.items()),
    ]
    for titres, kind, comment in answers:
        record_events(
            titres=titres,
            kind=TitreEvent.Kind[kind],
            on=item["answered_on"],
            comment=comment,
            actor=actor,
        )


def _reissue(item: dict[str, Any], actor: str) -> None:
    """Compute again with the mended data, annul a titre and issue what it should have asked."""
    schedule = Schedule.objects.select_related("issuer").get(code=item["bareme"])
    compute_run(schedule=schedule, year=school_year.parse(item["annee_scolaire"]), actor=actor)
    titre = _titre(item["titre"])
    annul_and_reissue(titre=titre, debtor=titre.debtor, **_error(item, titre), actor=actor)


def _reduce(item: dict[str, Any], actor: str) -> None:
    """Take one line off a titre."""
    titre = _titre(item["titre"])
    line = titre.lines.get(position=item["line"])
    parts = [PartOff(line.amount, line=line)]
    correct(titre=titre, kind=Titre.Kind.REDUCTION, parts=parts, **_error(item, titre), actor=actor)


def _decide(item: dict[str, Any], actor: str) -> None:
    """Attribute a receipt that named no titre, or set it aside."""
    pending = PendingReceipt.objects.get(reference=item["reference"])
    if "titre" in item:
        attribute(pending=pending, titre=_titre(item["titre"]), actor=actor)
    else:
        dismiss(pending=pending, reason=item["reason"], actor=actor)


def _ask_mandat(item: dict[str, Any], actor: str) -> None:
    titre = _titre(item["titre"])
    request_mandat(titre=titre, amount=Decimal(item["amount"]), **_error(item, titre), actor=actor)


def _error(item: dict[str, Any], titre: Titre) -> dict[str, Any]:
    """Return what every correction tells: the error, its day, and who signs."""
    return {
        "reason_code": item["reason_code"],
        "reason": item["reason"],
        "on": item["on"],
        "signatory": _signatory(titre.issuer),
    }


def _titre(reference: str) -> Titre:
    return Titre.objects.select_related("issuer", "debtor", "campaign").get(reference=reference)


def _issuer(code: str) -> Issuer:
    return Issuer.objects.get(code=code)


def _signatory(issuer: Issuer) -> Signatory:
    return Signatory.objects.filter(issuer=issuer).order_by("pk").first()

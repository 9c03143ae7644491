"""The états contradictoires of the demonstration: what was shown, objected to, answered and agreed with.

All of it is read from `etats.toml`, at days that are written there, and signed by the demonstration:
what a member's office does in it later is told apart. Nobody is written to.
"""

import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from django.utils import timezone

from conventions import etat_facts, etats, objections
from conventions.models import EtatContradictoire, MemberEtat, Objection
from entsvc import school_year
from entsvc.models import OutgoingMail
from members.models import School
from tariffs.models import Schedule

FILE = "etats.toml"


def show_etats(folder: Path, *, actor: str) -> None:
    """Open the états of the file, and tell what their members answer."""
    for item in tomllib.loads((folder / FILE).read_text(encoding="utf-8"))["etat"]:
        etat = etats.open_etat(
            schedule=Schedule.objects.select_related("issuer").get(code=item["bareme"]),
            year=school_year.parse(item["annee_scolaire"]),
            until=item["contestations_jusqu_au"],
            actor=actor,
            at=_noon(item["ouvert_le"]),
        )
        for told in item["contestation"]:
            _object(etat, told, actor)
        for told in item["accord"]:
            shown = _shown(etat, told["membre"])
            objections.agree(shown=shown, actor=actor, at=_noon(told["le"]))
    OutgoingMail.objects.all().delete()


def _object(etat: EtatContradictoire, told: dict[str, Any], actor: str) -> None:
    """Contest the pupils of the first school of a member by UAI, and reject it."""
    shown = _shown(etat, told["membre"])
    named = etat_facts.schools(shown.facts)
    uai = min(uai for uai, school in named.items() if school["pupils"])
    objection = objections.file_objection(
        shown=shown,
        kind=Objection.Kind.PUPILS,
        school=School.objects.get(uai=uai),
        claimed=named[uai]["pupils"] - told["nombre_en_moins"],
        words=told["motif"],
        actor=actor,
        at=_noon(told["le"]),
    )
    objections.respond(
        objection=objection,
        accepted=False,
        words=told["reponse"],
        actor=actor,
        at=_noon(told["reponse_le"]),
    )


def _shown(etat: EtatContradictoire, insee_code: str) -> MemberEtat:
    rows = etat.members.select_related("debtor", "etat__schedule__issuer")
    return rows.get(debtor__insee_code=insee_code)


def _noon(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(12)))

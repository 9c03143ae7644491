"""Who pays under an agreement, and by which tariff: neither is asked of one that bills nothing.

The framework agreement of 2010 opens schools and founds no call: its signatory stands for the payer, and
a tariff of its issuer only says whose it is.
"""

from collections.abc import Iterable
from typing import Any

from django import forms

from conventions.policies import bills
from tariffs.models import Schedule

PARTY_HELP = "Absent de la liste ? Enregistrez-le d'abord dans « Membres »."
DEBTOR_HELP = (
    "Vide : le signataire paie. Seuls les membres qui ont un SIRET sont proposés : saisissez-le d'abord "
    "dans « Membres »."
)
SCHEDULE_HELP = "Un texte qui ne facture rien n'en demande pas, ni de payeur."
NO_SIRET = (
    "Le signataire n'a pas de SIRET : choisissez qui paie, ou saisissez ce SIRET dans sa fiche de "
    "« Membres »."
)
NO_SCHEDULE = "Choisissez le barème : ce texte est facturé."
SEVERAL_ISSUERS = (
    "Vous suivez plusieurs émetteurs : choisissez un barème de celui qui la signe, pour dire de qui "
    "elle est."
)


class PayerForm(forms.ModelForm):
    """An agreement as a page gives it: its payer is its party unless another is chosen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, words in (
            ("party", PARTY_HELP), ("debtor", DEBTOR_HELP), ("schedule", SCHEDULE_HELP),
        ):  # fmt: skip
            if name in self.fields:
                self.fields[name].help_text = words
        for name in {"debtor", "schedule"} & set(self.fields):
            self.fields[name].required = False
        if self.instance.pk and not bills(self.instance.policy):
            self.initial["debtor"] = None

    def clean(self) -> dict[str, Any]:
        """Give the agreement its payer and its tariff, or say which one to choose."""
        cleaned = super().clean()
        policy = cleaned.get("policy", self.instance.policy)
        if "debtor" in self.fields and "debtor" not in self.errors:
            self._give_payer(cleaned, bills(policy))
        if "schedule" in self.fields and "schedule" not in self.errors:
            self._give_schedule(cleaned, bills(policy))
        return cleaned

    def _give_payer(self, cleaned: dict[str, Any], billed: bool) -> None:
        party = cleaned.get("party")
        if party is None or cleaned.get("debtor"):
            return
        if billed and not party.siret:
            self.add_error("debtor", NO_SIRET)
            return
        # Out of what the model checks: a payer has a SIRET, and this one may pay nothing.
        cleaned.pop("debtor", None)
        self.instance.debtor = party

    def _give_schedule(self, cleaned: dict[str, Any], billed: bool) -> None:
        if cleaned.get("schedule"):
            return
        held = self.instance.schedule if self.instance.schedule_id else None
        found = held or (None if billed else only_of_an_issuer(self.fields["schedule"].queryset))
        if billed or found is None:
            self.add_error("schedule", NO_SCHEDULE if billed else SEVERAL_ISSUERS)
        else:
            cleaned["schedule"] = found


def only_of_an_issuer(schedules: Iterable[Schedule]) -> Schedule | None:
    """Return the first of some tariffs by code where all are of one issuer, else None."""
    known = sorted(schedules, key=lambda schedule: schedule.code)
    return known[0] if len({schedule.issuer_id for schedule in known}) == 1 else None

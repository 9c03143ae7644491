"""Compute past campaigns again from their frozen bases, and compare to the cent."""

import argparse
import sys
from typing import Any

from entsvc.commands import JsonCommand
from entsvc.french import euros, plural
from invoicing.models import Campaign, Run
from invoicing.replay import basis_changed, differences


class Command(JsonCommand):
    """Thin: the comparison is in `invoicing.replay`."""

    help = "Refait des calculs passés depuis leurs bases figées ; code 1 à la moindre différence."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--campaign", type=int, metavar="ID", help="Campagne.")
        which.add_argument("--all", action="store_true", help="Toutes les campagnes.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compute each run again, one at a time."""
        as_json = options["json"]
        runs = Run.objects.order_by("pk")
        if options["campaign"] is not None:
            if not Campaign.objects.filter(pk=options["campaign"]).exists():
                message = f"Aucune campagne {options['campaign']}."
                self.fail({"runs": [], "error": message}, message, as_json=as_json)
            runs = runs.filter(campaign=options["campaign"])
        done = []
        for key in list(runs.values_list("pk", flat=True)):
            run = Run.objects.select_related("campaign__schedule").get(pk=key)
            found = [message for message in (basis_changed(run), *differences(run)) if message]
            done.append(_document(run, found))
            self.stderr.write(_words(run, found), ending="\n")
        different = sum(1 for run in done if run["differences"])
        summary = f"{plural(len(done), 'calcul refait', 'calculs refaits')}, "
        summary += f"{plural(different, 'différent')}." if different else "tous au centime."
        self.answer({"runs": done}, [summary], as_json=as_json)
        if different:
            sys.exit(1)


def _document(run: Run, found: list[str]) -> dict[str, Any]:
    return {
        "run": run.pk,
        "campaign": run.campaign_id,
        "schedule": run.campaign.schedule.code,
        "school_year": run.campaign.school_year_label,
        "total": str(run.total),
        "differences": found,
    }


def _words(run: Run, found: list[str]) -> str:
    head = f"Calcul {run.pk} ({run}), {euros(run.total)} : "
    return head + ("identique." if not found else " ; ".join(found) + ".")

"""Compute the calls of a schedule for a school year."""

from typing import Any

from django.core.management.base import CommandParser

from entsvc import school_year
from entsvc.commands import JsonCommand, school_year_argument
from entsvc.french import euros, plural
from entsvc.journal import command_actor
from invoicing.calculation import CampaignRefused, compute_run
from invoicing.models import Anomaly, Call, CallLine, Run
from tariffs.adoption import NotAdopted
from tariffs.models import Schedule


class Command(JsonCommand):
    """Thin: the rules are in the engine, the assessment and `calculation`."""

    help = "Calcule les appels d'un barème pour une année scolaire."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments of the contract."""
        super().add_arguments(parser)
        parser.add_argument("--schedule", required=True, metavar="CODE", help="Code du barème.")
        parser.add_argument(
            "--school-year",
            required=True,
            type=school_year_argument,
            metavar="AAAA-AAAA",
            help="Année scolaire.",
        )
        parser.add_argument(
            "--rank",
            type=int,
            default=1,
            metavar="N",
            help="1 par défaut ; au-delà, une campagne complémentaire, qui n'appelle que la différence.",
        )
        parser.add_argument(
            "--reason", default="", help="Motif, pour ouvrir une campagne complémentaire."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Compute and report."""
        as_json = options["json"]
        try:
            schedule = Schedule.objects.get(code=options["schedule"])
            run = compute_run(
                schedule=schedule,
                year=options["school_year"],
                rank=options["rank"],
                reason=options["reason"],
                actor=command_actor(),
            )
        except Schedule.DoesNotExist:
            known = ", ".join(Schedule.objects.order_by("code").values_list("code", flat=True))
            message = f"Barème inconnu : {options['schedule']}. Barèmes : {known or 'aucun'}."
            self.fail(_failure(options, "unknown_schedule", message), message, as_json=as_json)
        except NotAdopted as error:
            self.fail(_failure(options, "not_adopted", str(error)), str(error), as_json=as_json)
        except CampaignRefused as error:
            self.fail(_failure(options, "supplement_refused", str(error)), str(error), as_json=as_json)
        self.answer(run_document(run), _words(run), as_json=as_json)


def run_document(run: Run) -> dict[str, Any]:
    """Return a stored run as the contract's JSON document; money as strings with two decimals."""
    calls = run.calls.prefetch_related("lines", "anomalies").order_by("siret")
    return {
        "schedule": run.basis["facts"]["schedule"],
        "school_year": school_year.label(run.basis["school_year"]),
        "run": run.pk,
        "total": str(run.total),
        "calls": [_call(call) for call in calls],
        "errors": [_error(a) for a in run.anomalies.filter(call__isnull=True).order_by("pk")],
    }


def _call(call: Call) -> dict[str, Any]:
    lines = sorted(call.lines.all(), key=lambda line: line.position)
    errors = sorted(call.anomalies.all(), key=lambda anomaly: anomaly.pk)
    return {
        "siret": call.siret,
        "name": call.name,
        "total": str(call.total),
        "lines": [_line(line) for line in lines],
        "errors": [_error(anomaly) for anomaly in errors],
    }


def _line(line: CallLine) -> dict[str, Any]:
    return {
        "charge": line.charge,
        "uai": line.uai,
        "quantity": line.quantity,
        "unit_price": None if line.unit_price is None else _price(line),
        "amount": str(line.amount),
        "explanation": line.explanation,
    }


def _price(line: CallLine) -> str:
    """Show two decimals, or up to four when the unit price has more."""
    text = f"{line.unit_price:.4f}"
    return text[:-2] if text.endswith("00") else text


def _error(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "code": anomaly.code,
        "uai": anomaly.uai,
        "message": anomaly.message,
        "blocking": anomaly.blocking,
    }


def _failure(options: dict[str, Any], code: str, message: str) -> dict[str, Any]:
    return {
        "schedule": options["schedule"],
        "school_year": school_year.label(options["school_year"]),
        "run": None,
        "total": None,
        "calls": [],
        "errors": [{"code": code, "uai": "", "message": message, "blocking": True}],
    }


def _words(run: Run) -> list[str]:
    blocked = run.calls.filter(anomalies__blocking=True).distinct().count()
    head = (
        f"Calcul {run.pk} ({run}) : {plural(run.calls.count(), 'appel')}, total {euros(run.total)}, "
        f"{plural(blocked, 'membre bloqué', 'membres bloqués')}."
    )
    anomalies = run.anomalies.select_related("call").order_by("call__siret", "pk")
    return [head] + [f"  {a.call.name if a.call else 'Campagne'} : {a.message}" for a in anomalies]

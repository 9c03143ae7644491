"""An état contradictoire on paper, drawn from what was frozen alone."""

from django.utils import timezone

from conventions.etat_facts import totals
from conventions.models import MemberEtat
from entsvc.pdf import render_pdf

TEMPLATE = "pdf/etat_contradictoire.html"


def draw_etat(shown: MemberEtat) -> bytes:
    """Return the PDF of what a member was shown, with what it could do and until when."""
    schools, pupils = totals(shown.facts)
    context = {
        "shown": shown,
        "etat": shown.etat,
        "issuer": shown.etat.schedule.issuer,
        "debtor": shown.debtor,
        "agreements": shown.facts["agreements"],
        "active": shown.facts["active"],
        "read": shown.facts["read"],
        "schools": schools,
        "pupils": pupils,
        "created": timezone.localdate(shown.shown_at).isoformat(),
        "approximate": any(
            school["approximate"] for item in shown.facts["agreements"] for school in item["schools"]
        ),
    }
    return render_pdf(TEMPLATE, context)

"""What a member was told for its budget: its page shows the amount, why, and the letter."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from conventions.forecasts import files
from conventions.forecasts.told import amounts_of, told_to
from conventions.forecasts.workbook import CONTENT_TYPE, write_member
from conventions.models import ForecastAmount
from entsvc.downloads import as_attachment
from members import successions
from members.models import Member
from members.portal.access import portal_page
from members.portal.files import give

SHOWN = 3  # years and schedules in full; the others are a list of letters


def forecasts_panel(request: HttpRequest, member: Member) -> str:
    """Draw the amounts told to a member, the latest year first; nothing when there is none."""
    told = told_to([member.pk])
    if not told:
        return ""
    current = [row.amount for row in told if not row.is_replaced]
    shown, shown_keys = current[:SHOWN], {row.pk for row in current[:SHOWN]}
    former = [row for row in told if row.amount.pk not in shown_keys]
    context = {"member": member, "rows": shown, "former": former}
    return render_to_string("espace/conventions/forecasts.html", context)


@require_safe
@portal_page
def letter(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the letter of an amount told to a member of the account."""
    amount = _amount(request, pk)
    return give(request, amount.document, files.name_of(amount))


@require_safe
@portal_page
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the detail of an amount as a workbook."""
    amount = _amount(request, pk)
    name = files.name_of(amount).removesuffix(".pdf") + ".xlsx"
    return as_attachment(write_member(amount), name, CONTENT_TYPE)


def _amount(request: HttpRequest, pk: UUID) -> ForecastAmount:
    own = list(request.members.order_by("pk").values_list("pk", flat=True))
    stands = [*own, *successions.taken_over_by(own, timezone.localdate())]
    return get_object_or_404(amounts_of(stands), pk=pk)

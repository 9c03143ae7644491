"""The pages of an issuer's collection: what remains to collect at a day, and the reminders to write."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from entsvc import school_year
from entsvc.downloads import as_attachment
from entsvc.french import plural, short_date
from entsvc.journal import record
from invoicing.balance import Age, balance_at
from invoicing.collection_forms import BalanceForm, IssuerForm
from invoicing.exports.aged_balance import CONTENT_TYPE, write_balance
from invoicing.long_collection import LARGE_MAIL, remind_later
from invoicing.prescription import Limits, years_warned
from invoicing.reminders import ReminderRefused, due_reminders, write_reminders
from members.access import visible
from members.models import Issuer

SHOWN = 100
AT_ONCE = 100  # reminders shown, each with its box


def balance_page(request: HttpRequest) -> HttpResponse:
    """Show what remains to collect of an issuer at a day, or give it as a workbook."""
    _require(request, "invoicing.view_titre", "invoicing.view_payment")
    issuers = visible(Issuer.objects.order_by("code"), request.user)
    form = BalanceForm(request.GET or _initial(issuers), issuers=issuers)
    context: dict[str, Any] = {"form": form, "balance": None}
    if form.is_valid():
        issuer, on = form.cleaned_data["emetteur"], form.cleaned_data["le"]
        balance = balance_at(issuer, on)
        if request.GET.get("format") == "xlsx":
            return _workbook(request, issuer, balance)
        sums = balance.sums
        debtors = balance.debtors
        context |= {
            "balance": balance,
            "issuer": issuer,
            "sums": sums,
            "ages": list(zip([age.label for age in Age], sums.by_age, strict=True)),
            "headings": [age.label for age in Age],
            "debtors": debtors[:SHOWN],
            "more_debtors": max(len(debtors) - SHOWN, 0),
            "rows": [(s, s.age(on).label, s.limit.warning(on)) for s in balance.standings[:SHOWN]],
            "more_rows": max(len(balance.standings) - SHOWN, 0),
            "warned": [(s, s.limit.warning(on)) for s in balance.warned[:SHOWN]],
            "years": [
                (row, school_year.label(row.school_year), row.limit.warning(on))
                for row in years_warned(issuer, on, Limits.load())
            ],
            "any_approximate": any(s.is_approximate for s in balance.standings),
            "workbook": f"?emetteur={issuer.code}&le={short_date(on)}&format=xlsx",
        }
    return _page(request, "balance", "Reste à recouvrer", context)


def reminders_page(request: HttpRequest) -> HttpResponse:
    """Show the reminders that it is time to write, and write those that are ticked."""
    _require(request, "invoicing.write_reminder")
    issuers = visible(Issuer.objects.order_by("code"), request.user)
    form = IssuerForm(request.GET or _initial(issuers), issuers=issuers)
    context: dict[str, Any] = {"form": form, "rows": None}
    if form.is_valid():
        issuer, today = form.cleaned_data["emetteur"], timezone.localdate()
        if request.method == "POST":
            return _write(request, issuer, today)
        rows = due_reminders(issuer, today)
        context |= {
            "issuer": issuer,
            "today": today,
            "count": len(rows),
            "unsent": sum(1 for row in rows if row.warning),
            "all": sum(1 for row in rows if not row.warning),
            "rows": [(row, row.titre.days_late(today)) for row in rows[:AT_ONCE]],
            "more_rows": max(len(rows) - AT_ONCE, 0),
        }
    return _page(request, "reminders", "Écrire les relances", context)


def _write(request: HttpRequest, issuer: Issuer, today: Any) -> HttpResponse:
    """Write the reminders that are ticked, or all those that nothing warns of (`toutes`)."""
    back = redirect(f"{reverse('collection:reminders')}?emetteur={issuer.code}")
    chosen, every = set(request.POST.getlist("titre")), "toutes" in request.POST
    due = {
        row.titre.key
        for row in due_reminders(issuer, today)
        if (not row.warning if every else str(row.titre.key) in chosen)
    }
    actor = request.user.get_username()
    if not due:
        messages.warning(request, "Cochez au moins une relance qui soit encore à écrire.")
    elif len(due) > LARGE_MAIL:
        work = remind_later(issuer=issuer, on=today, titres=due, actor=actor)
        return redirect("work", work.pk)
    else:
        _write_now(request, issuer, today, due, actor)
    return back


def _write_now(request: HttpRequest, issuer: Issuer, today: Any, due: set[Any], actor: str) -> None:
    try:
        done = write_reminders(issuer=issuer, on=today, actor=actor, only=due)
    except ReminderRefused as error:
        messages.error(request, str(error))
        return
    for refusal in done.refused:
        messages.warning(request, refusal)
    if done.reminders:
        count = plural(len(done.reminders), "relance écrite", "relances écrites")
        messages.success(request, f"{count} : les courriers sont dans la liste des relances.")


def _workbook(request: HttpRequest, issuer: Issuer, balance: Any) -> HttpResponse:
    name = f"reste-a-recouvrer-{issuer.code}-{balance.on.isoformat()}.xlsx"
    record(
        actor=request.user.get_username(),
        action="export",
        target=issuer,
        summary=f"Reste à recouvrer de {issuer.code} au {short_date(balance.on)} : {name}",
    )
    return as_attachment(write_balance(issuer, balance), name, CONTENT_TYPE)


def _initial(issuers: Any) -> dict[str, Any]:
    """Return what the page shows before anything is asked: the first issuer, today."""
    first = issuers.first()
    return {"emetteur": first.code if first else "", "le": short_date(timezone.localdate())}


def _require(request: HttpRequest, *permissions: str) -> None:
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def _page(request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"admin/invoicing/{name}.html", context)

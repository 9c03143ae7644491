"""The page of a campaign for the finance office, its downloads, and its announcement to members."""

from io import BytesIO
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Q
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from entsvc import charts
from entsvc.downloads import as_attachment
from entsvc.french import integer, plural
from entsvc.journal import record
from invoicing import announcing, long_collection
from invoicing.bordereaux import state_of
from invoicing.campaign_accounts import bordereaux_of, read
from invoicing.campaign_figures import Figures, figures_of
from invoicing.drift import shown_drifts
from invoicing.exports import campaign_documents
from invoicing.exports.accounting_csv import CONTENT_TYPES, Unwritable, write_csv
from invoicing.exports.campaign_workbook import write_campaign
from invoicing.left_to_issue import not_issued
from invoicing.liquidation.pages import answer_of
from invoicing.liquidation.sending import answered, is_of_the_state
from invoicing.list_changes import shown_list_changes
from invoicing.models import Announcement, Anomaly, Campaign, ExportLayout, Titre
from members.access import visible

VIEW = ("invoicing.view_titre", "invoicing.view_payment")
ISSUE = "invoicing.issue_titre"
ANNOUNCE = "invoicing.announce_titre"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHOWN = 50  # titres named in a list
RUNS = 10
CHANGES = "ecarts"  # asks for what changed since the issue: the bases of every run are read again


@require_safe
def campaign_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the figures of a campaign, its charts, titres by status, bordereaux, runs and downloads."""
    campaign = _campaign(request, pk)
    accounts = read(campaign)
    figures = figures_of(accounts.values(), timezone.localdate())
    runs = _runs(campaign)
    told = set(_announced(campaign))
    context = {
        "campaign": campaign,
        "figures": figures,
        "charts": _charts(figures),
        "statuses": _statuses(campaign, figures),
        "titres_url": _titres_url(campaign),
        "not_issued": not_issued(runs[0] if runs else None),
        "last_run": runs[0] if runs else None,
        "runs": runs[:RUNS],
        "more_runs": max(len(runs) - RUNS, 0),
        "bordereaux": _bordereaux(campaign),
        "lacking": campaign_documents.lacking(campaign),
        "etats": _etats(campaign) if is_of_the_state(campaign) else None,
        "may_issue": request.user.has_perm(ISSUE),
        "layouts": list(ExportLayout.objects.filter(issuer=campaign.schedule.issuer_id)),
        "announced": len(told),
        "to_announce": sum(1 for key, a in accounts.items() if a.remaining and key not in told),
        "may_announce": request.user.has_perm(ANNOUNCE),
        **_changes(campaign, asked=CHANGES in request.GET),
    }
    return _page(request, "campaign", f"Appel : {campaign}", context)


@require_safe
def workbook(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the workbook of a campaign, as it is filed; that of a large one is made in the background."""
    campaign = _campaign(request, pk)
    name = f"{_stem(campaign)}.xlsx"
    if long_collection.is_long_to_file(campaign):
        actor = request.user.get_username()
        work = long_collection.file_later(campaign=campaign, name=name, actor=actor)
        return redirect("work", work.pk)
    target = BytesIO()
    write_campaign(campaign, read(campaign), target)
    _journal(request, campaign, "export", name)
    return as_attachment(target.getvalue(), name, XLSX)


@require_safe
def accounting_file(request: HttpRequest, pk: int, layout: int) -> HttpResponse:
    """Give the CSV of a campaign in a layout of its issuer."""
    campaign = _campaign(request, pk)
    rows = ExportLayout.objects.filter(issuer=campaign.schedule.issuer_id)
    chosen = get_object_or_404(rows.prefetch_related("columns"), pk=layout)
    try:
        content = write_csv(chosen, campaign, read(campaign))
    except Unwritable as error:
        messages.error(request, str(error))
        return redirect(_address(campaign))
    name = f"{_stem(campaign)}-{slugify(chosen.name)}.csv"
    _journal(request, campaign, "export", name)
    return as_attachment(content, name, CONTENT_TYPES[chosen.encoding])


@require_safe
def documents_file(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the ZIP of the PDFs as it is made; its name says when some are still to draw."""
    campaign = _campaign(request, pk)
    if not campaign.titres.exists():
        raise Http404("Aucun titre n'est encore émis.")
    unfinished = "-incomplet" if campaign_documents.lacking(campaign) else ""
    name = f"{_stem(campaign)}-pdf{unfinished}.zip"
    _journal(request, campaign, "download", name)
    stream = campaign_documents.stream(campaign, timezone.now())
    answer = StreamingHttpResponse(stream, content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def announce_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show which titres are still to announce; write the mails of the bordereaux that are ticked."""
    campaign = _campaign(request, pk)
    if not request.user.has_perm(ANNOUNCE):
        raise PermissionDenied
    found = announcing.waiting(campaign, read(campaign))
    if request.method == "POST":
        _announce(request, campaign, found)
        return redirect("collection:campaign-announce", campaign.pk)
    ready = [
        {
            "bordereau": bordereau,
            "state": state_of(bordereau).label,
            "is_sent": state_of(bordereau) == "envoye",
            "count": len(rows),
            "rows": rows[:SHOWN],
            "more": max(len(rows) - SHOWN, 0),
        }
        for bordereau, rows in found.ready.items()
    ]
    lists = [
        ("Sans adresse de courriel", "Saisissez-en une sur la fiche du membre, ou envoyez le titre par "
         "la poste.", found.without_address),
        ("Sans PDF", "Produisez-le depuis la page du bordereau : le membre ne pourrait pas l'ouvrir.",
         found.without_pdf),
        ("Rejetés par le comptable", "Annulez-les ou ré-émettez-les d'abord.", found.rejected),
    ]  # fmt: skip
    context = {
        "campaign": campaign,
        "waiting": found,
        "ready": ready,
        "lists": [
            {"title": title, "advice": advice, "count": len(rows), "rows": rows[:SHOWN]}
            for title, advice, rows in lists
            if rows
        ],
        "at_once": announcing.AT_ONCE,
        "back": _address(campaign),
    }
    return _page(request, "campaign_announce", f"Annoncer les titres : {campaign}", context)


def _announce(request: HttpRequest, campaign: Campaign, found: announcing.Waiting) -> None:
    chosen = set(request.POST.getlist("bordereau"))
    rows = [
        row for bordereau, listed in found.ready.items() if str(bordereau.pk) in chosen for row in listed
    ]
    try:
        done = announcing.announce(campaign=campaign, rows=rows, actor=request.user.get_username())
    except announcing.AnnouncementRefused as error:
        messages.warning(request, str(error))
        return
    left = len(rows) - done
    again = f" Il en reste {integer(left)} à annoncer : recommencez." if left else ""
    messages.success(request, f"{plural(done, 'titre annoncé', 'titres annoncés')}.{again}")


def _changes(campaign: Campaign, *, asked: bool) -> dict[str, Any]:
    """Return what changed since the issue, when it is asked for."""
    drifts = lists = ([], 0)
    if asked:
        drifts = shown_drifts(campaign.schedule, campaign.school_year)
        lists = shown_list_changes(campaign.schedule, campaign.school_year)
    names = ("drifts", "more_drifts", "list_changes", "more_list_changes")
    return {"changes_asked": asked, **dict(zip(names, (*drifts, *lists), strict=True))}


def _charts(figures: Figures) -> list[charts.Chart]:
    if not figures.sums.titres:
        return []
    months, kinds = figures.months, figures.kinds
    by_month = charts.columns(
        "Appelé, encaissé, reste dû : par mois",
        [month.label for month in months],
        {
            "Appelé, net des corrections": [month.called - month.corrected for month in months],
            "Encaissé": [month.collected for month in months],
            "Reste dû en fin de mois": [month.outstanding for month in months],
        },
    )
    by_kind = charts.columns(
        "Appelé, encaissé, reste dû : par type de membre",
        [label for label, _ in kinds],
        {
            "Appelé, net des corrections": [sums.due for _, sums in kinds],
            "Encaissé": [sums.collected for _, sums in kinds],
            "Reste dû": [sums.outstanding for _, sums in kinds],
        },
    )
    return [by_month, by_kind]


def _statuses(campaign: Campaign, figures: Figures) -> list[dict[str, Any]]:
    return [
        {"label": status.label, "sums": sums, "url": _titres_url(campaign, etat=status.value)}
        for status, sums in figures.by_status.items()
    ]


def _titres_url(campaign: Campaign, **more: str) -> str:
    query = {"campaign__id__exact": campaign.pk, "kind__exact": Titre.Kind.TITRE.value, **more}
    return f"{reverse('admin:invoicing_titre_changelist')}?{urlencode(query)}"


def _bordereaux(campaign: Campaign) -> list[dict[str, Any]]:
    rows = bordereaux_of(campaign).select_related("issuer", "pdf").prefetch_related("events")
    return [
        {"bordereau": row, "state": state_of(row).label, "has_pdf": hasattr(row, "pdf")} for row in rows
    ]


def _etats(campaign: Campaign) -> list[dict[str, Any]]:
    rows = answered(campaign.sendings.defer("attachments")).order_by("-rank")
    return [{"sending": row, "answer": answer_of(row)} for row in rows]


def _runs(campaign: Campaign) -> list[Any]:
    blocking = Anomaly.objects.filter(call=OuterRef("calls"), blocking=True)
    runs = campaign.runs.defer("basis").annotate(
        n_calls=Count("calls", distinct=True),
        n_blocked=Count("calls", filter=Q(Exists(blocking)), distinct=True),
    )
    return list(runs.order_by("-number"))


def _announced(campaign: Campaign) -> Any:
    rows = Announcement.objects.filter(titre__campaign=campaign).order_by("pk")
    return rows.values_list("titre", flat=True)


def _campaign(request: HttpRequest, pk: int) -> Campaign:
    if not request.user.has_perms(VIEW):
        raise PermissionDenied
    rows = visible(Campaign.objects.select_related("schedule__issuer"), request.user)
    return get_object_or_404(rows, pk=pk)


def _address(campaign: Campaign) -> str:
    return reverse("collection:campaign", args=[campaign.pk])


def _stem(campaign: Campaign) -> str:
    """Return the start of the names of its files."""
    return f"appel-{campaign.slug}"


def _journal(request: HttpRequest, campaign: Campaign, action: str, name: str) -> None:
    actor = request.user.get_username()
    record(actor=actor, action=action, target=campaign, summary=f"{campaign} : {name}")


def _page(request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"admin/invoicing/{name}.html", context)

"""« Montants prévisionnels »: prepare them from a simulation, read them, print or send the letters."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from conventions import what_if_pages
from conventions.forecasts import files, letters, long_work, sending
from conventions.forecasts.forms import ForecastForm
from conventions.forecasts.preparing import drop, prepare
from conventions.forecasts.reading import ForecastRefused
from conventions.forecasts.told import superseded
from conventions.forecasts.workbook import CONTENT_TYPE, write_forecast
from conventions.models import Forecast
from conventions.scoped_pages import require
from conventions.what_if_forms import APPROXIMATE, TariffForm
from entsvc import background, school_year, work_pages
from entsvc.documents import CorruptDocument
from entsvc.downloads import as_attachment, attachment
from entsvc.fields import search_key
from entsvc.french import integer, plural
from entsvc.journal import record
from members.access import visible
from tariffs.models import Adoption, Version

VIEW, ADD, SEND = "conventions.view_forecast", "conventions.add_forecast", "conventions.send_forecast"
TITLE = "Montants prévisionnels"
LATEST, PER_PAGE, SHOWN, FAILURES = 50, 50, 50, 50
ASKED = "repris"  # tells the page that the work has just been asked for: no sign of it is due yet


@require_safe
def forecasts_page(request: HttpRequest) -> HttpResponse:
    """Show what was prepared and sent, the latest first."""
    require(request, VIEW)
    rows = _forecasts(request).annotate(
        members=Count("amounts"),
        told=Count("amounts", filter=Q(amounts__notice__isnull=False)),
        total=Sum("amounts__total"),
        is_superseded=superseded(),
    )
    context = {
        "rows": list(rows.order_by("-made_at", "-pk").defer("payload", "apart")[:LATEST]),
        "latest": LATEST,
        "may_add": request.user.has_perms((ADD, *what_if_pages.PERMISSIONS)),
    }
    return _page(request, "forecasts", TITLE, context)


def new_page(request: HttpRequest) -> HttpResponse:
    """Ask what to announce, from the tariff and the hypothesis of the address; prepare it on POST."""
    require(request, VIEW, ADD, *what_if_pages.PERMISSIONS)
    versions = what_if_pages.versions_of(request)
    version = what_if_pages.version_of(request, versions)
    context: dict[str, Any] = {"version": version, "tariff": None, "form": None, "changed": False}
    context["other"] = None
    if version is None:
        return _page(request, "forecast_new", TITLE, context)
    years = what_if_pages.years_offered(versions)
    tariff = TariffForm(_first(request, version, versions), versions=versions, years=years)
    tariff.fields["version"].label = "Tarif à annoncer"
    context["tariff"] = tariff
    if not tariff.is_valid():
        return _page(request, "forecast_new", TITLE, context)
    read_year = school_year.parse(tariff.cleaned_data["annee"])
    hypothesis = {n: v for n, v in request.GET.items() if n not in ("version", "annee")}
    form = ForecastForm(
        request.POST if request.method == "POST" else None,
        issuer=version.schedule.issuer,
        read_year=read_year,
        approximate=APPROXIMATE in hypothesis,
    )
    if request.method == "POST" and form.is_valid():
        answer = _prepared(request, form, version, read_year, hypothesis)
        if answer:
            return answer
    query = {"version": version.pk, "annee": school_year.label(read_year), **hypothesis}
    year = form.announced() if form.is_bound and form.is_valid() else read_year + 1
    context |= {
        "form": form,
        "read": school_year.label(read_year),
        "changed": bool(set(hypothesis) - {APPROXIMATE}),
        "query": urlencode(query),
        "other": _other_adoption(version, year),
        "draft": _draft(version, year),
    }
    return _page(request, "forecast_new", TITLE, context)


@require_safe
def forecast_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what is announced to whom, how far the letters are, and who is written to how."""
    forecast = _forecast(request, pk)
    done = letters.progress(forecast)
    sums = forecast.amounts.aggregate(total=Sum("total"), members=Count("pk"))
    comparable = forecast.amounts.filter(today__isnull=False)
    known = comparable.aggregate(total=Sum("total"), today=Sum("today"), members=Count("pk"))
    words = request.GET.get("q", "").strip()[:100]
    page = Paginator(_members(forecast, words), PER_PAGE).get_page(request.GET.get("page"))
    waiting = sending.waiting(forecast)
    printed = {by_post: files.to_print(forecast, by_post=by_post).count() for by_post in (False, True)}
    context = {
        "forecast": forecast,
        "head": forecast.payload,
        "sums": sums,
        "comparable": known,
        "difference": known["total"] - known["today"] if known["members"] else None,
        "progress": done,
        "time_left": background.in_words(done.seconds_left),
        "stalled": ASKED not in request.GET and letters.is_stalled(forecast),
        "failures": letters.failures(forecast, FAILURES) if done.failed else [],
        "inline": background.is_inline(),
        "words": words,
        "page": page,
        "earlier": _step(words, page, -1),
        "later": _step(words, page, 1),
        "ready": waiting.ready[:SHOWN],
        "ready_count": len(waiting.ready),
        "by_post": waiting.by_post[:SHOWN],
        "by_post_count": len(waiting.by_post),
        "told": waiting.told,
        "at_once": sending.AT_ONCE,
        "shown": SHOWN,
        "apart": forecast.apart[:SHOWN],
        "apart_count": len(forecast.apart),
        "later_one": _later(forecast),
        "parts": [
            (label, by_post, _parts(printed[by_post]))
            for label, by_post in (("Toutes", False), ("Sans courriel", True))
            if printed[by_post] and (forecast.is_sent or not by_post)
        ],
        "simulation": f"{reverse('conventions:what-if')}?{forecast.query}",
        "again": f"{reverse('conventions:forecast-new')}?{forecast.query}",
        "may_start": request.user.has_perm(ADD),
        "may_prepare": request.user.has_perms((ADD, *what_if_pages.PERMISSIONS)),
        "may_simulate": request.user.has_perms(what_if_pages.PERMISSIONS),
        "may_send": request.user.has_perm(SEND),
    }
    return _page(request, "forecast", f"{TITLE} : {forecast}", context)


@require_safe
def letter_file(request: HttpRequest, pk: UUID, amount: UUID) -> HttpResponse:
    """Give the letter of a member."""
    forecast = _forecast(request, pk)
    rows = forecast.amounts.filter(document__isnull=False).select_related("document", "forecast")
    row = get_object_or_404(rows.defer("payload"), pk=amount)
    try:
        return attachment(request, row.document, files.name_of(row))
    except CorruptDocument as error:
        messages.error(request, str(error))
        return redirect(_address(forecast))


@require_safe
def zip_file(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the letters and their manifest as a ZIP, as it is made."""
    forecast = _forecast(request, pk)
    if not forecast.amounts.filter(letters.drawn()).exists():
        raise Http404("Aucune lettre n'est encore produite.")
    name = f"{files.stem_of(forecast)}.zip"
    _journal(request, forecast, name)
    answer = StreamingHttpResponse(files.stream(forecast), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_safe
def print_file(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give letters end to end, to be printed: a part of all of them, or of those for the post."""
    forecast = _forecast(request, pk)
    by_post = "poste" in request.GET
    part = request.GET.get("partie", "1")
    rows = files.to_print(forecast, by_post=by_post)
    known = _parts(rows.count())
    if not part.isdecimal() or not 1 <= int(part) <= len(known):
        raise Http404("Aucune lettre à imprimer.")
    try:
        content = files.joined(rows, int(part))
    except CorruptDocument as error:
        messages.error(request, str(error))
        return redirect(_address(forecast))
    of = f"-{part}" if len(known) > 1 else ""
    name = f"{files.stem_of(forecast)}{'-poste' if by_post else ''}{of}.pdf"
    _journal(request, forecast, name)
    return as_attachment(content, name)


@require_safe
def workbook_file(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the workbook of a forecast."""
    forecast = _forecast(request, pk)
    name = f"{files.stem_of(forecast)}.xlsx"
    _journal(request, forecast, name)
    return as_attachment(write_forecast(forecast), name, CONTENT_TYPE)


@require_POST
def go_on(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask again for the letters that are left, when the process that drew them was killed."""
    return _follow(request, _forecast(request, pk, ADD))


@require_POST
def try_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Draw again the letters that failed."""
    forecast = _forecast(request, pk, ADD)
    again = letters.put_back(forecast=forecast)
    messages.success(request, f"{plural(again, 'lettre reprise', 'lettres reprises')}.")
    return _follow(request, forecast)


@require_POST
def send_action(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a draft, or write to those of a sent forecast who still wait for their e-mail."""
    forecast = _forecast(request, pk, SEND)
    actor = request.user.get_username()
    try:
        if forecast.is_sent:
            rows = sending.waiting(forecast).ready
            done = sending.write(forecast=forecast, rows=rows, actor=actor)
        else:
            done = sending.send(pk=forecast.pk, actor=actor)
    except ForecastRefused as error:
        messages.warning(request, str(error))
        return redirect(_address(forecast))
    left = len(sending.waiting(_forecast(request, pk)).ready)
    again = f" Il en reste {integer(left)} : recommencez." if left else ""
    told = plural(done, "membre prévenu", "membres prévenus")
    messages.success(request, f"Les montants sont dans les espaces. {told} par courriel.{again}")
    return redirect(_address(forecast))


@require_POST
def drop_action(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Forget a draft."""
    forecast = _forecast(request, pk, ADD)
    try:
        drop(pk=forecast.pk, actor=request.user.get_username())
    except ForecastRefused as error:
        messages.warning(request, str(error))
        return redirect(_address(forecast))
    messages.success(request, "Le projet est abandonné.")
    return redirect("conventions:forecasts")


def _first(request: HttpRequest, version: Version, versions: QuerySet[Version]) -> dict[str, Any]:
    """Return the version and the year read: by default the last adopted one that has begun.

    A tariff voted early for the year to come has neither agreements nor counts of that year.
    """
    asked = what_if_pages.first_asked(request, version, versions)
    now = school_year.containing(timezone.localdate())
    if "annee" in request.GET or school_year.parse(asked["annee"]) <= now:
        return asked
    adopted = (row.school_year for row in what_if_pages.adoptions_of(version, versions))
    begun = max((year for year in adopted if year <= now), default=now)
    return asked | {"annee": school_year.label(begun)}


def _prepared(
    request: HttpRequest,
    form: ForecastForm,
    version: Version,
    read_year: int,
    hypothesis: dict[str, str],
) -> HttpResponse | None:
    """Prepare what the form asks and go to it; None when it is refused, which the form then says."""
    asked = {
        "version": version,
        "read_year": read_year,
        "year": form.announced(),
        "given": form.given(hypothesis),
        "wording": form.wording(),
        "actor": request.user.get_username(),
    }
    if long_work.is_long(version.schedule):
        return work_pages.follow(request, long_work.prepare_later(**asked))
    try:
        forecast = prepare(**asked)
    except ForecastRefused as error:
        form.add_error(None, str(error))
        return None
    return redirect(f"{_address(forecast)}?{ASKED}=1")


def _follow(request: HttpRequest, forecast: Forecast) -> HttpResponse:
    if letters.nudge(forecast):
        return redirect(f"{_address(forecast)}?{ASKED}=1")
    messages.warning(
        request,
        "Le travail n'a pas pu être lancé : ce qui est fait est gardé, recommencez dans un moment.",
    )
    return redirect(_address(forecast))


def _members(forecast: Forecast, words: str) -> QuerySet:
    rows = forecast.amounts.defer("payload").order_by("-total", "siret")
    if not words:
        return rows
    digits = "".join(words.split())
    if digits.isdecimal():
        return rows.filter(siret__contains=digits)
    return rows.filter(member__search__contains=search_key(words))


def _parts(count: int) -> list[tuple[int, int, int]]:
    """Return the parts in which letters are printed: number, first and last letter."""
    size = files.PER_PRINT
    return [
        (rank, start + 1, min(start + size, count))
        for rank, start in enumerate(range(0, count, size), start=1)
    ]


def _later(forecast: Forecast) -> Forecast | None:
    """Return the forecast that took the place of this one, once both are sent."""
    if not forecast.is_sent:
        return None
    rows = Forecast.objects.filter(
        schedule=forecast.schedule_id, school_year=forecast.school_year, sent_at__gt=forecast.sent_at
    )
    return rows.order_by("-sent_at").defer("payload", "apart").first()


def _other_adoption(version: Version, year: int) -> Adoption | None:
    """Return the adoption of another version for the year announced: this one would not be called."""
    rows = Adoption.objects.filter(schedule=version.schedule_id, school_year=year)
    return rows.exclude(version=version).select_related("version").first()


def _draft(version: Version, year: int) -> Forecast | None:
    rows = Forecast.objects.filter(schedule=version.schedule_id, school_year=year, sent_at=None)
    return rows.defer("payload", "apart").select_related("schedule").first()


def _forecasts(request: HttpRequest) -> QuerySet[Forecast]:
    return visible(Forecast.objects.select_related("schedule__issuer"), request.user)


def _forecast(request: HttpRequest, pk: UUID, *permissions: str) -> Forecast:
    require(request, VIEW, *permissions)
    return get_object_or_404(_forecasts(request), pk=pk)


def _address(forecast: Forecast) -> str:
    return reverse("conventions:forecast", args=[forecast.pk])


def _step(words: str, page: Any, step: int) -> str:
    number = page.number + step
    if not 1 <= number <= page.paginator.num_pages:
        return ""
    return f"?{urlencode({'q': words, 'page': number})}#membres"


def _journal(request: HttpRequest, forecast: Forecast, name: str) -> None:
    actor = request.user.get_username()
    record(actor=actor, action="download", target=forecast, summary=f"{forecast} : {name}")


def _page(request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"admin/conventions/{name}.html", context)

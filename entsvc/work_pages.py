"""The page of a long work: where it stands, what came of it, and asking for it again."""

import mimetypes
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from entsvc import background, short_lived, works
from entsvc.documents import CorruptDocument
from entsvc.downloads import as_attachment, attachment
from entsvc.french import plural
from entsvc.journal import record
from entsvc.models import Work

ASKED = "repris"  # tells the page that the work has just been asked for: no sign of it is due yet


@require_safe
def work_page(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show where a work stands and what came of it."""
    work = _work(request, pk)
    state = works.state_of(work)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Travail",
        "work": work,
        "state": state,
        "spent": spent(work),
        "result": address_of_result(work),
        "gone": bool(work.path) and not short_lived.is_kept(work.finished_at),
        "kept_days": short_lived.FILE_DAYS,
        "late": ASKED not in request.GET and _is_late(work, state),
        "inline": background.is_inline(),
        "may_ask": request.user.has_perm(works.KINDS[work.kind].asked_with),
    }
    return TemplateResponse(request, "admin/entsvc/work.html", context)


@require_POST
def go_on(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask the background again for a work that nobody does."""
    return follow(request, _work(request, pk, to_ask=True))


@require_POST
def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for a work that failed once more."""
    work = _work(request, pk, to_ask=True)
    if works.state_of(work) != works.State.FAILED:
        messages.warning(request, "Seul un travail qui a échoué se recommence.")
        return redirect("work", work.pk)
    return redirect("work", works.again(work=work, actor=request.user.get_username()).pk)


@require_safe
def download(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the file that a work made."""
    work = _work(request, pk)
    if work.path:
        return _file(request, work)
    if work.document is None:
        raise Http404("Ce travail n'a pas de fichier.")
    try:
        return attachment(request, work.document, work.file_name)
    except CorruptDocument as error:
        messages.error(request, str(error))
        return redirect("work", work.pk)


def follow(request: HttpRequest, work: Work) -> HttpResponse:
    """Ask the background for a work, and go to the page that follows it."""
    if works.nudge(work):
        return redirect(f"{reverse('work', args=[work.pk])}?{ASKED}=1")
    messages.warning(request, "Le travail n'a pas pu être lancé : rien n'est perdu, reprenez plus tard.")
    return redirect("work", work.pk)


def address_of_result(work: Work) -> str:
    """Return where what came of a work is seen; nothing when it came to nothing."""
    if work.document_id or (work.path and short_lived.is_kept(work.finished_at)):
        return reverse("work-file", args=[work.pk])
    try:
        return reverse(work.page, args=[work.page_key]) if work.page else ""
    except NoReverseMatch:  # a page that is no more
        return ""


def spent(work: Work) -> str:
    """Return how long a work took, or has been going on for, in words; nothing before it begins."""
    if work.started_at is None:
        return ""
    seconds = int(((work.finished_at or timezone.now()) - work.started_at) / timedelta(seconds=1))
    if seconds < 1:
        return "moins d'une seconde"
    minutes, rest = divmod(seconds, 60)
    parts = [plural(minutes, "minute")] if minutes else []
    return " ".join([*parts, plural(rest, "seconde")] if rest or not minutes else parts)


def _file(request: HttpRequest, work: Work) -> HttpResponse:
    """Give a file that is kept for some days, and write down to whom."""
    content = short_lived.read(work.path) if short_lived.is_kept(work.finished_at) else None
    if content is None:
        messages.warning(request, "Ce fichier n'est plus conservé : demandez-le de nouveau.")
        return redirect("work", work.pk)
    record(
        actor=request.user.get_username(),
        action="download",
        target=work,
        summary=f"Téléchargé : {work.file_name}",
    )
    kind = mimetypes.guess_type(work.file_name)[0] or "application/octet-stream"
    return as_attachment(content, work.file_name, kind)


def _is_late(work: Work, state: works.State) -> bool:
    """Tell whether nobody does a work that should have begun, or gone on."""
    if state == works.State.STOPPED:
        return True
    return state == works.State.WAITING and background.is_quiet([work.at])


def _work(request: HttpRequest, pk: UUID, *, to_ask: bool = False) -> Work:
    rows = works.visible(request.user).select_related("document")
    work = get_object_or_404(rows, pk=pk)
    if to_ask and not request.user.has_perm(works.KINDS[work.kind].asked_with):
        raise PermissionDenied
    return work

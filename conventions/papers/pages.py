"""Staff pages of the papers of an agreement: drafts, blank forms, kept and signed ones."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from conventions.models import Amendment, Convention, Paper, PaperKind
from conventions.papers import drawing, freezing
from conventions.papers.forms import BlankForm, DepositForm, ProduceForm
from conventions.papers.sources import PaperRefused
from conventions.papers.texts import NoText
from conventions.policies import POLICIES, years_beyond
from conventions.scoped_pages import require
from entsvc import school_year
from entsvc.documents import CorruptDocument
from entsvc.downloads import as_attachment, attachment
from members.access import visible
from members.models import Issuer
from tariffs.models import Schedule

REFUSALS = (NoText, PaperRefused, CorruptDocument)
# What a paper reads of its agreement.
READ = ("schedule__issuer", "party__representative", "debtor", "act", "committee_act", "conditions__act")


def papers_context(convention: Convention, user: Any) -> dict[str, Any]:
    """Return what `admin/conventions/papers.html` shows of an agreement to an account."""
    papers = convention.papers.select_related("text", "amendment").order_by("-at", "-pk")
    kinds = [kind for kind in PaperKind if kind != PaperKind.AMENDMENT]
    return {
        "papers": list(papers) if user.has_perm("conventions.view_paper") else [],
        "drafts": [
            (kind.label, reverse("conventions:draft", args=[convention.pk, kind.value]))
            for kind in kinds
        ],
        "may_add_paper": user.has_perm("conventions.add_paper"),
        "produce_link": reverse("conventions:produce-paper", args=[convention.pk]),
        "deposit_link": reverse("conventions:deposit-paper", args=[convention.pk]),
    }


def paper_file(request: HttpRequest, pk: str) -> HttpResponse:
    """Give a kept paper, byte for byte, to be saved."""
    require(request, "conventions.view_paper")
    papers = visible(Paper.objects.select_related("document"), request.user)
    paper = get_object_or_404(papers, pk=pk)
    try:
        return attachment(request, paper.document, paper.name)
    except CorruptDocument as error:
        messages.error(request, str(error))
        return redirect("admin:conventions_convention_change", paper.convention_id)


def draft_file(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """Give the draft of a paper, marked PROJET; `?annee=2024-2025` and `?avenant=` narrow it."""
    require(request, "conventions.view_convention")
    amendment = _amendment(request, pk)
    convention = amendment.convention if amendment else _convention(request, pk)
    kind = _kind(kind)
    year = _year(request)
    try:
        content = drawing.draw(kind, convention, amendment, year=year, draft=True)
    except REFUSALS as error:
        messages.error(request, str(error))
        return redirect("admin:conventions_convention_change", convention.pk)
    return as_attachment(content, f"projet-{freezing.file_name(kind, convention, amendment, year)}")


def produce_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Produce for good a paper that goes with the agreement; the agreement has its own step."""
    require(request, "conventions.view_convention", "conventions.add_paper")
    convention = _convention(request, pk)

    def produce(form: ProduceForm) -> str:
        paper = freezing.freeze(
            form.cleaned_data["kind"],
            convention,
            form.cleaned_data["amendment"],
            actor=request.user.get_username(),
            year=form.cleaned_data["school_year"],
        )
        return f"{paper.get_kind_display()} : {paper.name} est à télécharger dans les documents."

    initial = {"kind": request.GET.get("document", "")}
    form = ProduceForm(request.POST or None, convention=convention, initial=initial)
    return _answer(
        request,
        convention,
        form,
        produce,
        title="Produire un document",
        facts=[
            "Le document est conservé tel quel, avec la version de son texte : un texte modifié ensuite "
            "n'y change rien.",
            "La convention part par « Envoyer pour signature », un avenant depuis sa demande.",
        ],
        button="Produire",
    )


def deposit_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a signed scan, or a supporting paper, beside those of an agreement."""
    require(request, "conventions.view_convention", "conventions.add_paper")
    convention = _convention(request, pk)

    def deposit(form: DepositForm) -> str:
        sent = form.cleaned_data["file"]
        paper = freezing.receive(
            sent,
            sent.name,
            convention,
            form.cleaned_data["amendment"],
            kind=form.cleaned_data["kind"],
            actor=request.user.get_username(),
            role=form.cleaned_data["role"],
        )
        return f"{paper.name} est conservé."

    form = DepositForm(request.POST or None, request.FILES or None, convention=convention)
    return _answer(
        request,
        convention,
        form,
        deposit,
        title="Déposer un document",
        facts=[
            "Un PDF simple, lisible par tous : ni mot de passe, ni formulaire actif, ni pièce jointe.",
            "Il est conservé tel quel et ne s'efface plus.",
        ],
        button="Déposer",
    )


def blank_page(request: HttpRequest) -> HttpResponse:
    """Offer the blank forms of the account's issuers."""
    require(request, "conventions.view_convention")
    issuers = _issuers(request)
    form = BlankForm(request.GET or None, issuers=issuers)
    if request.GET and form.is_valid():
        asked = form.cleaned_data
        address = reverse(
            "conventions:blank-paper", args=[asked["issuer"].code, asked["policy"], asked["kind"]]
        )
        query = {"bareme": asked["schedule"].code if asked["schedule"] else ""}
        if asked["school_year"] is not None:
            query["annee"] = school_year.label(asked["school_year"])
        query = {name: value for name, value in query.items() if value}
        return redirect(f"{address}?{urlencode(query)}" if query else address)
    context = {
        **admin.site.each_context(request),
        "title": "Formulaires vierges",
        "form": form,
        "facts": [
            "Ce que l'on ne sait pas encore est une ligne en pointillés, à remplir à la main.",
            "Avec un barème et une année scolaire, le formulaire porte le tarif adopté.",
        ],
        "button": "Télécharger le formulaire",
        "method": "get",
        "back": reverse("admin:conventions_convention_changelist"),
    }
    return TemplateResponse(request, "admin/conventions/paper_form.html", context)


def blank_file(request: HttpRequest, issuer: str, policy: str, kind: str) -> HttpResponse:
    """Give a blank form; `?bareme=` and `?annee=` print the tariff of a year in it."""
    require(request, "conventions.view_convention")
    found = get_object_or_404(_issuers(request), code=issuer)
    if policy not in POLICIES:
        raise Http404("Texte de convention inconnu.")
    schedule = None
    if code := request.GET.get("bareme"):
        schedule = get_object_or_404(Schedule, issuer=found, code=code)
    kind, year = _kind(kind), _year(request)
    if year is not None and (beyond := years_beyond(policy, year, year)):
        raise Http404(beyond)
    try:
        content = drawing.draw_blank(kind, policy, found, schedule=schedule, year=year)
    except REFUSALS as error:
        messages.error(request, str(error))
        return redirect("conventions:blank-papers")
    return as_attachment(content, f"{kind}-{policy}-vierge.pdf")


def _answer(
    request: HttpRequest,
    convention: Convention,
    form: ProduceForm | DepositForm,
    act: Callable[[Any], str],
    **page: Any,
) -> HttpResponse:
    """Show a form; on POST do what it asks, and say what became of it."""
    back = reverse("admin:conventions_convention_change", args=[convention.pk])
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, act(form))
        except REFUSALS as error:
            form.add_error(None, str(error))
        else:
            return redirect(back)
    context = {
        **admin.site.each_context(request),
        "form": form,
        "method": "post",
        "back": back,
        **page,
        "title": f"{page['title']} – {convention}",
    }
    return TemplateResponse(request, "admin/conventions/paper_form.html", context)


def _convention(request: HttpRequest, pk: int) -> Convention:
    rows = Convention.objects.select_related(*READ)
    return get_object_or_404(visible(rows, request.user), pk=pk)


def _amendment(request: HttpRequest, pk: int) -> Amendment | None:
    """Return the amendment asked for, with its agreement; None when none is."""
    key = request.GET.get("avenant", "")
    if not key:
        return None
    if not key.isdecimal():
        raise Http404("Avenant inconnu.")
    read = ("new_party", "new_debtor", "act", *(f"convention__{name}" for name in READ))
    rows = visible(Amendment.objects.select_related(*read), request.user)
    return get_object_or_404(rows, pk=key, convention=pk)


def _kind(kind: str) -> str:
    if kind not in PaperKind:
        raise Http404("Document inconnu.")
    return kind


def _year(request: HttpRequest) -> int | None:
    asked = request.GET.get("annee", "")
    if not asked:
        return None
    try:
        return school_year.parse(asked)
    except ValueError as error:
        raise Http404(str(error)) from error


def _issuers(request: HttpRequest) -> QuerySet[Issuer]:
    return visible(Issuer.objects.order_by("code"), request.user)

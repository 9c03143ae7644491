"""Staff pages of amendments: what each changes, when it counts and why, and the step that comes next."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display

from conventions import filings, life, states
from conventions.admin.answers import StepPages
from conventions.amendment_forms import CommentForm, FiledForm, NeededCommentForm
from conventions.amendment_pages import compare, with_agreements
from conventions.models import Amendment, PaperKind
from conventions.school_lists import enrolled, judged, schools_of
from conventions.wishes import Wish, wish_of
from entsvc import school_year
from entsvc.french import euros, long_date, plural
from members.access import ScopedReadOnlyAdmin
from members.models import School

# The steps of an amendment, by the action of its state that each one takes.
STEPS = {
    "produce": "envoyer",
    "record": "deposer",
    "decide": "accepter",
    "send_back": "renvoyer",
    "drop": "abandonner",
}
COLOURS = {
    "Accepté": "success",
    "Sans effet": "danger",
    "À reprendre": "warning",
    "Déposé": "info",
    "À signer": "info",
}


@admin.register(Amendment)
class AmendmentAdmin(StepPages, ScopedReadOnlyAdmin):
    list_display = ["named", "party", "year_label", "state", "filed", "dated"]
    list_filter = ["status", "school_year", "convention__schedule__issuer", "convention__schedule"]
    list_select_related = ["convention__party"]
    search_fields = ["convention__search", "convention__party__search", "schools__school__uai"]
    linked_lookups = ["convention__id__exact"]
    ordering = ["-school_year", "convention__reference", "-number"]
    fields = [
        "agreement", "year_label", "state", "reason", "requested_by", "new_party", "new_debtor", "act",
        "signed_on", "received_on", "transmitted_on", "dated",
    ]  # fmt: skip
    readonly_fields = ["agreement", "year_label", "state"]
    actions_detail = ["change_wish", *STEPS]
    change_form_outer_before_template = "admin/conventions/amendment.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return with_agreements(super().get_queryset(request)).select_related(
            "act__issuer", "act__member"
        )

    @display(description="avenant", ordering="convention__reference")
    def named(self, amendment):
        return f"{amendment.convention.reference}, n° {amendment.number}"

    @display(description="signataire", ordering="convention__party__name")
    def party(self, amendment):
        return amendment.convention.party

    @display(description="à partir de", ordering="school_year")
    def year_label(self, amendment):
        return school_year.label(amendment.school_year)

    @display(description="état", ordering="status", label=COLOURS)
    def state(self, amendment):
        return amendment.get_status_display()

    @display(description="transmis ou reçu le", ordering="received_on")
    def filed(self, amendment):
        return amendment.filing_of(frozenset(), False).filed_on

    @display(description="convention")
    def agreement(self, amendment):
        return amendment.convention

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context |= page_of(obj) if obj else {}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer the steps of the state where the amendment is."""
        status = self._status(request, object_id)
        offered = {name for name, code in STEPS.items() if _is_possible(code, status)}
        if status in (states.DRAFT, states.TO_SIGN, states.SENT_BACK):
            offered.add("change_wish")
        return [
            found
            for found in super().get_actions_detail(request, object_id)
            if found.method.__name__ in offered
        ]

    def _status(self, request: HttpRequest, object_id: Any) -> str | None:
        """Return the state of the amendment of a page, read once."""
        if not hasattr(request, "amendment_status"):
            row = self.get_object(request, object_id)
            request.amendment_status = row.status if row else None
        return request.amendment_status

    def has_step_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("conventions.change_amendment")

    @action(description="Modifier la demande", permissions=["step"], icon="edit")
    def change_wish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("conventions:amendment-list", self.visible_or_404(request, object_id).pk)

    @action(description="Produire le PDF à signer", permissions=["step"], icon="picture_as_pdf")
    def produce(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Produire le PDF à signer",
            lambda row, form, actor: filings.send(amendment=row, actor=actor, invite=True),
            facts=["Le document est figé : il ne changera plus, même si son texte change."],
            done="Le PDF à signer est dans les documents de l'avenant.",
        )

    @action(description="Enregistrer l'avenant signé", permissions=["step"], icon="upload_file")
    def record(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Enregistrer l'avenant signé",
            lambda row, form, actor: filings.file(amendment=row, actor=actor, **form.given()),
            form=FiledForm,
            facts=["La date de transmission compte si elle est prouvée, sinon celle de réception."],
            done="L'avenant signé est déposé : il reste à le décider.",
        )

    @action(description="Décider", permissions=["step"], icon="gavel")
    def decide(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Décider de l'avenant",
            lambda row, form, actor: filings.decide(
                amendment=row, actor=actor, comment=form.cleaned_data["comment"]
            ),
            form=CommentForm,
            facts=_foreseen,
            done=_told,
        )

    @action(description="Renvoyer au membre", permissions=["step"], icon="undo")
    def send_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Renvoyer au membre",
            lambda row, form, actor: filings.send_back(
                amendment=row, actor=actor, comment=form.cleaned_data["comment"]
            ),
            form=NeededCommentForm,
            facts=[
                "Le membre reçoit ce commentaire par courriel et dépose l'avenant de nouveau.",
                "La date de ce nouveau dépôt comptera, sauf preuve d'une transmission plus ancienne.",
            ],
            done="L'avenant est renvoyé au membre.",
        )

    @action(description="Abandonner", permissions=["step"], icon="close")
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._step(
            request,
            object_id,
            "Abandonner l'avenant",
            lambda row, form, actor: filings.drop(
                amendment=row, actor=actor, comment=form.cleaned_data["comment"]
            ),
            form=CommentForm,
            facts=["La liste en vigueur reste telle quelle. Un autre avenant pourra être ouvert."],
            done="L'avenant est abandonné.",
        )

    def _step(
        self,
        request: HttpRequest,
        object_id: str,
        title: str,
        take: Callable[[Amendment, Any, str], Any],
        *,
        facts: list[str] | Callable[[Amendment], list[str]],
        form: type[forms.Form] | None = None,
        done: str | Callable[[Amendment], str],
    ) -> HttpResponse:
        row = self.visible_or_404(request, object_id)
        posted = request.method == "POST"
        if posted and not self.has_step_permission(request):
            raise PermissionDenied
        given = {"amendment": row} if form is FiledForm else {}
        data = (request.POST, request.FILES) if posted else ()
        filled = (form or forms.Form)(*data, **given)
        return self.answer(
            request,
            row,
            filled,
            title,
            lambda: take(row, filled, request.user.get_username()),
            done,
            facts=lambda: facts(row) if callable(facts) else [_named(row, row.schools.count()), *facts],
        )

    def done(self, request: HttpRequest, row: Amendment) -> None:
        """Say when nobody could be told of a step."""
        if not filings.recipients(row.convention):
            messages.warning(
                request,
                "Aucune adresse n'est connue pour ce membre : prévenez-le autrement, et complétez sa "
                "fiche.",
            )


def page_of(amendment: Amendment) -> dict[str, Any]:
    """Return what the page of an amendment shows beside its fields."""
    draft = reverse("conventions:draft", args=[amendment.convention_id, PaperKind.AMENDMENT.value])
    return {
        **_reading(amendment),
        "papers": list(amendment.papers.select_related("text").order_by("-at", "pk")),
        "draft": f"{draft}?avenant={amendment.pk}",
        "log": [(row, life.label_of(row)) for row in amendment.transitions.order_by("-at", "-pk")],
    }


def _reading(amendment: Amendment) -> dict[str, Any]:
    """Return what an amendment asks for, against the list that it changes, and what the rule says."""
    convention, year = amendment.convention, amendment.school_year
    asked = wish_of(amendment)
    ruled = amendment.status in (states.ACCEPTED, states.WITHOUT_EFFECT)
    before = _before(amendment, asked.schools) if ruled else enrolled(convention, year)
    return {
        "amendment": amendment,
        "year": school_year.label(year),
        "schools": len(asked.schools),
        "comparison": compare(convention, year, before, asked),
        "communes": asked.moves,
        "ruled": ruled,
        "counts": amendment.status == states.ACCEPTED,
        "ruling": amendment.ruling if ruled else _ruling_today(amendment, asked, before),
    }


def _before(amendment: Amendment, asked: tuple[School, ...]) -> list[School]:
    """Return the list that held before a ruled amendment, from what was frozen of it."""
    kept = [school for school in asked if school.uai not in amendment.added]
    return [*kept, *schools_of(amendment.removed)]


def _ruling_today(amendment: Amendment, asked: Wish, current: list[School]) -> str:
    if amendment.status == states.DROPPED:
        return "Abandonné : il ne change rien."
    moves = bool(asked.joining or asked.leaving)
    ruling = judged(amendment, timezone.localdate(), asked.schools, moves, current)
    if ruling.dated is None:
        return ruling.reason
    effect = "il compte" if ruling.counts else "il est sans effet"
    if amendment.status == states.FILED:
        return f"S'il est décidé aujourd'hui, {effect}. {ruling.reason}"
    return f"S'il était déposé aujourd'hui, {effect}. {ruling.reason}"


def _foreseen(amendment: Amendment) -> list[str]:
    """Return what deciding does, before it is done."""
    page = _reading(amendment)
    compared = page["comparison"]
    facts = [_named(amendment, page["schools"]), page["ruling"], *_claimed(amendment)]
    facts += [f"Ajoutée : {school}." for school in compared.added]
    facts += [f"Retirée : {school}." for school in compared.removed]
    facts += [f"{words}." for words in page["communes"]]
    if compared.after.adopted:
        amounts = f"{euros(compared.before.total)} avant, {euros(compared.after.total)} s'il compte"
        facts.append(f"Montant de {page['year']} : {amounts}.")
    return [*facts, *compared.elsewhere, "La règle décide ; le membre est prévenu par courriel."]


def _claimed(amendment: Amendment) -> list[str]:
    """Return the transmission that was declared and what is to prove it, which staff read first."""
    day, signed = amendment.transmitted_on, amendment.signed_on
    facts = [f"Signé le {long_date(signed)}."] if signed else []
    if amendment.received_on:
        facts.append(f"Reçu le {long_date(amendment.received_on)}.")
    if day and amendment.transmission_proof_id:
        proofs = amendment.papers.filter(document=amendment.transmission_proof_id)
        proof = proofs.order_by("-at", "pk").first()
        called = f" « {proof.name} »" if proof else ""
        facts.append(
            f"Transmission déclarée le {long_date(day)} : ce jour compte. Ouvrez sa preuve{called}, "
            "parmi les documents ; si elle ne l'établit pas, renvoyez l'avenant."
        )
    elif day:
        facts.append(f"Transmission déclarée le {long_date(day)}, sans preuve : ce jour ne compte pas.")
    return facts


def _told(amendment: Amendment) -> str:
    if amendment.status == states.ACCEPTED:
        return f"Accepté : il compte à partir du {long_date(amendment.dated)}. {amendment.ruling}"
    return f"Sans effet. {amendment.ruling}"


def _named(amendment: Amendment, count: int) -> str:
    schools = plural(count, "école")
    since = school_year.label(amendment.school_year)
    party = amendment.convention.party
    return f"A{str(amendment)[1:]} ({party}), à partir de {since} : {schools}."


def _is_possible(code: str, status: str | None) -> bool:
    return status in states.AMENDMENT_ACTIONS[code].before

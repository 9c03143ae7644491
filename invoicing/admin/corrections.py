"""What finances does to an issued titre: annul it, reduce it, issue it again, ask for a mandat."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.french import euros, short_date
from entsvc.staff import ConfirmedAction, ReadOnlyInline
from invoicing import called_again, long_work, mandats, reissue
from invoicing.admin import correction_words as words
from invoicing.calculation import CampaignRefused, compute_again
from invoicing.correction_forms import (
    ComputeForm,
    CorrectionForm,
    MandatForm,
    PaidMandatForm,
    ReductionForm,
    ReissueForm,
    to_take_off,
)
from invoicing.corrections import MandatNeeded, check_exercice, correct, due, why_closed
from invoicing.models import MandatRequest, Titre
from invoicing.numbering import IssueRefused
from invoicing.rendering import render_missing
from members.access import ScopedReadOnlyAdmin
from tariffs.adoption import NotAdopted

LINKED = '{} <a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>'


class CorrectionInline(ReadOnlyInline):
    """The annulations and réductions of a titre."""

    model = Titre
    per_page = None  # a few rows: no need to count them first
    fk_name = "original"
    verbose_name_plural = "corrections"
    fields = ["kind", "reference", "issued_on", "total_euros", "reason_code", "reason"]
    readonly_fields = ["total_euros"]
    linked = "reference"

    def get_queryset(self, request):
        return super().get_queryset(request).defer("payload").order_by("number")

    @display(description="montant")
    def total_euros(self, titre):
        return euros(titre.total)


class MandatInline(ReadOnlyInline):
    """The mandats asked for a titre."""

    model = MandatRequest
    per_page = None  # a few rows: no need to count them first
    fields = ["requested_on", "amount_euros", "account", "reason_code", "reason", "mandat", "paid_on"]
    readonly_fields = ["amount_euros"]
    linked = "requested_on"

    @display(description="montant")
    def amount_euros(self, request):
        return euros(request.amount)


class CorrectionActions:
    """The four actions of a titre's page; `MENU` is what its `actions_detail` adds."""

    MENU: ClassVar[dict[str, Any]] = {
        "title": "Corriger",
        "icon": "edit_off",
        "items": ["annul", "reduce", "annul_and_reissue", "request_mandat"],
    }

    def has_correct_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("invoicing.issue_titre")

    @display(description="titres liés")
    def linked(self, titre):
        """Link a correction to its titre, a titre to the one it replaces or that replaces it."""
        links = [
            (word, reverse("admin:invoicing_titre_change", args=[other.pk]), other.reference)
            for word, other in _linked(titre)
        ]
        return format_html_join(", ", LINKED, links)

    def is_linked(self, titre: Titre) -> bool:
        """Tell whether there is any such titre."""
        return bool(_linked(titre))

    @display(description="erreur commise")
    def error_committed(self, titre):
        """Say why a correction was made."""
        return f"{titre.get_reason_code_display()} : {titre.reason}"

    @action(description="Annuler", permissions=["correct"], icon="cancel")
    def annul(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        return self._correct(request, titre, CorrectionForm, Titre.Kind.ANNULATION, "Annuler le titre")

    @action(description="Réduire", permissions=["correct"], icon="trending_down")
    def reduce(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        first = to_take_off(titre, request.GET)
        return self._correct(
            request, titre, ReductionForm, Titre.Kind.REDUCTION, "Réduire le titre", first
        )

    @action(description="Annuler et ré-émettre", permissions=["correct"], icon="sync_alt")
    def annul_and_reissue(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        refused = (
            words.why_not_a_titre(titre)
            or reissue.why_replaced(titre)
            or words.why_not_issued_again(titre)
        )
        if refused:
            return _back(request, titre, refused)
        if why_closed(titre, timezone.localdate()):
            return _to_mandat(request, titre)
        found = reissue.candidates(titre)
        ready = [item for item in found if not item.reasons]
        if not ready or "compute" in request.POST:
            return self._compute_first(request, titre, found)
        form = ReissueForm(request.POST or None, titre=titre, candidates=ready)

        def write(facts: dict[str, Any]) -> str:
            done = reissue.annul_and_reissue(titre=titre, actor=request.user.get_username(), **facts)
            pieces = [done.titre, *([done.annulation] if done.annulation else [])]
            _draw(request, *pieces)
            return (
                f"Le titre {titre.reference} est remplacé par {done.titre.reference} : "
                f"{done.titre.debtor_name}, {euros(done.titre.total)}."
            )

        return self._ask(
            request,
            titre,
            form,
            write,
            title="Annuler et ré-émettre",
            facts=[
                *words.facts_of(titre),
                f"Le nouveau titre vient de « {reissue.latest_run(titre.campaign)} », et reprend le nom "
                "et l'adresse du débiteur tels qu'ils sont aujourd'hui.",
            ],
            warnings=[
                *words.warnings_of(titre, due(titre)),
                *words.warned_unchanged(titre, ready),
                *words.blocked(found),
            ],
        )

    @action(description="Demander un mandat", permissions=["correct"], icon="outgoing_mail")
    def request_mandat(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        refused = words.why_not_a_titre(titre) or words.why_no_mandat(titre)
        if refused:
            return _back(request, titre, refused)
        left = mandats.left_to_ask(titre)
        excess = called_again.excess(titre) or left
        form = MandatForm(request.POST or None, titre=titre, initial={"amount": excess})

        def write(facts: dict[str, Any]) -> str:
            asked = mandats.request_mandat(titre=titre, actor=request.user.get_username(), **facts)
            return (
                f"La demande d'un mandat de {euros(asked.amount)} au compte {asked.account} est prête : "
                "téléchargez-la, signez-la et envoyez-la au comptable."
            )

        facts = [
            *words.facts_of(titre),
            f"{why_closed(titre, timezone.localdate())}. Un titre d'un exercice clos ne s'annule ni ne "
            "se réduit : le comptable le compense par un mandat, dont ceci prépare la demande.",
            f"Reste à demander : {euros(left)}.",
        ]
        warnings = words.warned_again(titre, Titre.Kind.REDUCTION)
        return self._ask(
            request, titre, form, write, title="Demander un mandat (673)", facts=facts, warnings=warnings
        )

    def _correct(
        self,
        request: HttpRequest,
        titre: Titre,
        form_class: type[CorrectionForm],
        kind: Titre.Kind,
        title: str,
        first: dict[str, Any] | None = None,
    ) -> HttpResponse:
        refused = words.why_not_a_titre(titre) or words.why_not_corrected(titre)
        if refused:
            return _back(request, titre, refused)
        if why_closed(titre, timezone.localdate()):
            return _to_mandat(request, titre)

        def write(facts: dict[str, Any]) -> str:
            actor = request.user.get_username()
            done = correct(titre=titre, kind=kind, actor=actor, **facts)
            _draw(request, done)
            return f"{done.get_kind_display()} {done.reference} : {euros(done.total)}."

        off = due(titre) if kind == Titre.Kind.ANNULATION else None
        return self._ask(
            request,
            titre,
            form_class(request.POST or None, titre=titre, initial=first),
            write,
            title=title,
            facts=[*words.facts_of(titre), words.OWN_BORDEREAU],
            warnings=[*words.warnings_of(titre, off), *words.warned_again(titre, kind)],
        )

    def _ask(
        self,
        request: HttpRequest,
        titre: Titre,
        form: CorrectionForm,
        write: Callable[[dict[str, Any]], str],
        **page: Any,
    ) -> HttpResponse:
        """Show the page, or do what it says; past the exercice, go to the request of a mandat."""
        if request.method == "POST" and form.is_valid():
            try:
                told = write(form.facts)
            except MandatNeeded as needed:
                messages.warning(request, str(needed))
                return redirect("admin:invoicing_titre_request_mandat", titre.pk)
            except IssueRefused as error:
                for message in error.messages:
                    form.add_error(None, message)
            else:
                messages.success(request, told)
                return redirect("admin:invoicing_titre_change", titre.pk)
        return self.confirm(request, obj=titre, form=form, button=page["title"], **page)

    def _compute_first(
        self, request: HttpRequest, titre: Titre, found: list[reissue.Candidate]
    ) -> HttpResponse:
        """Offer to compute the calls again: the latest run holds none that could make a titre."""
        if not request.user.has_perm("invoicing.compute_run"):
            raise PermissionDenied
        campaign = titre.campaign
        if "compute" in request.POST:
            if long_work.is_long_to_compute(campaign.schedule):
                work = long_work.compute_later(campaign=campaign, actor=request.user.get_username())
                return redirect("work", work.pk)
            try:
                run = compute_again(campaign=campaign, actor=request.user.get_username())
            except (NotAdopted, CampaignRefused) as error:
                return _back(request, titre, str(error))
            messages.success(request, f"{run} : {euros(run.total)}.")
            return redirect("admin:invoicing_titre_annul_and_reissue", titre.pk)
        facts = [
            *words.facts_of(titre),
            f"{reissue.latest_run(campaign)} n'a aucun appel qui puisse remplacer ce titre.",
            "Corrigez d'abord les données (débiteur, convention, écoles), puis calculez de nouveau : "
            "le nouveau titre viendra de ce calcul.",
        ]
        return self.confirm(
            request,
            "Annuler et ré-émettre : calculer d'abord",
            titre,
            form=ComputeForm(),
            facts=facts,
            warnings=words.blocked(found),
            button="Calculer",
        )


@admin.register(MandatRequest)
class MandatRequestAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["titre", "requested_on", "amount_euros", "account", "mandat", "paid_on"]
    list_filter = ["titre__issuer", "requested_on", ("paid_on", admin.EmptyFieldListFilter)]
    list_select_related = ["titre"]
    search_fields = ["titre__reference", "titre__debtor_name", "titre__siret", "mandat"]
    fields = [
        "titre", ("amount_euros", "account"), ("reason_code", "reason"),
        ("requested_on", "requested_by"), "requested_at", ("mandat", "paid_on"), "document",
    ]  # fmt: skip
    readonly_fields = flatten(fields)
    actions_detail = ["download_request", "record_mandat"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("titre__payload")

    @display(description="montant", ordering="amount")
    def amount_euros(self, asked):
        return euros(asked.amount)

    def has_correct_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("invoicing.issue_titre")

    @action(description="Mandat émis ou payé", permissions=["correct"], icon="task_alt")
    def record_mandat(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Record what the accountant made of the request."""
        asked = self.visible_or_404(request, object_id)
        back = redirect("admin:invoicing_mandatrequest_change", object_id)
        why = mandats.why_recorded(asked)
        if why:
            messages.warning(request, why)
            return back
        initial = {"mandat": asked.mandat}
        form = PaidMandatForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            actor = request.user.get_username()
            try:
                done = mandats.record_mandat(request=asked, actor=actor, **form.cleaned_data)
            except IssueRefused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"Mandat n° {done.mandat} enregistré.")
                return back
        told = f"demande du {short_date(asked.requested_on)}, compte {asked.account}"
        facts = [f"{asked.titre.reference}, {asked.titre.debtor_name} : {euros(asked.amount)}, {told}."]
        warnings = ["Une fois le jour du paiement enregistré, plus rien n'en change."]
        return self.confirm(
            request,
            "Enregistrer le mandat",
            asked,
            form=form,
            facts=facts,
            warnings=warnings,
            button="Enregistrer",
        )

    @action(description="PDF", icon="picture_as_pdf")
    def download_request(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = self.visible_or_404(request, object_id)
        try:
            return attachment(request, asked.document, f"mandat-{asked.titre.reference}.pdf")
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_mandatrequest_change", object_id)


def _linked(titre: Titre) -> list[tuple[str, Titre]]:
    if "replacing" not in vars(titre):  # the page asks for each value several times
        titre.replacing = Titre.objects.filter(replaces=titre).defer("payload").first()
    found = [
        ("Corrige", titre.original),
        ("Remplace", titre.replaces),
        ("Remplacé par", titre.replacing),
    ]
    return [(word, other) for word, other in found if other is not None]


def _to_mandat(request: HttpRequest, titre: Titre) -> HttpResponse:
    """Say at once that its exercice is over, and go to the request of a mandat."""
    try:
        check_exercice(titre, timezone.localdate())
    except MandatNeeded as needed:
        messages.warning(request, str(needed))
    return redirect("admin:invoicing_titre_request_mandat", titre.pk)


def _back(request: HttpRequest, titre: Titre, message: str) -> HttpResponse:
    messages.error(request, message)
    return redirect("admin:invoicing_titre_change", titre.pk)


def _draw(request: HttpRequest, *pieces: Titre) -> None:
    """Draw the documents of what was just written; what fails is told and drawn later."""
    failures: list[str] = []
    keys = [piece.pk for piece in pieces]
    for _ in render_missing(Titre.objects.filter(pk__in=keys), failures):
        pass
    for failure in failures:
        messages.warning(request, failure)

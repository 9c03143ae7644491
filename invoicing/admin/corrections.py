"""What finances does to an issued titre: annul it, reduce it, issue it again, ask for a mandat."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.french import euros, plural, short_date
from entsvc.staff import ConfirmedAction, ReadOnlyInline
from invoicing import mandats, reissue
from invoicing.calculation import SupplementaryRefused, compute_again
from invoicing.correction_forms import (
    ComputeForm,
    CorrectionForm,
    MandatForm,
    ReductionForm,
    ReissueForm,
)
from invoicing.corrections import MandatNeeded, correct, due, why_closed
from invoicing.models import MandatRequest, Titre
from invoicing.numbering import IssueRefused
from invoicing.payments import standing
from invoicing.rendering import render_missing
from members.access import ScopedReadOnlyAdmin
from tariffs.adoption import NotAdopted

FINAL = "C'est définitif : une correction ne se corrige pas, un titre annulé se ré-émet."


class CorrectionInline(ReadOnlyInline):
    """The annulations and réductions of a titre."""

    model = Titre
    fk_name = "original"
    verbose_name_plural = "corrections"
    fields = ["kind", "reference", "issued_on", "total_euros", "reason_code", "reason"]
    readonly_fields = ["total_euros"]
    show_change_link = True

    def get_queryset(self, request):
        return super().get_queryset(request).defer("payload").order_by("number")

    @display(description="montant")
    def total_euros(self, titre):
        return euros(titre.total)


class MandatInline(ReadOnlyInline):
    """The mandats asked for a titre."""

    model = MandatRequest
    fields = ["requested_on", "amount_euros", "account", "reason_code", "reason"]
    readonly_fields = ["amount_euros"]
    show_change_link = True

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
        if "replacing" not in vars(titre):  # the page asks for each value several times
            titre.replacing = Titre.objects.filter(replaces=titre).defer("payload").first()
        found = [
            ("Corrige", titre.original),
            ("Remplace", titre.replaces),
            ("Remplacé par", titre.replacing),
        ]
        links = [
            (word, reverse("admin:invoicing_titre_change", args=[other.pk]), other.reference)
            for word, other in found
            if other is not None
        ]
        return format_html_join(", ", '{} <a href="{}">{}</a>', links) or "–"

    @display(description="erreur commise")
    def error_committed(self, titre):
        """Say why a correction was made; nothing for a titre."""
        if not titre.reason_code:
            return "–"
        return f"{titre.get_reason_code_display()} : {titre.reason}"

    @action(description="Annuler", permissions=["correct"], icon="cancel")
    def annul(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        form = CorrectionForm(request.POST or None, titre=titre)
        return self._correct(request, titre, form, Titre.Kind.ANNULATION, "Annuler le titre")

    @action(description="Réduire", permissions=["correct"], icon="trending_down")
    def reduce(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        form = ReductionForm(request.POST or None, titre=titre)
        return self._correct(request, titre, form, Titre.Kind.REDUCTION, "Réduire le titre")

    @action(description="Annuler et ré-émettre", permissions=["correct"], icon="sync_alt")
    def annul_and_reissue(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        refused = _not_a_titre(titre)
        if refused:
            return _back(request, titre, refused)
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
                *_facts(titre),
                f"Le nouveau titre vient de « {reissue.latest_run(titre.campaign)} », et reprend le nom "
                "et l'adresse du débiteur tels qu'ils sont aujourd'hui.",
            ],
            warnings=[*_warnings(titre, due(titre)), *_blocked(found)],
        )

    @action(description="Demander un mandat", permissions=["correct"], icon="outgoing_mail")
    def request_mandat(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        refused = _not_a_titre(titre)
        if refused:
            return _back(request, titre, refused)
        why = why_closed(titre, timezone.localdate())
        if not why:
            still = f"L'exercice {titre.exercice} est encore ouvert : annulez ou réduisez ce titre."
            return _back(request, titre, still)
        left = mandats.left_to_ask(titre)
        form = MandatForm(request.POST or None, titre=titre, initial={"amount": left or None})

        def write(facts: dict[str, Any]) -> str:
            asked = mandats.request_mandat(titre=titre, actor=request.user.get_username(), **facts)
            return (
                f"La demande d'un mandat de {euros(asked.amount)} au compte {asked.account} est prête : "
                "téléchargez-la, signez-la et envoyez-la au comptable."
            )

        facts = [
            *_facts(titre),
            f"{why}. Un titre d'un exercice clos ne s'annule ni ne se réduit : le comptable le compense "
            "par un mandat, dont ceci prépare la demande.",
            f"Reste à demander : {euros(left)}.",
        ]
        return self._ask(
            request, titre, form, write, title="Demander un mandat (673)", facts=facts, warnings=[]
        )

    def _correct(
        self, request: HttpRequest, titre: Titre, form: CorrectionForm, kind: Titre.Kind, title: str
    ) -> HttpResponse:
        left = due(titre)
        refused = _not_a_titre(titre)
        if not refused and not left:
            refused = f"Le titre {titre.reference} est déjà annulé : il n'en reste rien à retirer."
        if refused:
            return _back(request, titre, refused)

        def write(facts: dict[str, Any]) -> str:
            actor = request.user.get_username()
            done = correct(titre=titre, kind=kind, actor=actor, **facts)
            _draw(request, done)
            return f"{done.get_kind_display()} {done.reference} : {euros(done.total)}."

        off = left if kind == Titre.Kind.ANNULATION else None
        warnings = _warnings(titre, off)
        return self._ask(
            request, titre, form, write, title=title, facts=_facts(titre), warnings=warnings
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
            try:
                run = compute_again(campaign=campaign, actor=request.user.get_username())
            except (NotAdopted, SupplementaryRefused) as error:
                return _back(request, titre, str(error))
            messages.success(request, f"{run} : {euros(run.total)}.")
            return redirect("admin:invoicing_titre_annul_and_reissue", titre.pk)
        facts = [
            *_facts(titre),
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
            warnings=_blocked(found),
            button="Calculer",
        )


@admin.register(MandatRequest)
class MandatRequestAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["titre", "requested_on", "amount_euros", "account", "reason_code", "requested_by"]
    list_filter = ["titre__issuer", "requested_on"]
    list_select_related = ["titre"]
    search_fields = ["titre__reference", "titre__debtor_name", "titre__siret"]
    fields = [
        "titre", "amount_euros", "account", "reason_code", "reason", "requested_on", "requested_by",
        "requested_at", "document",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["download_request"]

    def get_queryset(self, request):
        return super().get_queryset(request).defer("titre__payload")

    @display(description="montant", ordering="amount")
    def amount_euros(self, asked):
        return euros(asked.amount)

    @action(description="Télécharger la demande (PDF)", icon="picture_as_pdf")
    def download_request(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = self.visible_or_404(request, object_id)
        try:
            return attachment(asked.document, f"mandat-{asked.titre.reference}.pdf")
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_mandatrequest_change", object_id)


def _facts(titre: Titre) -> list[str]:
    """Return what stands of a titre, before anything is done to it."""
    found = standing(titre)
    facts = [
        f"{titre.reference}, {titre.debtor_name} : {euros(titre.total)}, émis le "
        f"{short_date(titre.issued_on)}, exercice {titre.exercice}."
    ]
    taken = titre.total - found.due
    if taken:
        count = plural(titre.corrections.count(), "correction")
        facts.append(f"Déjà retiré : {euros(taken)}, par {count}.")
    facts.append(f"Il en reste dû {euros(found.due)}. Déjà payé : {euros(found.paid)}.")
    return facts


def _warnings(titre: Titre, off: Any) -> list[str]:
    """Warn of what can't be undone, of what will have been paid too much, of a closed exercice."""
    found, warnings = standing(titre), [FINAL]
    if off is None and found.paid:
        warnings.append(
            f"{euros(found.paid)} sont déjà payés : s'il reste dû moins que cela, le trop-perçu restera "
            "à rembourser par le comptable."
        )
    elif off is not None and found.paid > found.due - off:
        over = found.paid - (found.due - off)
        warnings.append(
            f"{euros(found.paid)} sont déjà payés : un trop-perçu de {euros(over)} restera à rembourser "
            "par le comptable."
        )
    why = why_closed(titre, timezone.localdate())
    if why:
        warnings.append(
            f"{why} : datée d'aujourd'hui, la correction est refusée, et un mandat est à demander."
        )
    asked = titre.mandat_requests.count()
    if asked:
        warnings.append(f"{plural(asked, 'mandat est déjà demandé', 'mandats sont déjà demandés')}.")
    return warnings


def _blocked(found: list[reissue.Candidate]) -> list[str]:
    return [
        f"L'appel de {item.call.name} est bloqué : {' '.join(item.reasons)}"
        for item in found
        if item.reasons
    ]


def _not_a_titre(titre: Titre) -> str:
    if titre.kind == Titre.Kind.TITRE:
        return ""
    return f"{titre.reference} n'est pas un titre mais une correction : partez du titre d'origine."


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

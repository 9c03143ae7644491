"""The buttons of the life of an agreement: each leads to a page that says what it does, then does it."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.forms import modelform_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action

from conventions import invitations, life, states, territories
from conventions.admin.answers import StepPages
from conventions.life_forms import StepForm, TakeOverForm
from conventions.models import Convention, PaperKind
from conventions.papers import kept
from conventions.taking_over import take_over
from entsvc.french import long_date

CHANGE_PAGE = "admin:conventions_convention_change"
ICONS = {
    "envoyer": "send",
    "reprendre": "undo",
    "signer": "ink_pen",
    "mettre_en_vigueur": "check_circle",
    "reprise": "inventory_2",
    "echoir": "event_busy",
    "abandonner": "block",
}
# What a step does, said before it is done.
MEANINGS = {
    "envoyer": "Le document, et sa liste d'écoles s'il en a une, sont produits et figés : un changement "
    "de texte ou de fiche ne les modifie plus.",
    "reprendre": "La fiche redevient modifiable. Les documents déjà envoyés restent conservés.",
    "signer": "Le document signé est conservé à côté de celui qui a été envoyé.",
    "mettre_en_vigueur": "Les années scolaires déclarées pourront être appelées.",
    "echoir": "La convention est close. Les années commencées restent dues.",
    "abandonner": "La convention n'aura pas d'effet. Le projet peut être repris plus tard.",
}


def _step(code: str, name: str) -> Callable:
    """Make the page of a step, for the name its admin gives it."""

    def page(self: "StepActions", request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take_step(request, object_id, code)

    page.__name__ = name
    label = states.AGREEMENT_ACTIONS[code].label
    url = f"etape-{code.replace('_', '-')}"
    return action(description=label, permissions=["step"], url_path=url, icon=ICONS[code])(page)


class StepActions(StepPages):
    """The steps of `states.AGREEMENT_ACTIONS`, for the admin of agreements."""

    # The buttons of each step; an agreement is ended by the pages of its terminations.
    step_names = {
        "envoyer": "send",
        "reprendre": "back_to_draft",
        "signer": "sign",
        "mettre_en_vigueur": "put_in_force",
        "reprise": "take_over_draft",
        "echoir": "expire",
        "abandonner": "abandon",
    }
    send = _step("envoyer", "send")
    back_to_draft = _step("reprendre", "back_to_draft")
    sign = _step("signer", "sign")
    put_in_force = _step("mettre_en_vigueur", "put_in_force")
    expire = _step("echoir", "expire")
    abandon = _step("abandonner", "abandon")

    def has_step_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Let those who may change agreements move them."""
        return request.user.has_perm("conventions.change_convention")

    def has_take_over_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Let those who may enter agreements take over those signed on paper."""
        return request.user.has_perms(("conventions.add_convention", "conventions.change_convention"))

    def steps_shown(self, convention: Convention) -> set[str]:
        """Return the names of the buttons that the state of an agreement opens."""
        possible = states.possible(states.AGREEMENT_ACTIONS, convention.status)
        return {self.step_names[step.code] for step in possible if step.code in self.step_names}

    def take_step(self, request: HttpRequest, object_id: str, code: str) -> HttpResponse:
        """Say what a step does; take it on POST and come back with what happened."""
        convention = self.visible_or_404(request, object_id)
        try:
            states.after(states.AGREEMENT_ACTIONS, code, convention.status, states.AGREEMENT_STATES)
        except states.IllegalTransition as error:
            return self.refuse(request, convention, str(error))
        data = (request.POST, request.FILES) if request.method == "POST" else ()
        form = StepForm(*data, convention=convention, code=code)
        return self.answer(
            request,
            convention,
            form,
            states.AGREEMENT_ACTIONS[code].label,
            lambda: life.move(convention, code, actor=request.user.get_username(), **form.given()),
            lambda taken: (
                f"{convention.reference} : l'état est « {states.AGREEMENT_STATES[taken.after]} »."
            ),
            facts=lambda: [
                _named(convention),
                MEANINGS[code],
                *_dates(convention),
                *_told(convention, code),
            ],
        )

    @action(
        description=states.AGREEMENT_ACTIONS["reprise"].label,
        permissions=["take_over"],
        url_path="reprise",
        icon=ICONS["reprise"],
    )
    def take_over_draft(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put a draft in force from its paper."""
        convention = self.visible_or_404(request, object_id)
        try:
            states.after(states.AGREEMENT_ACTIONS, "reprise", convention.status, states.AGREEMENT_STATES)
        except states.IllegalTransition as error:
            return self.refuse(request, convention, str(error))
        return self._take_over(request, convention)

    @action(
        description=states.AGREEMENT_ACTIONS["reprise"].label,
        permissions=["take_over"],
        url_path="reprise",
        icon=ICONS["reprise"],
    )
    def take_over_paper(self, request: HttpRequest) -> HttpResponse:
        """Enter an agreement already signed, in force at once."""
        return self._take_over(request, None)

    def _take_over(self, request: HttpRequest, convention: Convention | None) -> HttpResponse:
        form_class = modelform_factory(
            Convention,
            form=TakeOverForm,
            fields=TakeOverForm.Meta.fields,
            formfield_callback=partial(self.formfield_for_dbfield, request=request),
        )
        data = (request.POST, request.FILES) if request.method == "POST" else ()
        form = form_class(*data, instance=convention)
        if request.method == "POST" and form.is_valid():
            try:
                taken = take_over(
                    convention=form.instance,
                    schools=form.cleaned_data["schools"],
                    actor=request.user.get_username(),
                    comment=form.cleaned_data["comment"],
                    scan=form.scanned(),
                )
            except (life.Refused, states.IllegalTransition) as error:
                for message in getattr(error, "messages", [str(error)]):
                    form.add_error(None, message)
            else:
                messages.success(request, f"{taken.reference} est reprise et en vigueur.")
                for warning in territories.warnings(taken, timezone.localdate()):
                    messages.warning(request, warning)
                return redirect(CHANGE_PAGE, taken.pk)
        back = (
            reverse(CHANGE_PAGE, args=[convention.pk])
            if convention
            else reverse("admin:conventions_convention_changelist")
        )
        context = {
            **self.admin_site.each_context(request),
            "title": states.AGREEMENT_ACTIONS["reprise"].label,
            "opts": self.model._meta,
            "form": form,
            "media": self.media + form.media,
            "back": back,
        }
        return TemplateResponse(request, "admin/conventions/take_over.html", context)


def _named(convention: Convention) -> str:
    return f"{convention} – {convention.get_status_display()}"


def _told(convention: Convention, code: str) -> list[str]:
    """Return who is told of a sending, and which signed paper already waits to be recorded."""
    if code == "envoyer":
        return [invitations.who_is_told(convention.party)]
    if code != "signer":
        return []
    papers = convention.papers.filter(amendment=None, kind=PaperKind.AGREEMENT).order_by("at", "pk")
    held = kept.signed_since(papers)
    if held is None:
        return []
    day = long_date(timezone.localtime(held.at).date())
    return [f"Un document signé est déjà déposé : « {held.name} », le {day}, par {held.actor}."]


def _dates(convention: Convention) -> list[str]:
    """Return what is known of the start and the end of an agreement."""
    words = []
    for label, day in (("Début d'effet", convention.start), ("Fin", convention.end)):
        if day:
            words.append(f"{label} : {f'{long_date(day.day)}. ' if day.day else ''}{day.reason}")
    return words

"""The pages that end an agreement: begin a way out, date its steps, pronounce the end or leave it."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action

from conventions import endings, life, states, terminations
from conventions.life_forms import DropForm, EndingForm, PronounceForm, RecordForm
from conventions.models import Convention, Termination
from conventions.policies import POLICIES
from entsvc.french import long_date

# The pages of the way out that is being followed, and what their links say.
STEP_PAGES = {
    "record_ending_step": "Dater une étape",
    "pronounce_ending": "Prononcer la fin",
    "drop_ending": "Laisser sans suite",
}
NONE_OPEN = "Aucune résiliation n'est en cours pour cette convention."


def terminations_of(convention: Convention) -> list[Termination]:
    """Return the ways out of an agreement that were begun, the latest first."""
    rows = convention.terminations.select_related("convention", "convention__party", "act")
    return list(rows.order_by("-pk"))


def open_one(begun: list[Termination]) -> Termination | None:
    """Return, among those begun, the way out that is being followed, if any."""
    return next((row for row in begun if row.status == Termination.Status.OPEN), None)


def step_links(convention: Convention) -> list[tuple[str, str]]:
    """Return what the links to the pages of the open way out say, and their addresses."""
    return [
        (label, reverse(f"admin:conventions_convention_{name}", args=[convention.pk]))
        for name, label in STEP_PAGES.items()
    ]


Page = Callable[[Any, HttpRequest, Convention, Termination], HttpResponse]


def of_the_open_one(page: Page) -> Callable[[Any, HttpRequest, str], HttpResponse]:
    """Give a page the agreement and the way out that is being followed; refuse where there is none."""

    @wraps(page)
    def found(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        convention = self.visible_or_404(request, object_id)
        termination = open_one(terminations_of(convention))
        if termination is None:
            return self.refuse(request, convention, NONE_OPEN)
        try:
            return page(self, request, convention, termination)
        except life.Refused as error:
            return self.refuse(request, convention, str(error))

    return found


class EndingActions:
    """The pages of the ends of an agreement, for its admin; see `conventions.terminations`."""

    def endings_shown(self, convention: Convention, termination: Termination | None) -> set[str]:
        """Return the names of the buttons that make sense now; the steps stand beside their timeline."""
        if termination:
            return set()
        may_end = convention.status == states.IN_FORCE and terminations.open_ways(convention)
        return {"begin_ending"} if may_end else set()

    @action(
        description="Engager une résiliation",
        permissions=["step"],
        url_path="resiliation",
        icon="gavel",
    )
    def begin_ending(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begin one of the ways out that the text of the agreement opens."""
        convention = self.visible_or_404(request, object_id)
        ways = terminations.open_ways(convention)
        if not ways:
            return self.refuse(request, convention, _no_way(convention))
        if obstacle := terminations.not_in_force(convention):
            return self.refuse(request, convention, obstacle)
        form = EndingForm(_posted(request), ways=ways)
        return self.answer(
            request,
            convention,
            form,
            "Engager une résiliation",
            lambda: terminations.open_termination(
                convention=convention, actor=request.user.get_username(), **form.given()
            ),
            "La résiliation est engagée : datez ses étapes au fur et à mesure.",
            facts=lambda: [
                f"{convention} – {convention.get_status_display()}",
                "Rien ne change avant que la fin soit prononcée.",
                *terminations.consequences(convention, None),
            ],
        )

    @action(
        description="Dater une étape de la résiliation",
        permissions=["step"],
        url_path="resiliation-etape",
        icon="edit_calendar",
    )
    @of_the_open_one
    def record_ending_step(
        self, request: HttpRequest, convention: Convention, termination: Termination
    ) -> HttpResponse:
        """Date the next step of the way out, or correct a date."""
        shown = terminations.progress(termination)
        form = RecordForm(
            _posted(request),
            termination=termination,
            recorded={step.record: step.day for step in shown.steps if step.done},
            following=shown.following,
        )
        return self.answer(
            request,
            convention,
            form,
            "Dater une étape de la résiliation",
            lambda: terminations.record_step(
                termination=termination, actor=request.user.get_username(), **form.given()
            ),
            "L'étape est enregistrée.",
            facts=lambda: _in_words(shown),
        )

    @action(
        description="Prononcer la fin",
        permissions=["step"],
        url_path="resiliation-fin",
        icon="event_busy",
    )
    @of_the_open_one
    def pronounce_ending(
        self, request: HttpRequest, convention: Convention, termination: Termination
    ) -> HttpResponse:
        """End the agreement, once the steps are done and the day has come."""
        shown = terminations.progress(termination)
        form = PronounceForm(
            _posted(request),
            convention=convention,
            earliest=shown.earliest,
            last_due=partial(terminations.last_due, convention),
        )
        return self.answer(
            request,
            convention,
            form,
            "Prononcer la fin",
            lambda: terminations.pronounce(
                termination=termination, actor=request.user.get_username(), **form.given()
            ),
            "La fin de la convention est prononcée.",
            facts=lambda: _in_words(shown),
            warnings=[
                "La fin est définitive.",
                f"Si elle est prononcée au {long_date(form.day)} :",
                *terminations.consequences(convention, form.day),
            ],
        )

    @action(
        description="Laisser la résiliation sans suite",
        permissions=["step"],
        url_path="resiliation-sans-suite",
        icon="undo",
    )
    @of_the_open_one
    def drop_ending(
        self, request: HttpRequest, convention: Convention, termination: Termination
    ) -> HttpResponse:
        """Leave the way out without effect."""
        form = DropForm(_posted(request))
        return self.answer(
            request,
            convention,
            form,
            "Laisser la résiliation sans suite",
            lambda: terminations.drop(
                termination=termination, actor=request.user.get_username(), **form.cleaned_data
            ),
            "La résiliation est laissée sans suite : la convention continue.",
            facts=lambda: [
                f"{step} : {long_date(day)}." for step, day in terminations.recorded(termination)
            ],
        )


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _no_way(convention: Convention) -> str:
    policy = POLICIES.get(convention.policy)
    if policy is None:
        return "Choisissez d'abord le texte de la convention : il dit comment elle finit."
    return f"« {policy.name} » n'ouvre aucune voie de résiliation."


def _in_words(shown: terminations.Progress) -> list[str]:
    words = [terminations.ending_of(shown.termination).value.capitalize() + "."]
    for step in shown.steps:
        day = long_date(step.day) if step.day else "à dater"
        words.append(f"{step.name} : {day}. {step.reason}")
    if shown.following:
        words.append(f"À faire ensuite : {endings.DATES[shown.following].lower()}.")
    return words

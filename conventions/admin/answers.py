"""The page of a step: it says what will happen, does it on POST, and tells what became of it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from conventions import life, states
from conventions.wishes import AmendmentRefused
from entsvc.staff import ConfirmedAction


class StepPages(ConfirmedAction):
    """The pages of the steps of agreements and of their amendments."""

    def answer(
        self,
        request: HttpRequest,
        row: Model,
        form: forms.Form,
        title: str,
        take: Callable[[], Any],
        done: str | Callable[[Any], str],
        *,
        facts: Callable[[], list[str]],
        **shown: Any,
    ) -> HttpResponse:
        """Show what a step will do, then take it on POST; a refusal is said and loses nothing.

        `facts` are read when the page shows, and `done` is what is told afterwards, or makes it of what
        `take` returned. A step that the state of the row no longer knows comes back to its page.
        """
        if request.method == "POST" and form.is_valid():
            try:
                taken = take()
            except states.IllegalTransition as error:
                return self.refuse(request, row, str(error))
            except (life.Refused, AmendmentRefused) as error:
                for message in getattr(error, "messages", [str(error)]):
                    form.add_error(None, message)
            else:
                messages.success(request, done if isinstance(done, str) else done(taken))
                self.done(request, row)
                return redirect(self._page(), row.pk)
        return self.confirm(request, title, row, form=form, facts=facts(), button=title, **shown)

    def refuse(self, request: HttpRequest, row: Model, message: str) -> HttpResponse:
        """Come back to the row with what was refused."""
        messages.error(request, message)
        return redirect(self._page(), row.pk)

    def done(self, request: HttpRequest, row: Model) -> None:
        """Say what else is to be known of a step once taken."""

    def _page(self) -> str:
        return f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_change"

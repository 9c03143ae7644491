"""What the list of titres does to those that are chosen in it: answer for them, or annul them."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from entsvc.french import euros, plural
from invoicing import called_again, drawing_pages
from invoicing.admin import correction_words as words
from invoicing.answers import AnswerRefused, record_events
from invoicing.correction_forms import BulkAnnulForm
from invoicing.corrections import Correction, correct_many
from invoicing.follow_up_forms import BulkAnswerForm
from invoicing.models import Bordereau, Titre, TitreEvent
from invoicing.numbering import IssueRefused, all_closed
from invoicing.payments import standing
from invoicing.statuses import ORDER, Status

SHOWN = 10  # titres named in a warning
LISTED = 50  # titres told one by one: a page of the list


class StatusFilter(admin.SimpleListFilter):
    """Where a titre stands."""

    title = "état"
    parameter_name = "etat"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return Status.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in Status.values:
            return queryset
        return queryset.filter(status_rank=ORDER.index(Status(self.value())))


class ChosenTitres:
    """The actions of the list of titres."""

    @admin.action(description="Pris en charge par le comptable", permissions=["answer"])
    def take_in_charge(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._answer_all(request, queryset, TitreEvent.Kind.TAKEN)

    @admin.action(description="Rejeté par le comptable", permissions=["answer"])
    def reject(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._answer_all(request, queryset, TitreEvent.Kind.REJECTED)

    @admin.action(description="Annuler", permissions=["correct"])
    def annul_chosen(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Annul all of them for one reason, on one bordereau, or none."""
        titres = list(queryset.order_by("number"))
        stopped = _why_not(titres)
        ready = [titre for titre in titres if titre.pk not in stopped]
        if stopped:
            return self._choose_again(request, titres, ready, stopped)
        form = BulkAnnulForm(request.POST, titre=titres[0])

        def write(facts: dict[str, Any]) -> HttpResponse:
            common = {name: facts[name] for name in ("reason_code", "reason")}
            asked = [Correction(titre, Titre.Kind.ANNULATION, **common) for titre in ready]
            done = correct_many(
                corrections=asked,
                on=facts["on"],
                signatory=facts["signatory"],
                actor=request.user.get_username(),
            )
            messages.success(request, _done(done.bordereau))
            return drawing_pages.follow(request, done.bordereau)

        return self._for_all(
            request,
            titres[0],
            form,
            write,
            title="Annuler les titres choisis",
            facts=[
                *_to_annul(ready),
                "Le même motif s'écrit sur chacun ; les annulations vont toutes sur un seul bordereau.",
            ],
            warnings=[words.FINAL, *_paid(ready), *_called_again(ready)],
            button=f"Annuler {plural(len(ready), 'titre')}",
        )

    def _choose_again(
        self, request: HttpRequest, titres: list[Titre], ready: list[Titre], stopped: dict[Any, str]
    ) -> HttpResponse:
        """Say what is to be taken out of the choice, with nothing to click on meanwhile."""
        return self.confirm(
            request,
            "Annuler les titres choisis",
            titres[0],
            object=None,
            facts=[*_to_annul(ready), "Revenez à la liste et retirez du choix ce qui est nommé ici."],
            warnings=_in_the_way(titres, stopped),
            button="",
            back=request.get_full_path(),
        )

    def _answer_all(
        self, request: HttpRequest, queryset: QuerySet, kind: TitreEvent.Kind
    ) -> HttpResponse | None:
        """Ask for the day and the words of the answer, then record it for all of them or for none."""

        def write(facts: dict[str, Any]) -> HttpResponse:
            asked = {name: facts[name] for name in ("on", "comment")}
            actor = request.user.get_username()
            events = record_events(titres=queryset, kind=kind, actor=actor, **asked)
            done = plural(len(events), "réponse enregistrée", "réponses enregistrées")
            messages.success(request, f"{kind.label} : {done}.")
            return redirect(request.get_full_path())

        count = plural(queryset.count(), "pièce choisie", "pièces choisies")
        return self._for_all(
            request,
            queryset.first(),
            BulkAnswerForm(request.POST, kind=kind),
            write,
            title=kind.label,
            facts=[f"{count} dans la liste."],
            warnings=["Si l'une d'elles le refuse, rien n'est enregistré pour les autres."],
            button="Enregistrer",
        )

    def _for_all(
        self,
        request: HttpRequest,
        first: Titre,
        form: forms.Form,
        write: Callable[[dict[str, Any]], HttpResponse],
        **page: Any,
    ) -> HttpResponse | None:
        """Show what will be done to all that is chosen, or do it and go where it says."""
        if form.is_bound and form.is_valid():
            try:
                return write(form.cleaned_data)
            except (AnswerRefused, IssueRefused) as error:
                for message in getattr(error, "messages", [str(error)]):
                    form.add_error(None, message)
        back = request.get_full_path()  # the page is of the list, not of the first of the choice
        return self.confirm(request, obj=first, object=None, form=form, back=back, **page)


def _why_not(titres: list[Titre]) -> dict[Any, str]:
    """Return {titre: why it can't be annulled} of those that must be taken out: all are, or none is."""
    closed = all_closed(titres, timezone.localdate())
    found = {}
    for titre in titres:
        if titre.kind != Titre.Kind.TITRE:
            found[titre.pk] = "une correction ne s'annule pas"
        elif not standing(titre).due:
            found[titre.pk] = "déjà annulé"
        elif titre.pk in closed:
            found[titre.pk] = "exercice clos, où seul un mandat rend quelque chose"
    return found


def _in_the_way(titres: list[Titre], stopped: dict[Any, str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for titre in titres:
        if titre.pk in stopped:
            groups.setdefault(stopped[titre.pk], []).append(titre.reference)
    return [f"À retirer du choix ({why}) : {named(references)}." for why, references in groups.items()]


def _to_annul(ready: list[Titre]) -> list[str]:
    """Tell what will be annulled, titre by titre."""
    if not ready:
        return ["Rien de ce choix ne peut être annulé."]
    dues = [standing(titre).due for titre in ready]
    rows = [
        f"{titre.reference}, {titre.debtor_name} : {euros(amount)}"
        for titre, amount in zip(ready[:LISTED], dues, strict=False)
    ]
    more = len(ready) - len(rows)
    rest = [f"… et {plural(more, 'autre')} : {euros(sum(dues[LISTED:]))}"] if more else []
    count = plural(len(ready), "titre")
    return [f"{count} à annuler : {euros(sum(dues))} dus après corrections.", *rows, *rest]


def _done(bordereau: Bordereau) -> str:
    count = plural(bordereau.count, "titre annulé", "titres annulés")
    url = reverse("admin:invoicing_bordereau_change", args=[bordereau.pk])
    link = format_html('<a class="underline" href="{}">{}</a>', url, bordereau)
    return format_html("{}, {} : {}.", count, euros(bordereau.total), link)


def _paid(titres: list[Titre]) -> list[str]:
    """Warn of what was paid already of the titres to annul."""
    sums = {titre.reference: standing(titre).paid for titre in titres}
    already = [reference for reference, amount in sums.items() if amount]
    if not already:
        return []
    paid = euros(sum(sums.values()))
    return [f"{paid} sont déjà payés ({named(already)}) : ils resteront à rembourser par le comptable."]


def _called_again(titres: list[Titre]) -> list[str]:
    asked = called_again.still_asked(titres)
    total = sum(asked.values())
    if not total:
        return []
    again = [titre.reference for titre in titres if asked.get(titre.pk)]
    return [called_again.told_of_many(named(again), total)]


def named(references: list[str]) -> str:
    """Name the first of many titres, and count the others."""
    more = len(references) - SHOWN
    shown = ", ".join(references[:SHOWN])
    return f"{shown} et {plural(more, 'autre')}" if more > 0 else shown

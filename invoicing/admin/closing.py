"""Staff pages of closed exercices: closed here after a proof, and never written again."""

from decimal import Decimal

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from entsvc.french import euros, integer, plural
from entsvc.pdf import render_pdf
from entsvc.staff import ConfirmedAction
from invoicing.admin.numbering import budget_in_words
from invoicing.closing import ClosingRefused, Prospect, close_exercice, look_ahead
from invoicing.models import ClosedExercice, Series
from members.access import ScopedReadOnlyAdmin, visible
from members.models import Issuer

# Beyond, reading every document would keep the page waiting for minutes.
LARGEST = 2000


class ClosingForm(forms.Form):
    """Which exercice to close; `seen` once what it freezes has been shown."""

    issuer = forms.ModelChoiceField(
        Issuer.objects.none(), label="Émetteur", widget=UnfoldAdminSelectWidget
    )
    exercice = forms.IntegerField(
        label="Exercice", min_value=2000, max_value=2099, widget=UnfoldAdminIntegerFieldWidget
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, issuers: QuerySet, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["issuer"].queryset = issuers

    @property
    def asked(self) -> str:
        """Return what is to be closed, as `seen` says it has been shown."""
        return f"{self.cleaned_data['issuer'].code} {self.cleaned_data['exercice']}"


@admin.register(ClosedExercice)
class ClosedExerciceAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["issuer", "budget_name", "exercice", "closed_at", "closed_by", "net"]
    list_filter = ["issuer", "exercice"]
    list_select_related = ["issuer"]
    fields = [
        "issuer", "budget_name", "exercice", "closed_at", "closed_by", "series", "net", "due", "paid",
        "remaining", "overpaid", "mandats", "documents", "warned", "sha256", "journal_head",
    ]  # fmt: skip
    readonly_fields = fields
    actions_list = ["close"]
    actions_detail = ["download_report"]

    @display(description="budget", ordering="budget")
    def budget_name(self, closed):
        return budget_in_words(closed)

    @display(description="titres moins corrections")
    def net(self, closed):
        return euros(Decimal(closed.report["proof"]["net"]))

    @display(description="séries")
    def series(self, closed):
        found = [series for series in closed.report["proof"]["series"] if series["count"]]
        return " ; ".join(
            f"{series['label']} : {integer(series['count'])}, n° {series['first']} à {series['last']}"
            for series in found
        )

    @display(description="reste à recouvrer à la clôture")
    def remaining(self, closed):
        money = closed.report["collection"]
        return f"{euros(Decimal(money['remaining']))}, {plural(money['unpaid'], 'titre')}"

    @display(description="dû après corrections")
    def due(self, closed):
        return euros(Decimal(closed.report["collection"]["due"]))

    @display(description="encaissé à la clôture")
    def paid(self, closed):
        return euros(Decimal(closed.report["collection"]["paid"]))

    @display(description="trop-perçu à la clôture")
    def overpaid(self, closed):
        return _told(closed, "overpaid")

    @display(description="mandats demandés à la clôture")
    def mandats(self, closed):
        return _told(closed, "mandats")

    @display(description="PDF et empreinte de leur liste")
    def documents(self, closed):
        found = closed.report["proof"]["documents"]
        return f"{integer(found['count'])} – {found['sha256']}"

    @display(description="signalé à la clôture")
    def warned(self, closed):
        return " ".join(closed.report["warnings"]) or "rien"

    def has_close_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.close_exercice")

    @action(description="Clore un exercice", permissions=["close"], icon="lock")
    def close(self, request: HttpRequest) -> HttpResponse:
        issuers = visible(Issuer.objects.order_by("code"), request.user)
        form = ClosingForm(request.POST or None, issuers=issuers)
        if request.method != "POST" or not form.is_valid():
            facts = ["Tout l'exercice est d'abord vérifié : numéros, montants, documents, journal."]
            return self._page(request, form, facts, [], "Continuer")
        where = {name: form.cleaned_data[name] for name in ("issuer", "exercice")}
        try:
            prospect = look_ahead(**where)
            if _is_large(prospect):
                raise ClosingRefused(
                    "Cet exercice est trop grand pour cette page : lancez « manage.py close_exercice "
                    f"--issuer {where['issuer'].code} --exercice {where['exercice']} »."
                )
            if form.cleaned_data["seen"] != form.asked:
                return self._confirmation(request, form, prospect)
            closed = close_exercice(**where, actor=request.user.get_username())
        except ClosingRefused as error:
            for message in error.messages:
                form.add_error(None, message)
            return self._page(request, form, [], [], "Continuer")
        messages.success(request, f"{closed} : clos.")
        return redirect("admin:invoicing_closedexercice_change", closed.pk)

    def _confirmation(self, request, form, prospect):
        issuers = form.fields["issuer"].queryset
        data = {**form.data.dict(), "seen": form.asked}
        form = ClosingForm(data, issuers=issuers)
        for name in ("issuer", "exercice"):
            form.fields[name].widget = form.fields[name].hidden_widget()
        warnings = [*prospect.warnings, "La clôture est définitive."]
        return self._page(request, form, _facts(prospect), warnings, "Vérifier et clore")

    def _page(self, request, form, facts, warnings, button):
        context = {
            **self.admin_site.each_context(request),
            "title": "Clore un exercice",
            "opts": self.model._meta,
            "back": reverse("admin:invoicing_closedexercice_changelist"),
            "form": form,
            "facts": facts,
            "warnings": warnings,
            "button": button,
        }
        return TemplateResponse(request, "admin/entsvc/confirm.html", context)

    @action(description="Compte rendu (PDF)", icon="picture_as_pdf")
    def download_report(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        closed = self.visible_or_404(request, object_id)
        content = render_pdf("pdf/cloture.html", {**closed.report, "sha256": closed.sha256})
        response = HttpResponse(content, content_type="application/pdf")
        name = f"cloture-{closed.issuer.code}-{closed.exercice}.pdf"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def _told(closed: ClosedExercice, name: str) -> str:
    """Return an amount of a report; older ones did not tell it."""
    amount = closed.report["collection"].get(name)
    return "–" if amount is None else euros(Decimal(amount))


def _is_large(prospect: Prospect) -> bool:
    return prospect.figures.series[Series.TITRE].count > LARGEST


def _facts(prospect: Prospect) -> list[str]:
    figures, money = prospect.figures, prospect.collection
    facts = [f"{figures.issuer.name}, exercice {figures.exercice}."]
    for series in Series:
        found = figures.series[series]
        if found.count:
            facts.append(
                f"{series.label} : {integer(found.count)}, n° {found.first} à {found.last}, "
                f"{euros(found.total)}."
            )
    facts.append(f"Titres moins corrections : {euros(figures.net)}.")
    facts.append(f"Dû après corrections : {euros(money.due)}. Encaissé : {euros(money.paid)}.")
    left = f"Reste à recouvrer : {euros(money.remaining)}, {plural(money.unpaid, 'titre')}."
    facts.append(left + (f" Trop-perçu : {euros(money.overpaid)}." if money.overpaid else ""))
    if money.mandats:
        facts.append(f"Mandats demandés au comptable pour ses titres : {euros(money.mandats)}.")
    facts.append("Ensuite, plus aucun titre ni aucune correction ne peut porter cet exercice.")
    return facts

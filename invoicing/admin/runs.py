"""Staff pages of campaigns, runs and calls: a run is computed and issued here, and never written."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from entsvc.downloads import as_attachment
from entsvc.french import euros, plural
from entsvc.journal import record
from entsvc.staff import LINK, ConfirmedAction, ReadOnlyInline
from invoicing import drawing_pages, long_collection, long_work
from invoicing.admin.liquidation import CampaignEtat
from invoicing.calculation import CampaignRefused, compute_again, open_supplement
from invoicing.drift import shown_drifts
from invoicing.exports.yearly_call import write_yearly_call
from invoicing.forms import IssueForm, SupplementForm, UnbilledForm
from invoicing.issuing import issue
from invoicing.left_to_issue import to_issue
from invoicing.list_changes import shown_list_changes
from invoicing.models import Anomaly, Call, CallLine, Campaign, Run, Titre
from invoicing.numbering import IssueRefused, all_closed
from invoicing.supplements import TO_REDUCE
from members.access import ScopedAdmin, ScopedReadOnlyAdmin, visible
from members.models import Issuer
from tariffs.adoption import NotAdopted

NOTHING_LEFT = (
    "Rien à émettre : les appels de ce calcul sont déjà émis, nuls ou bloqués. Levez ce qui bloque, "
    "puis calculez de nouveau."
)
# Notices that ask for something, told from those that only say what was read.
TO_DO = (TO_REDUCE, "expenses_to_check", "unused_decision", "voted_amount_missing")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@admin.register(Campaign)
class CampaignAdmin(CampaignEtat, ConfirmedAction, ScopedAdmin):
    list_display = ["__str__", "school_year_label", "rank", "reason", "call_link"]
    list_filter = ["schedule", "school_year", "apart"]
    list_select_related = ["schedule"]
    fields = ["schedule", "school_year"]
    actions_detail = [
        "review", "yearly_call", "compute",
        {"title": "Autres", "icon": "more_horiz", "items": ["supplement", "produce_etat"]},
    ]  # fmt: skip
    actions_list = ["export_unbilled"]
    change_form_outer_after_template = "admin/invoicing/drifts.html"

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        shown, more = shown_drifts(obj.schedule, obj.school_year) if obj else ([], 0)
        lists, more_lists = shown_list_changes(obj.schedule, obj.school_year) if obj else ([], 0)
        context |= {"drifts": shown, "more_drifts": more}
        context |= {"list_changes": lists, "more_list_changes": more_lists}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_fields(self, request, obj=None):
        if obj is None:
            return self.fields
        return [*self.fields, "rank", "reason", *(["quote"] if obj.quote_id else [])]

    def has_add_permission(self, request):
        return request.user.has_perm("invoicing.compute_run")

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_compute_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.compute_run")

    @action(description="Revue", icon="fact_check", variant=ActionVariant.PRIMARY)
    def review(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.visible_or_404(request, object_id)
        last = campaign.runs.order_by("-number").values_list("pk", flat=True).first()
        if last is None:
            messages.info(request, "Cette campagne n'a pas encore de calcul.")
            return redirect("admin:invoicing_campaign_change", campaign.pk)
        return redirect("collection:review", last)

    @display(description="appel")
    def call_link(self, campaign):
        url = reverse("collection:campaign", args=[campaign.pk])
        return format_html(LINK, url, "Chiffres et fichiers")

    @action(description="Chiffres", icon="monitoring")
    def yearly_call(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("collection:campaign", self.visible_or_404(request, object_id).pk)

    @action(description="Calculer", permissions=["compute"], icon="calculate")
    def compute(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.visible_or_404(request, object_id)
        if request.method != "POST":
            facts = [
                f"Campagne : {campaign}",
                "Un nouveau calcul est conservé ; les précédents restent consultables.",
            ]
            return self.confirm(request, "Calculer les appels", campaign, facts=facts, button="Calculer")
        if long_work.is_long_to_compute(campaign.schedule):
            work = long_work.compute_later(campaign=campaign, actor=request.user.get_username())
            return redirect("work", work.pk)
        try:
            run = compute_again(campaign=campaign, actor=request.user.get_username())
        except (NotAdopted, CampaignRefused) as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_campaign_change", object_id)
        messages.success(request, f"{run} : {euros(run.total)}.")
        return redirect("collection:review", run.pk)

    def has_supplement_permission(self, request, object_id=None):
        campaign = self.get_object(request, object_id) if object_id is not None else None
        return not (campaign and campaign.apart) and self.has_compute_permission(request)

    @action(description="Campagne complémentaire", permissions=["supplement"], icon="playlist_add")
    def supplement(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.visible_or_404(request, object_id)
        form = SupplementForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actor = request.user.get_username()
            if long_work.is_long_to_compute(campaign.schedule):
                work = long_work.supplement_later(campaign=campaign, actor=actor, **form.cleaned_data)
                return redirect("work", work.pk)
            try:
                run = open_supplement(campaign=campaign, actor=actor, **form.cleaned_data)
            except (NotAdopted, CampaignRefused) as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{run} : {euros(run.total)} à appeler en plus.")
                return redirect("collection:review", run.pk)
        facts = [
            f"Tout {campaign.schedule.code} {campaign.school_year_label} est recalculé avec les données "
            "d'aujourd'hui, puis comparé à ce qui est déjà appelé de chaque payeur.",
            "Seul ce qui manque sera appelé ; ce qui est de trop sera signalé, à réduire sur son titre.",
        ]
        return self.confirm(
            request,
            "Ouvrir une campagne complémentaire",
            campaign,
            form=form,
            facts=facts,
            button="Ouvrir et calculer",
        )

    def has_export_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.view_run")

    @action(description="Produits à rattacher (XLSX)", permissions=["export"], icon="event_available")
    def export_unbilled(self, request: HttpRequest) -> HttpResponse:
        issuers = visible(Issuer.objects.order_by("code"), request.user)
        form = UnbilledForm(request.POST or None, issuers=issuers)
        if request.method == "POST" and form.is_valid():
            issuer, exercice = form.cleaned_data["issuer"], form.cleaned_data["exercice"]
            asked = {"issuer": issuer, "exercice": exercice, "actor": request.user.get_username()}
            if long_collection.is_long_to_attach(issuer, exercice):
                return redirect("work", long_collection.attach_later(**asked).pk)
            content, name = long_collection.attach(**asked)
            return as_attachment(content, name, XLSX)
        context = {
            **self.admin_site.each_context(request),
            "title": "Produits à rattacher",
            "opts": self.model._meta,
            "back": reverse("admin:invoicing_campaign_changelist"),
            "form": form,
            "facts": [
                "Ce qui reste à appeler au 31 décembre, par barème, année scolaire et payeur, avec ses "
                "bases : service fait ou commencé, et pas encore de titre de cet exercice.",
                "Tout est calculé avec les données d'aujourd'hui.",
            ],
            "warnings": [],
            "button": "Télécharger",
        }
        return TemplateResponse(request, "admin/entsvc/confirm.html", context)


class AnomalyWeight:
    """What an anomaly does, in a word."""

    @display(description="effet", label={"bloque": "danger", "avis": "info"})
    def weight(self, anomaly):
        return "bloque" if anomaly.blocking else "avis"


class AnomalyInline(AnomalyWeight, ReadOnlyInline):
    model = Anomaly
    fields = ["call", "uai", "message", "weight", "accepted"]
    readonly_fields = ["weight"]

    def get_queryset(self, request):
        """What blocks comes first, then what is to be done, then what is only told."""
        told = Case(When(code__in=TO_DO, then=0), default=1)
        rows = super().get_queryset(request).select_related("call")
        return rows.order_by("-blocking", told, "pk")


class TitresToReduce:
    """Where the réductions that a supplementary run asks for are made."""

    @display(description="titres à réduire")
    def titres_to_reduce(self, call):
        asked = call.anomalies.filter(code=TO_REDUCE).order_by("pk").first()
        if asked is None:
            return "—"
        campaign = call.run.campaign
        titres = Titre.objects.filter(
            kind=Titre.Kind.TITRE,
            debtor=call.debtor_id,
            campaign__schedule=campaign.schedule_id,
            campaign__school_year=campaign.school_year,
        )
        titres = titres.select_related("issuer").defer("payload").order_by("number")
        named = [titre for titre in titres if titre.reference in asked.message]
        closed = all_closed(named, timezone.localdate())
        links = [
            (
                reverse("admin:invoicing_titre_change", args=[titre.pk]),
                titre.reference,
                " (mandat à demander)" if titre.pk in closed else "",
            )
            for titre in named
        ]
        return format_html_join(", ", '<a class="underline" href="{}">{}</a>{}', links) or "—"


class RunCallInline(ReadOnlyInline):
    model = Call
    fields = ["siret", "name", "total_euros"]
    readonly_fields = ["total_euros"]
    linked = "name"

    @display(description="total")
    def total_euros(self, call):
        return euros(call.total)


@admin.register(Run)
class RunAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = [
        "__str__",
        "computed_at",
        "computed_by",
        "total_euros",
        "calls_count",
        "blocked",
        "review_link",
    ]
    list_filter = ["campaign__schedule", "campaign__school_year"]
    list_select_related = ["campaign__schedule"]
    fields = [
        "campaign", "number", "computed_at", "computed_by", "total_euros", "tariff", "act",
        "calls_count", "blocked", "basis_sha256",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [AnomalyInline, RunCallInline]

    actions_detail = ["review", "issue_titres", "export_call"]

    def get_inlines(self, request, obj):
        if obj is not None and not obj.anomalies.exists():
            return [RunCallInline]
        return self.inlines

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        blocking = Anomaly.objects.filter(call=OuterRef("calls"), blocking=True)
        return (
            super()
            .get_queryset(request)
            .defer("basis")
            .annotate(
                n_calls=Count("calls", distinct=True),
                n_blocked=Count("calls", filter=Q(Exists(blocking)), distinct=True),
            )
        )

    @display(description="total", ordering="total")
    def total_euros(self, run):
        return euros(run.total)

    @display(description="appels", ordering="n_calls")
    def calls_count(self, run):
        url = reverse("admin:invoicing_call_changelist")
        return format_html('<a href="{}?run__id__exact={}">{}</a>', url, run.pk, run.n_calls)

    @display(description="bloqués", ordering="n_blocked")
    def blocked(self, run):
        return run.n_blocked

    @display(description="revue")
    def review_link(self, run):
        return format_html(LINK, reverse("collection:review", args=[run.pk]), "Revue")

    @action(description="Revue", icon="fact_check", variant=ActionVariant.PRIMARY)
    def review(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("collection:review", self.visible_or_404(request, object_id).pk)

    @display(description="tarif")
    def tariff(self, run):
        return run.facts["version"]

    @display(description="acte d'adoption")
    def act(self, run):
        return run.facts["act"]

    def has_issue_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.issue_titre")

    @action(description="Émettre les titres", permissions=["issue"], icon="receipt_long")
    def issue_titres(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.visible_or_404(request, object_id)
        form = IssueForm(request.POST or None, run=run)
        if request.method == "POST" and form.is_valid():
            try:
                issued = issue(run=run, actor=request.user.get_username(), **form.issue_with())
            except IssueRefused as error:
                for message in error.messages:
                    form.add_error(None, message)
            else:
                return self._after_issue(request, run, issued)
        facts = [
            f"Calcul : {run}, {plural(run.n_calls, 'appel')}, total {euros(run.total)}.",
            _blocked_in_words(run.n_blocked),
            _issued_in_words(run.campaign.titres.filter(kind=Titre.Kind.TITRE).count()),
        ]
        warnings = [
            "L'émission est définitive : un titre ne se corrige que par une annulation ou une réduction."
        ]
        if not form.is_latest:
            warnings.append(f"Le dernier calcul de la campagne est le n° {form.latest}, pas celui-ci.")
        is_left = to_issue().filter(run=run).exists()
        if not is_left:
            warnings = [NOTHING_LEFT]
        return self.confirm(
            request,
            "Émettre les titres",
            run,
            template="admin/invoicing/issue.html",
            form=form if is_left else None,
            facts=facts,
            warnings=warnings,
            button="Émettre" if is_left else "",
        )

    def _after_issue(self, request, run, issued):
        for warning in issued.warnings:
            messages.warning(request, warning)
        for blocked in issued.blocked[:20]:
            messages.warning(request, f"{blocked.name} : {' '.join(blocked.messages)}")
        if issued.bordereau is None:
            messages.info(request, "Aucun titre à émettre : ils le sont déjà, ou sont bloqués.")
            return redirect("admin:invoicing_run_change", run.pk)
        total = euros(issued.bordereau.total)
        messages.success(
            request, f"{issued.bordereau} : {plural(issued.bordereau.count, 'titre')}, {total}."
        )
        return drawing_pages.follow(request, issued.bordereau)

    @action(description="Exporter l'appel annuel (XLSX)", icon="download")
    def export_call(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = self.visible_or_404(request, object_id)
        if long_work.is_long_to_export(run):
            work = long_work.export_later(run=run, actor=request.user.get_username())
            return redirect("work", work.pk)
        response = HttpResponse(content_type=XLSX)
        name = long_work.name_of_call(run)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        write_yearly_call(run, response)
        record(
            actor=request.user.get_username(),
            action="export",
            target=run,
            summary=f"{run} : {name}",
        )
        return response


def _issued_in_words(count):
    if not count:
        return "Aucun titre n'est encore émis dans cette campagne."
    return (
        f"{plural(count, 'titre déjà émis', 'titres déjà émis')} dans cette campagne : aucun payeur "
        "n'en aura un second."
    )


def _blocked_in_words(count):
    if not count:
        return "Aucun membre bloqué par une anomalie."
    return f"{plural(count, 'membre bloqué', 'membres bloqués')} : rien ne sera émis à ce titre."


class CallLineInline(ReadOnlyInline):
    model = CallLine
    fields = ["charge_label", "uai", "school", "commune", "explanation", "amount_euros", "why"]
    readonly_fields = ["amount_euros", "why"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("call")

    @display(description="montant")
    def amount_euros(self, line):
        return euros(line.amount)

    @display(description="pourquoi")
    def why(self, line):
        if line.pk is None:
            return ""
        facts = [line.call.run_id, line.call_id, line.position]
        return format_html(LINK, reverse("collection:explanation", args=facts), "Expliquer")


class CallAnomalyInline(AnomalyWeight, ReadOnlyInline):
    model = Anomaly
    fields = ["uai", "message", "weight", "accepted"]
    readonly_fields = ["weight"]


@admin.register(Call)
class CallAdmin(ConfirmedAction, TitresToReduce, ScopedReadOnlyAdmin):
    list_display = ["name", "siret", "total_euros", "is_blocked", "run"]
    list_filter = ["run__campaign"]
    linked_lookups = ["run__id__exact"]
    list_select_related = ["run__campaign__schedule"]
    search_fields = ["name", "siret", "lines__uai", "lines__school"]
    fields = ["run", "debtor", "siret", "name", "total_euros", "titres_to_reduce"]
    readonly_fields = fields
    inlines = [CallLineInline, CallAnomalyInline]
    actions_detail = ["explain"]

    @action(description="Expliquer", icon="fact_check", variant=ActionVariant.PRIMARY)
    def explain(self, request: HttpRequest, object_id: str) -> HttpResponse:
        call = self.visible_or_404(request, object_id)
        return redirect("collection:review-member", call.run_id, call.pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        blocking = Anomaly.objects.filter(call=OuterRef("pk"), blocking=True)
        calls = super().get_queryset(request).defer("run__basis")
        return calls.annotate(blocking=Exists(blocking))

    @display(description="total", ordering="total")
    def total_euros(self, call):
        return euros(call.total)

    @display(description="bloqué", boolean=True)
    def is_blocked(self, call):
        return call.blocking

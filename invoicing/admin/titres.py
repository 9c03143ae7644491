"""Staff pages of titres: shown as issued and never written, but for the accountant's number."""

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import as_attachment, attachment
from entsvc.french import euros, lower_first, short_date
from entsvc.journal import record
from entsvc.once import shown_once
from entsvc.staff import LINK, ConfirmedAction, ReadOnlyInline
from invoicing import long_work
from invoicing.accountant_numbers import (
    NUMBERED,
    NumberRefused,
    draw_numbered,
    to_draw,
    went_out_as_project,
    write_number,
)
from invoicing.admin.correction_words import rejected, rejection_of
from invoicing.admin.corrections import CorrectionActions, CorrectionInline, MandatInline
from invoicing.admin.facturx import PAGE_OF_ROLE, TitreFacturx
from invoicing.admin.titre_lists import ChosenTitres, StatusFilter
from invoicing.answers import AnswerRefused, record_event
from invoicing.chorus.pages import posting_of
from invoicing.chorus.posting import posted_on
from invoicing.corrections import due
from invoicing.deadlines import deadline
from invoicing.exports.journal_of_titres import CONTENT_TYPES, write_journal
from invoicing.follow_up_forms import AnswerForm, JournalForm, TitreForm
from invoicing.forms import PaymentForm
from invoicing.models import (
    DepositedPiece,
    MandatRequest,
    Payment,
    Titre,
    TitreDocument,
    TitreEvent,
    TitreLine,
)
from invoicing.payments import PaymentRefused, in_words, record_payment, standing
from invoicing.prescription import limits_told
from invoicing.statuses import history_of, shown, steps_of, with_status
from members.access import ScopedAdmin, visible
from members.models import Issuer

TWO_LINES = '<div>{}</div><div class="text-xs whitespace-nowrap">{}</div>'
LONGEST_NUMBER = 6  # digits, as in a reference
FOLLOW_UP = {"title": "Suivre", "icon": "timeline", "items": ["add_payment", "answer", "number_it"]}


# Tables of the page of a titre, and the column of its row that tells whether they have any.
COUNTED_WITH = {
    TitreDocument: "is_drawn", MandatRequest: "has_mandats", DepositedPiece: "is_deposited",
}  # fmt: skip


class TitreLineInline(ReadOnlyInline):
    model = TitreLine
    fields = ["charge_label", "uai", "school", "commune", "explanation", "amount_euros"]
    readonly_fields = ["amount_euros"]

    @display(description="montant")
    def amount_euros(self, line):
        return euros(line.amount)


class TitreDocumentInline(ReadOnlyInline):
    model = TitreDocument
    per_page = None  # a few rows: no need to count them first
    fields = ["kept_as", "size", "fingerprint"]
    readonly_fields = fields

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("document")

    @display(description="nature")
    def kept_as(self, kept):
        """Lead to the document; that at the accountant's number has its own action."""
        label = kept.get_role_display()
        if kept.role not in PAGE_OF_ROLE:
            return label
        url = reverse(f"admin:invoicing_titre_{PAGE_OF_ROLE[kept.role]}", args=[kept.titre_id])
        return format_html(LINK, url, label)

    @display(description="taille")
    def size(self, kept):
        return filesizeformat(kept.document.size)

    @display(description="empreinte SHA-256")
    def fingerprint(self, kept):
        return kept.document.sha256


class TitreEventInline(ReadOnlyInline):
    model = TitreEvent
    per_page = None  # a few rows: no need to count them first
    fields = ["kind", "on", "comment", "recorded_by"]


class PaymentInline(ReadOnlyInline):
    model = Payment
    per_page = None  # a few rows: no need to count them first
    fields = ["kind", "received_on", "amount_euros", "reference", "recorded_by"]
    readonly_fields = ["amount_euros"]
    linked = "reference"

    @display(description="montant")
    def amount_euros(self, payment):
        return euros(payment.amount)


@admin.register(Titre)
class TitreAdmin(ChosenTitres, CorrectionActions, TitreFacturx, ConfirmedAction, ScopedAdmin):
    form = TitreForm
    list_display = [
        "shown_reference", "shown_debtor", "total_euros", "due_left_euros", "status", "day",
        "bordereau_number", "accountant_number",
    ]  # fmt: skip
    list_filter = ["issuer", "exercice", StatusFilter, "kind", "campaign"]
    list_select_related = ["bordereau__issuer"]
    search_fields = ["reference", "external_reference", "debtor_name", "siret", "lines__uai"]
    inlines = [
        TitreLineInline, CorrectionInline, MandatInline, TitreDocumentInline, TitreEventInline,
        PaymentInline,
    ]  # fmt: skip
    actions = ["take_in_charge", "reject", "annul_chosen"]
    actions_list = ["export_journal"]
    actions_detail = ["download_pdf", "facturx", FOLLOW_UP, CorrectionActions.MENU]
    change_form_before_template = "admin/invoicing/titre_rejected.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        corrections = Titre.objects.defer("payload").order_by("pk")
        titres = with_status(super().get_queryset(request).defer("payload")).annotate(
            **{
                name: Exists(model.objects.filter(titre=OuterRef("pk")))
                for model, name in COUNTED_WITH.items()
            }
        )
        related = titres.select_related("issuer", "debtor", "campaign__schedule", "bordereau__issuer")
        return related.prefetch_related(
            "payments", "events", "bordereau__events", Prefetch("corrections", corrections)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Take a few digits for a number, ours or the accountant's: every reference has some."""
        digits = search_term.strip()
        if not digits.isdecimal() or len(digits) > LONGEST_NUMBER:
            return super().get_search_results(request, queryset, search_term)
        ours = Q(number=int(digits))
        return queryset.filter(ours | Q(external_reference__icontains=digits)), False

    def get_fieldsets(self, request, obj=None):
        """Group what the page shows, without the rows that would be empty."""
        if obj is None:
            return []
        is_titre = obj.kind == Titre.Kind.TITRE
        piece = [("reference", "kind"), ("issued_on", "exercice"), ("bordereau", "campaign"), "subject"]
        debtor = [("debtor", "siret")]
        if obj.debtor_name != obj.debtor.name:
            debtor.append("debtor_name")
        followed = [("total_euros", "payment_state")] if is_titre else ["total_euros", "error_committed"]
        followed += ["due_euros"] if is_titre and standing(obj).due != obj.total else []
        followed += ["linked"] if self.is_linked(obj) else []
        followed += ["due_day"] if is_titre else []
        followed += ["steps", *(["prescription"] if is_titre else [])]
        followed += ["on_chorus"] if obj.is_deposited else []
        followed += ["external_reference"]
        named = (("Pièce", piece), ("Débiteur", debtor), ("Montant et suivi", followed))
        return [(name, {"fields": fields}) for name, fields in named]

    def get_readonly_fields(self, request, obj=None):
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        return [name for name in shown if name != "external_reference"]

    def get_inlines(self, request, obj):
        """Leave out the tables that have no row yet."""
        if obj is None:
            return []
        return [inline for inline in self.inlines if _has_rows(inline, obj)]

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        event = rejection_of(obj)
        stands = obj.kind == Titre.Kind.TITRE and due(obj)
        context |= {
            "rejection": rejected(event) if event else "",
            "issue_again": bool(event and stands) and self.has_correct_permission(request),
        }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    @display(description="référence", ordering="reference")
    def shown_reference(self, titre):
        reference = format_html('<span class="whitespace-nowrap">{}</span>', titre.reference)
        if titre.kind == Titre.Kind.TITRE:
            return reference
        return format_html(TWO_LINES, reference, lower_first(titre.get_kind_display()))

    @display(description="débiteur", ordering="debtor_name")
    def shown_debtor(self, titre):
        return format_html(TWO_LINES, titre.debtor_name, titre.siret)

    @display(description="émis le", ordering="issued_on")
    def day(self, titre):
        return short_date(titre.issued_on)

    @display(description="bordereau", ordering="bordereau__number")
    def bordereau_number(self, titre):
        number = f"n° {titre.bordereau.number}"
        return number if titre.kind == Titre.Kind.TITRE else f"{number} (corrections)"

    @display(description="n° du comptable", ordering="external_reference")
    def accountant_number(self, titre):
        return titre.external_reference

    @display(description="total", ordering="total")
    def total_euros(self, titre):
        return euros(titre.total if titre.kind == Titre.Kind.TITRE else -titre.total)

    @display(description="dû après corrections")
    def due_euros(self, titre):
        return euros(standing(titre).due)

    @display(description="reste dû", ordering="due_left")
    def due_left_euros(self, titre):
        return "–" if titre.due_left is None else euros(titre.due_left)

    @display(description="état", ordering="status_rank")
    def status(self, titre):
        return shown(titre.status_rank)

    @display(description="payé")
    def payment_state(self, titre):
        if titre.kind != Titre.Kind.TITRE:
            return "Une correction ne se paie pas."
        return in_words(standing(titre))

    @display(description="suivi")
    def steps(self, titre):
        rows = ((short_date(step.on), step.status.label) for step in steps_of(history_of(titre)))
        return format_html_join("", "<div>{} – {}</div>", rows)

    @display(description="échéance")
    @shown_once
    def due_day(self, titre):
        rows = Titre.objects.filter(pk=titre.pk).order_by().annotate(posted=posted_on())
        words, posted = rows.values_list("payload__document__due_text", "posted").get()
        found = deadline(titre.issued_on, words, posted)
        if not (found.from_posting and found.day):
            return found.short or "–"
        return f"{found.short} : {found.words}, faite le {short_date(posted)}"

    @display(description="Chorus Pro")
    @shown_once
    def on_chorus(self, titre):
        pieces = titre.deposits.select_related("sending", "titre").defer("titre__payload")
        rows = (
            (format_html(LINK, _page_of(piece), piece.sending), posting_of(piece))
            for piece in pieces.order_by("-pk")
        )
        return format_html_join("", "<div>{} – {}</div>", rows)

    @display(description="prescription")
    def prescription(self, titre):
        # The page asks for each value several times.
        if "limits_told" not in vars(titre):
            titre.limits_told = limits_told(titre, timezone.localdate())
        return format_html_join("", "<div>{}</div>", ((line,) for line in titre.limits_told)) or "–"

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def has_record_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.record_payment")

    def has_answer_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.change_titre")

    def has_number_permission(self, request, object_id=None):
        if not request.user.has_perm("invoicing.change_titre"):
            return False
        return object_id is None or went_out_as_project(object_id)

    @action(description="Saisir un encaissement", permissions=["record"], icon="payments")
    def add_payment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        found = standing(titre)
        form = PaymentForm(request.POST or None, initial={"amount": found.remaining or None})
        if request.method == "POST" and form.is_valid():
            actor = request.user.get_username()
            try:
                payment = record_payment(titre=titre, actor=actor, **form.cleaned_data)
            except PaymentRefused as error:
                form.add_error(None, str(error))
            else:
                told = in_words(standing(self.visible_or_404(request, object_id)))
                messages.success(request, f"Encaissement de {euros(payment.amount)} saisi. {told}")
                return redirect("admin:invoicing_titre_change", object_id)
        facts = [f"{titre.reference}, {titre.debtor_name} : {euros(titre.total)}.", in_words(found)]
        return self.confirm(
            request, "Saisir un encaissement", titre, form=form, facts=facts, button="Saisir"
        )

    def save_model(self, request, obj, form, change):
        if not form.changed_data:
            return
        number, actor = form.cleaned_data["external_reference"], request.user.get_username()
        try:
            write_number(titre=obj, number=number, actor=actor)
        except NumberRefused as error:  # another post wrote it since the form was checked
            messages.error(request, str(error))

    @action(description="Réponse du comptable", permissions=["answer"], icon="fact_check")
    def answer(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        form = AnswerForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                event = record_event(titre=titre, actor=request.user.get_username(), **form.cleaned_data)
            except AnswerRefused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{titre.reference} : {lower_first(str(event))}.")
                return redirect("admin:invoicing_titre_change", object_id)
        facts = [f"{titre.reference}, {titre.debtor_name} : {euros(titre.total)}."]
        facts += [
            f"Déjà enregistré : {lower_first(str(event))}, saisi par {event.recorded_by}. N'enregistrez "
            "ici qu'une réponse qui vient après."
            for event in titre.events.order_by("-pk")[:1]
        ]
        return self.confirm(
            request, "Réponse du comptable", titre, form=form, facts=facts, button="Enregistrer"
        )

    @action(description="Produire au numéro du comptable", permissions=["number"], icon="pin")
    def number_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        titre = self.visible_or_404(request, object_id)
        wanted = to_draw(Titre.objects.filter(pk=titre.pk))
        back = redirect("admin:invoicing_titre_change", object_id)
        if not wanted.exists():
            link = titre.documents.filter(role=NUMBERED).first()
            if link is not None:
                return self._attached(request, link, f"{titre.reference}-numerote.pdf")
            messages.info(
                request,
                "Saisissez d'abord le numéro que le comptable a donné à cette pièce.",
            )
            return back
        if request.method != "POST":
            return self.confirm(
                request,
                "Produire au numéro du comptable",
                titre,
                facts=[f"{titre.reference} sera produit au n° {titre.external_reference}."],
                warnings=["Ce document est définitif : vérifiez ce numéro d'abord."],
                button="Produire",
            )
        for _ in draw_numbered(wanted):
            messages.success(request, f"Titre n° {titre.external_reference} produit.")
        return back

    @action(description="PDF", icon="picture_as_pdf")
    def download_pdf(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        titre = self.visible_or_404(request, object_id)
        link = titre.documents.filter(role=TitreDocument.Role.PDF).first()
        if link is None:
            messages.error(request, "Ce titre n'a pas encore son PDF : produisez-le au bordereau.")
            return redirect("admin:invoicing_titre_change", object_id)
        return self._attached(request, link, f"{titre.reference}.pdf")

    def _attached(self, request: HttpRequest, link: TitreDocument, name: str) -> HttpResponse:
        try:
            return attachment(request, link.document, name)
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_titre_change", link.titre_id)

    @action(description="Journal des titres", icon="download", permissions=["view"])
    def export_journal(self, request: HttpRequest) -> HttpResponse:
        issuers = visible(Issuer.objects.order_by("code"), request.user)
        form = JournalForm(request.POST or None, issuers=issuers)
        if request.method == "POST" and form.is_valid():
            issuer, exercice, kind = (form.cleaned_data[n] for n in ("issuer", "exercice", "kind"))
            actor = request.user.get_username()
            if long_work.is_long_to_list(issuer, exercice):
                asked = {"issuer": issuer, "exercice": exercice, "kind": kind}
                return redirect("work", long_work.list_later(**asked, actor=actor).pk)
            name = long_work.name_of_journal(issuer, exercice, kind)
            record(
                actor=actor,
                action="export",
                target=issuer,
                summary=f"Journal des titres de {issuer.code}, exercice {exercice} : {name}",
            )
            content = write_journal(issuer=issuer, exercice=exercice, kind=kind)
            return as_attachment(content, name, CONTENT_TYPES[kind])
        context = {
            **self.admin_site.each_context(request),
            "title": "Journal des titres",
            "opts": self.model._meta,
            "back": reverse("admin:invoicing_titre_changelist"),
            "form": form,
            "facts": [
                "Tous les titres et corrections de l'exercice, dans l'ordre de leurs numéros, avec "
                "leur bordereau, leur état, ce qui est payé et ce qui reste dû."
            ],
            "warnings": [],
            "button": "Télécharger",
        }
        return TemplateResponse(request, "admin/entsvc/confirm.html", context)


def _page_of(piece: DepositedPiece) -> str:
    return reverse("admin:invoicing_sending_change", args=[piece.sending_id])


def _has_rows(inline: type[ReadOnlyInline], titre: Titre) -> bool:
    """Tell whether a table has rows, from what is already loaded; a titre always has lines."""
    if inline.model is TitreLine:
        return True
    if inline.model in COUNTED_WITH:
        return getattr(titre, COUNTED_WITH[inline.model])
    accessor = inline.model._meta.get_field(inline.fk_name or "titre").remote_field.get_accessor_name()
    rows = getattr(titre, accessor)
    loaded = accessor in getattr(titre, "_prefetched_objects_cache", ())
    return bool(rows.all()) if loaded else rows.exists()

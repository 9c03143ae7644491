"""Staff pages of bordereaux: shown as issued, then signed and sent."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from unfold.decorators import action, display

from entsvc import documents
from entsvc.downloads import attachment
from entsvc.french import euros, lower_first, plural, short_date
from entsvc.once import shown_once
from entsvc.staff import LINK, ConfirmedAction, ReadOnlyInline
from invoicing import drawing, drawing_pages, long_sending, long_work, waiting
from invoicing.accountant_numbers import draw_numbered, to_draw
from invoicing.admin.chorus import BordereauChorus
from invoicing.admin.facturx import BordereauFacturx
from invoicing.admin.sendings import SendingInline
from invoicing.admin.titre_lists import named
from invoicing.bordereau_pdf import document_of
from invoicing.bordereaux import State, StepRefused, send, sign, signature_warnings, state_of
from invoicing.facturx.production import wanted
from invoicing.follow_up_forms import SendForm, SignForm
from invoicing.models import Bordereau, BordereauEvent, Titre
from invoicing.pes import pages as pes_pages
from invoicing.pes.sending import SendingRefused, channel_of, prepare, produce
from invoicing.rendering import without_document
from invoicing.statuses import ORDER, Status, with_status
from members.access import ScopedReadOnlyAdmin


class StateFilter(admin.SimpleListFilter):
    """Where a bordereau stands."""

    title = "état"
    parameter_name = "etat"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        signed, sent = (
            Exists(BordereauEvent.objects.filter(bordereau=OuterRef("pk"), kind=kind))
            for kind in (BordereauEvent.Kind.SIGNED, BordereauEvent.Kind.SENT)
        )
        found = {State.PREPARED: [~signed], State.SIGNED: [signed, ~sent], State.SENT: [sent]}
        return queryset.filter(*found.get(self.value(), []))


class WaitingFilter(admin.SimpleListFilter):
    """What a bordereau still owes to its channel."""

    title = "canal"
    parameter_name = "canal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("pes", "Fichier PES à produire"), ("depot", "À déposer sur Chorus Pro")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        found = {"pes": waiting.to_write, "depot": waiting.to_deposit}.get(self.value())
        return found(queryset) if found else queryset


class BordereauTitreInline(ReadOnlyInline):
    model = Titre
    fields = ["reference", "external_reference", "debtor_name", "siret", "total_euros", "due_left_euros"]
    readonly_fields = fields
    linked = "reference"

    def get_queryset(self, request):
        return with_status(super().get_queryset(request)).defer("payload").order_by("number")

    @display(description="total")
    def total_euros(self, titre):
        return euros(titre.total)

    @display(description="reste dû")
    def due_left_euros(self, titre):
        return "–" if titre.due_left is None else euros(titre.due_left)


class BordereauEventInline(ReadOnlyInline):
    model = BordereauEvent
    fields = ["kind", "on", "signatory", "delegation", "comment", "recorded_by"]


@admin.register(Bordereau)
class BordereauAdmin(BordereauFacturx, BordereauChorus, ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = [
        "__str__", "issued_on", "count", "total_euros", "state", "signatory", "issued_by",
    ]  # fmt: skip
    list_filter = ["issuer", "exercice", "kind", StateFilter, WaitingFilter]
    list_select_related = ["issuer"]
    search_fields = ["number__exact", "signatory"]
    fields = [
        ("issuer", "exercice"), ("kind", "number"), ("issued_on", "issued_by"), "signatory",
        ("count", "total_euros"), ("state", "drawn"),
    ]  # fmt: skip
    readonly_fields = flatten(fields)
    inlines = [BordereauEventInline, SendingInline, BordereauTitreInline]
    actions_detail = [
        "download_pdf", "record_signature", "record_sending",
        {
            "title": "Fichiers",
            "icon": "folder_open",
            "items": ["draw_missing", "facturx", "produce_pes"],
        },
        BordereauChorus.MENU,
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).prefetch_related("events")

    @display(description="total", ordering="total")
    def total_euros(self, bordereau):
        return euros(bordereau.total)

    @display(description="état")
    def state(self, bordereau):
        return state_of(bordereau).label

    @display(description="PDF produits")
    @shown_once
    def drawn(self, bordereau):
        left = without_document(bordereau.titres.all()).count()
        told = f"{bordereau.count - left} sur {bordereau.count}"
        return format_html(LINK, drawing_pages.address_of(bordereau), told)

    def has_issue_permission(self, request, object_id=None):
        return request.user.has_perm("invoicing.issue_titre")

    @action(description="PDF", icon="picture_as_pdf")
    def download_pdf(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        bordereau = self.visible_or_404(request, object_id)
        name = f"bordereau-{bordereau.issuer.code}-{bordereau.exercice}-{bordereau.number}.pdf"
        if bordereau.kind == Bordereau.Kind.CORRECTIONS:
            name = name.replace("bordereau-", "bordereau-corrections-")
        try:
            return attachment(request, document_of(bordereau), name)
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_bordereau_change", object_id)

    @action(description="Signer", permissions=["issue"], icon="ink_pen")
    def record_signature(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bordereau = self.visible_or_404(request, object_id)
        done = _done(bordereau, BordereauEvent.Kind.SIGNED)
        if done:
            return self._nothing_to_do(request, bordereau, done)
        form = SignForm(request.POST or None, bordereau=bordereau)
        if request.method == "POST" and form.is_valid():
            signatory, actor = form.cleaned_data["signatory"], request.user.get_username()
            warnings = signature_warnings(bordereau, signatory)
            try:
                sign(bordereau=bordereau, actor=actor, **form.cleaned_data)
            except StepRefused as error:
                form.add_error(None, str(error))
            else:
                for warning in warnings:
                    messages.warning(request, warning)
                messages.success(request, f"{bordereau} : signature enregistrée.")
                return redirect("admin:invoicing_bordereau_change", object_id)
        facts = [
            self._facts(bordereau),
            f"Ses pièces nomment {bordereau.signatory} : c'est cette personne qui le signe.",
        ]
        return self.confirm(
            request,
            "Signer le bordereau",
            bordereau,
            form=form,
            facts=facts,
            warnings=[
                *_annulled_since(bordereau),
                "La signature est enregistrée une fois pour toutes.",
            ],
            button="Enregistrer la signature",
        )

    @action(description="Envoyer", permissions=["issue"], icon="send")
    def record_sending(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bordereau = self.visible_or_404(request, object_id)
        done = _done(bordereau, BordereauEvent.Kind.SENT)
        if done or state_of(bordereau) == State.PREPARED:
            first = f"{bordereau} n'est pas signé : enregistrez d'abord sa signature."
            return self._nothing_to_do(request, bordereau, done or first)
        form = SendForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                send(bordereau=bordereau, actor=request.user.get_username(), **form.cleaned_data)
            except StepRefused as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{bordereau} : envoi enregistré.")
                return redirect("admin:invoicing_bordereau_change", object_id)
        facts = [self._facts(bordereau), "L'envoi lui-même se fait par votre chaîne comptable."]
        return self.confirm(
            request,
            "Envoyer le bordereau au comptable",
            bordereau,
            form=form,
            facts=facts,
            warnings=_annulled_since(bordereau),
            button="Enregistrer l'envoi",
        )

    def _nothing_to_do(self, request, bordereau, message):
        messages.warning(request, message)
        return redirect("admin:invoicing_bordereau_change", bordereau.pk)

    def _facts(self, bordereau):
        pieces = plural(bordereau.count, "pièce")
        day = short_date(bordereau.issued_on)
        return f"{bordereau} du {day} : {pieces}, {euros(bordereau.total)}."

    @action(description="PDF manquants", permissions=["issue"], icon="print")
    def draw_missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bordereau = self.visible_or_404(request, object_id)
        titres = bordereau.titres.all()
        if request.method != "POST":
            left, numbered = without_document(titres).count(), to_draw(titres).count()
            invoices = wanted(titres).count()
            if not left and not numbered and not invoices:
                every = f"{bordereau} : tous ses PDF sont déjà produits."
                return self._nothing_to_do(request, bordereau, every)
            facts = [f"{plural(left, 'PDF manquant', 'PDF manquants')} sur {bordereau.count}."]
            if invoices:
                lacking = plural(
                    invoices, "facture électronique manquante", "factures électroniques manquantes"
                )
                facts.append(f"{lacking} à des pièces qui ont leur PDF.")
            if numbered:
                facts.append(
                    f"{plural(numbered, 'titre')} à produire au numéro du comptable : ce document est "
                    "définitif, vérifiez les numéros d'abord."
                )
            return self.confirm(
                request, "Produire les PDF manquants", bordereau, facts=facts, button="Produire"
            )
        drawing.put_back(bordereau=bordereau)
        if long_work.is_long_to_number(bordereau):
            drawing.nudge(bordereau)
            work = long_work.number_later(bordereau=bordereau, actor=request.user.get_username())
            return redirect("work", work.pk)
        numbered = sum(1 for _ in draw_numbered(titres))
        if numbered:
            produced = plural(numbered, "titre produit", "titres produits")
            messages.success(request, f"{produced} au numéro du comptable.")
        return drawing_pages.follow(request, bordereau)

    @action(description="Produire le PES", permissions=["pes"], icon="upload_file")
    def produce_pes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bordereau = self.visible_or_404(request, object_id)
        actor = request.user.get_username()
        try:
            channel_of(bordereau)
            made = pes_pages.already_made(bordereau, request.POST or None)
            if made:
                messages.info(request, f"{made.file_name} vient d'être produit : le voici.")
                return redirect("admin:invoicing_sending_change", made.pk)
            if request.method == "POST" and long_sending.is_long_to_send(bordereau):
                return redirect("work", long_sending.send_later(bordereau=bordereau, actor=actor).pk)
            if request.method == "POST":
                sending = produce(bordereau=bordereau, actor=actor)
                messages.success(request, pes_pages.made(sending))
                return redirect("admin:invoicing_sending_change", sending.pk)
            if long_sending.is_long_to_check(bordereau):
                return self.confirm(
                    request, "Produire le fichier PES", bordereau, **pes_pages.unchecked(bordereau)
                )
            prepared = prepare(bordereau)
        except SendingRefused as error:
            return self._nothing_to_do(request, bordereau, str(error))
        return self.confirm(
            request, "Produire le fichier PES", bordereau, **pes_pages.told(bordereau, prepared)
        )


def _annulled_since(bordereau: Bordereau) -> list[str]:
    """Name the titres of which nothing is due any more: the bordereau still lists and sums them."""
    titres = with_status(bordereau.titres.filter(kind=Titre.Kind.TITRE))
    gone = titres.filter(status_rank=ORDER.index(Status.CANCELLED)).order_by("number")
    references = list(gone.values_list("reference", flat=True))
    if not references:
        return []
    count = plural(
        len(references),
        "titre de ce bordereau est annulé depuis son émission",
        "titres de ce bordereau sont annulés depuis son émission",
    )
    return [
        f"{count} : {named(references)}. Leurs annulations vont au comptable sur leur propre bordereau."
    ]


def _done(bordereau: Bordereau, kind: BordereauEvent.Kind) -> str:
    """Tell when a step was done and by whom; nothing when it is still to do."""
    event = next((event for event in bordereau.events.all() if event.kind == kind), None)
    if event is None:
        return ""
    by = f" par {event.signatory}" if event.signatory else ""
    return (
        f"{bordereau} : déjà {lower_first(event.get_kind_display())}{by} le {short_date(event.on)}, "
        f"saisi par {event.recorded_by}."
    )

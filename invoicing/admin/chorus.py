"""Chorus Pro on the staff pages: what is deposited of a bordereau, and where each piece stands."""

from datetime import datetime

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display

from entsvc.french import short_date
from entsvc.once import asked_once
from entsvc.staff import LINK, ReadOnlyInline
from invoicing.chorus import pages
from invoicing.chorus.access import ChorusOff
from invoicing.chorus.depositing import (
    DepositRefused,
    deposits_of,
    give_up,
    goes_by_chorus,
    prepare,
)
from invoicing.chorus.statuses import label_of_invoice
from invoicing.chorus.works import deposit_later, follow_later
from invoicing.models import Bordereau, Deposit, DepositedPiece, Sending
from members.access import ScopedReadOnlyAdmin

GIVE_UP = (
    "Ce fichier n'est pas parti. L'abandonner laisse ses pièces entrer dans un autre ; il reste dans le "
    "journal des envois."
)


def shown_moment(moment: datetime | None) -> str:
    """Return a day and its hour, as this place tells them."""
    return date_format(timezone.localtime(moment), "d/m/Y H:i") if moment else "–"


class BordereauChorus:
    """What the page of a bordereau offers to who may issue, when its issuer deposits there."""

    MENU = {"title": "Chorus Pro", "icon": "cloud_upload", "items": ["deposit", "follow_deposits"]}

    def has_deposit_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return (
            self.has_issue_permission(request) and self._goes_by_chorus(request, object_id) is not False
        )

    def has_pes_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_issue_permission(request) and not self._goes_by_chorus(request, object_id)

    def _goes_by_chorus(self, request: HttpRequest, object_id: str | None) -> bool | None:
        """Tell whether the issuer of a bordereau deposits there, None when there is no bordereau."""
        bordereau = self.get_object(request, object_id) if object_id else None
        if bordereau is None:
            return None
        issuer = bordereau.issuer_id
        return asked_once(request, ("chorus", issuer), lambda: goes_by_chorus(issuer))

    @action(description="Déposer sur Chorus Pro", permissions=["deposit"], icon="cloud_upload")
    def deposit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bordereau = self.visible_or_404(request, object_id)
        try:
            prepared = prepare(bordereau)
        except (DepositRefused, ChorusOff) as error:
            return self._nothing_to_do(request, bordereau, str(error))
        told = pages.told(bordereau, prepared)
        if request.method == "POST" and told["button"]:
            work = deposit_later(bordereau=bordereau, actor=request.user.get_username())
            return redirect("work", work.pk)
        return self.confirm(request, "Déposer sur Chorus Pro", bordereau, **told)

    @action(description="Suivre les dépôts", permissions=["deposit"], icon="sync")
    def follow_deposits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bordereau: Bordereau = self.visible_or_404(request, object_id)
        pieces = DepositedPiece.objects.filter(sending__bordereau=bordereau)
        pieces = pieces.select_related("titre").defer("titre__payload").order_by("titre__number", "pk")
        told = pages.followed(bordereau, list(deposits_of(bordereau)), list(pieces))
        if request.method == "POST" and told["button"]:
            work = follow_later(bordereau=bordereau, actor=request.user.get_username())
            return redirect("work", work.pk)
        return self.confirm(request, "Suivre les dépôts sur Chorus Pro", bordereau, **told)


class SendingChorus:
    """What the page of a sending to Chorus Pro tells and offers."""

    facts = ("asked_at", "asked_by", "flow", "read_at", "told", "report")

    def get_inlines(self, request: HttpRequest, obj: Sending | None) -> list[type[ReadOnlyInline]]:
        return [DepositedPieceInline] if obj and hasattr(obj, "deposit") else []

    @display(description="demandé le")
    def asked_at(self, sending):
        return shown_moment(sending.deposit.asked_at)

    @display(description="demandé par")
    def asked_by(self, sending):
        return sending.deposit.asked_by or "–"

    @display(description="numéro de flux")
    def flow(self, sending):
        return sending.deposit.flow or "–"

    @display(description="lu le")
    def read_at(self, sending):
        return shown_moment(sending.deposit.read_at)

    @display(description="réponse au dépôt")
    def told(self, sending):
        return sending.deposit.told or "–"

    @display(description="compte rendu")
    def report(self, sending):
        lines = sending.deposit.report.split("\n")
        return format_html_join("", "<div>{}</div>", ((line,) for line in lines))

    def has_give_up_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not request.user.has_perm("invoicing.issue_titre"):
            return False
        if object_id is None:
            return True
        waits = Deposit.objects.filter(sending=object_id, state=Deposit.State.WAITING)
        return asked_once(request, ("waits", object_id), waits.exists)

    @action(description="Abandonner ce dépôt", permissions=["give_up"], icon="block")
    def give_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sending = self.visible_or_404(request, object_id)
        if request.method == "POST":
            try:
                give_up(deposit=sending.deposit, actor=request.user.get_username())
                messages.success(request, f"{sending} : dépôt abandonné.")
            except DepositRefused as error:
                messages.error(request, str(error))
            return redirect("admin:invoicing_sending_change", object_id)
        return self.confirm(
            request, "Abandonner ce dépôt", sending, facts=[GIVE_UP], button="Abandonner"
        )


class PieceColumns:
    """How a deposited piece is shown, in its list as on the page of its sending."""

    @display(description="pièce", ordering="titre__reference")
    def reference(self, piece):
        return format_html('<span class="whitespace-nowrap">{}</span>', piece.titre.reference)

    @display(description="débiteur", ordering="titre__debtor_name")
    def debtor(self, piece):
        return piece.titre.debtor_name

    @display(description="statut", ordering="status")
    def told(self, piece):
        return piece.told_status

    @display(description="depuis le", ordering="status_at")
    def since(self, piece):
        return shown_moment(piece.status_at)

    @display(description="mise à disposition", ordering="made_available_on")
    def available(self, piece):
        return short_date(piece.made_available_on) if piece.made_available_on else "–"


class DepositedPieceInline(PieceColumns, ReadOnlyInline):
    model = DepositedPiece
    per_page = 50
    fields = ["piece", "debtor", "told", "since", "available", "reason", "identifier"]
    readonly_fields = fields

    @display(description="pièce")
    def piece(self, piece):
        url = reverse("admin:invoicing_titre_change", args=[piece.titre_id])
        return format_html(LINK, url, piece.titre.reference)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        return rows.select_related("titre").defer("titre__payload").order_by("titre__number")


class PieceStatusFilter(admin.SimpleListFilter):
    """The statuses that pieces have, no other."""

    title = "statut"
    parameter_name = "statut"

    def lookups(self, request, model_admin):
        codes = model_admin.get_queryset(request).order_by("status").values_list("status", flat=True)
        return [(code, label_of_invoice(code)) for code in codes.distinct() if code]

    def queryset(self, request, queryset):
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(DepositedPiece)
class DepositedPieceAdmin(PieceColumns, ScopedReadOnlyAdmin):
    list_display = ["reference", "debtor", "told", "available", "reason", "sending"]
    list_filter = ["sending__bordereau__issuer", PieceStatusFilter, "closed"]
    list_select_related = ["sending", "titre"]
    search_fields = ["titre__reference", "titre__debtor_name", "identifier"]
    fields = [
        "titre", "sending", ("told", "since"), "available", "reason", ("identifier", "closed"),
        "read_at",
    ]  # fmt: skip
    readonly_fields = ["told", "since", "available"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request).select_related("titre", "sending")
        return rows.defer("titre__payload")

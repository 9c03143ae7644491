"""Chorus Pro on the staff pages: what is deposited of a bordereau, and where each piece stands."""

from datetime import datetime
from functools import reduce
from operator import or_

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display

from entsvc.french import plural, short_date
from entsvc.once import asked_once
from entsvc.staff import LINK, ReadOnlyInline
from invoicing import waiting
from invoicing.chorus import pages
from invoicing.chorus.access import ChorusOff
from invoicing.chorus.depositing import (
    DepositRefused,
    deposits_of,
    give_up,
    prepare,
    settle,
    unsettled,
)
from invoicing.chorus.forms import SettleForm
from invoicing.chorus.statuses import label_of_invoice
from invoicing.chorus.works import deposit_later, follow_later
from invoicing.models import Bordereau, Channel, Deposit, DepositedPiece, Sending
from members.access import ScopedReadOnlyAdmin, visible
from members.models import Issuer

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
        kind = self._kind_of(request, object_id)
        return self.has_issue_permission(request) and kind in (Channel.Kind.CHORUS_PRO, None)

    def has_follow_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """What was deposited is followed, whatever the channel became."""
        if self.has_deposit_permission(request, object_id):
            return True
        bordereau = self._bordereau(request, object_id)
        if bordereau is None or not self.has_issue_permission(request):
            return False
        return asked_once(request, ("deposits", bordereau.pk), deposits_of(bordereau).exists)

    def has_pes_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Without a channel too: its page says to choose one."""
        kind = self._kind_of(request, object_id)
        return self.has_issue_permission(request) and kind in (Channel.Kind.HELIOS, "", None)

    def _kind_of(self, request: HttpRequest, object_id: str | None) -> str | None:
        """Return the channel of a bordereau's issuer, « » when it has none, None without a bordereau."""
        bordereau = self._bordereau(request, object_id)
        if bordereau is None:
            return None
        issuer = bordereau.issuer_id
        kinds = Channel.objects.filter(issuer=issuer).values_list("kind", flat=True)
        return asked_once(request, ("channel", issuer), kinds.first) or ""

    def _bordereau(self, request: HttpRequest, object_id: str | None) -> Bordereau | None:
        if object_id is None:
            return None
        return asked_once(request, ("bordereau", object_id), lambda: self.get_object(request, object_id))

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

    @action(description="Suivre les dépôts", permissions=["follow"], icon="sync")
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
        deposit = self._deposit(request, object_id)
        return deposit is not None and deposit.state == Deposit.State.WAITING

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

    def has_settle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not request.user.has_perm("invoicing.issue_titre"):
            return False
        if object_id is None:
            return True
        deposit = self._deposit(request, object_id)
        return deposit is not None and not unsettled(deposit)

    def _deposit(self, request: HttpRequest, object_id: str) -> Deposit | None:
        if self.channel_of(request, object_id) != Channel.Kind.CHORUS_PRO:
            return None
        found = Deposit.objects.filter(sending=object_id).select_related("sending")
        return asked_once(request, ("deposit", object_id), found.first)

    @action(description="Clore ce dépôt", permissions=["settle"], icon="task_alt")
    def settle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        sending = self.visible_or_404(request, object_id)
        form = SettleForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            actor, reason = request.user.get_username(), form.cleaned_data["reason"]
            try:
                released = settle(deposit=sending.deposit, reason=reason, actor=actor)
            except DepositRefused as error:
                messages.error(request, str(error))
            else:
                count = plural(released, "pièce peut", "pièces peuvent")
                messages.success(request, f"{sending} : clos. {count} entrer dans un autre dépôt.")
            return redirect("admin:invoicing_sending_change", object_id)
        told = pages.to_settle(sending.deposit)
        return self.confirm(request, "Clore ce dépôt", sending, form=form, **told)


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


class NextFilter(admin.SimpleListFilter):
    """What someone has to do of a piece."""

    title = "suite à donner"
    parameter_name = "suite"

    def lookups(self, request, model_admin):
        return [("portail", "À traiter sur le portail"), ("reprendre", "À déposer de nouveau")]

    def queryset(self, request, queryset):
        found = {"portail": waiting.to_handle, "reprendre": waiting.to_mend}.get(self.value())
        return found(queryset) if found else queryset


class OfIssuer(admin.SimpleListFilter):
    """The issuer of a row, by any of the `paths` that lead to it."""

    title = "émetteur"
    parameter_name = "emetteur"
    paths: tuple[str, ...] = ("titre__issuer",)

    def lookups(self, request, model_admin):
        issuers = visible(Issuer.objects.order_by("name"), request.user)
        return [(str(issuer.pk), issuer.name) for issuer in issuers]

    def queryset(self, request, queryset):
        asked = self.value()
        if not asked:
            return queryset
        if asked not in dict(self.lookup_choices):
            return queryset.none()
        return queryset.filter(reduce(or_, (Q(**{path: int(asked)}) for path in self.paths)))


@admin.register(DepositedPiece)
class DepositedPieceAdmin(PieceColumns, ScopedReadOnlyAdmin):
    list_display = ["reference", "debtor", "told", "available", "reason", "sending"]
    list_filter = [OfIssuer, NextFilter, PieceStatusFilter, "closed"]
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

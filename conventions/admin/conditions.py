"""Staff pages of the conditions that members accept: who accepted which, who is told, who remains."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminFileFieldWidget

from conventions import conditions as rules
from conventions.models import Conditions, Convention
from entsvc import documents, downloads, scans
from entsvc.admin.documents import WithDocument
from entsvc.french import plural
from entsvc.staff import ConfirmedAction
from members.access import ScopedAdmin, visible

SHOWN = 20


class ConditionsForm(forms.ModelForm):
    """A version and its document, given once."""

    file = scans.PdfField(
        label="Document",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="Le texte adopté, en PDF ; il n'est pas obligatoire.",
        error_messages={"empty": "Ce fichier est vide."},
    )

    class Meta:
        model = Conditions
        fields = ["issuer", "label", "act"]

    def clean(self):
        cleaned = super().clean()
        issuer, act = cleaned.get("issuer"), cleaned.get("act")
        if issuer and act and act.issuer_id != issuer.pk:
            self.add_error("act", "Cet acte n'est pas de cet émetteur.")
        return cleaned


class NotifyForm(forms.Form):
    """Which day the members are told."""

    on = forms.DateField(
        label="Notifiées le",
        widget=UnfoldAdminDateWidget,
        help_text="Le jour de l'envoi : celui de la lettre, si elle est partie avant le courriel.",
    )


@admin.register(Conditions)
class ConditionsAdmin(WithDocument, ConfirmedAction, ScopedAdmin):
    form = ConditionsForm
    list_display = ["label", "issuer", "act", "pdf"]
    list_filter = ["issuer"]
    list_select_related = ["issuer", "act__issuer", "act__member", "document"]
    search_fields = ["label"]
    autocomplete_fields = ["act"]
    actions_detail = ["notify_members"]
    change_form_outer_after_template = "admin/conventions/conditions_members.html"

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("issuer", "act", "document")

    def get_fields(self, request, obj=None):
        has_document = obj is not None and obj.document_id is not None
        given = ["issuer", "label", "act", *(["pdf"] if has_document else [])]
        return given if has_document and self.is_kept(obj) else [*given, "file"]

    def get_readonly_fields(self, request, obj=None):
        kept = ["issuer", "label", "act"] if self.is_kept(obj) else []
        return [*kept, "pdf"]

    def is_kept(self, obj):
        """Tell whether members rest on it: it no longer changes, but to receive its missing document."""
        if obj is None:
            return False
        if not hasattr(obj, "kept"):  # asked many times by one page
            obj.kept = rules.is_bound(obj)
        return obj.kept

    def has_change_permission(self, request, obj=None):
        whole = obj is not None and obj.document_id is not None and self.is_kept(obj)
        return super().has_change_permission(request, obj) and not whole

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not self.is_kept(obj)

    def save_model(self, request, obj, form, change):
        self.keep_document(obj, form)
        super().save_model(request, obj, form, change)

    @display(description="document")
    def pdf(self, conditions):
        if not conditions.document_id:
            return "–"
        url = reverse("admin:conventions_conditions_document", args=[conditions.pk])
        return format_html('<a class="underline" href="{}">Télécharger le PDF</a>', url)

    def get_urls(self):
        own = [
            path(
                "<int:pk>/document/",
                self.admin_site.admin_view(self.document_view),
                name="conventions_conditions_document",
            ),
            path(
                "<int:pk>/acceptation/<int:convention>/",
                self.admin_site.admin_view(self.accept_view),
                name="conventions_conditions_accept",
            ),
        ]
        return [*own, *super().get_urls()]

    def document_view(self, request, pk):
        if not self.has_view_permission(request):
            raise PermissionDenied
        conditions = self.visible_or_404(request, pk)
        if not conditions.document:
            raise Http404("Ces conditions n'ont pas de document.")
        try:
            return downloads.attachment(request, conditions.document, f"conditions-{conditions.pk}.pdf")
        except documents.CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:conventions_conditions_change", pk)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["standings"] = rules.standings(obj) if obj else []
        context["may_accept"] = request.user.has_perm("conventions.change_convention")
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def has_notify_members_permission(self, request, object_id=None):
        return request.user.has_perm("conventions.add_conditionsnotice")

    @action(description="Notifier", permissions=["notify_members"], icon="mail")
    def notify_members(self, request, object_id):
        conditions = self.visible_or_404(request, object_id)
        back = redirect("admin:conventions_conditions_change", object_id)
        remaining = rules.to_notify(conditions)
        if not remaining:
            messages.info(request, "Tous les membres concernés les ont acceptées ou en sont notifiés.")
            return back
        form = NotifyForm(request.POST or None, initial={"on": timezone.localdate()})
        if form.is_valid():
            try:
                done = rules.notify(
                    conditions=conditions,
                    conventions=remaining,
                    on=form.cleaned_data["on"],
                    actor=request.user.get_username(),
                )
            except rules.ConditionsRefused as error:
                form.add_error("on", str(error))
            else:
                self.tell(request, done)
                return back
        return self.confirm(
            request,
            f"Notifier « {conditions} »",
            conditions,
            form=form,
            facts=_named(remaining),
            warnings=["Chaque membre reçoit un courriel ; la notification ne se reprend pas."],
            button=f"Notifier {plural(len(remaining), 'membre')}",
        )

    def tell(self, request, done):
        if done.told:
            told = plural(len(done.told), "membre notifié", "membres notifiés")
            messages.success(request, f"{told}.")
        if done.without_address:
            names = ", ".join(str(convention.party) for convention in done.without_address[:SHOWN])
            messages.warning(request, f"Sans courriel connu, à notifier par lettre : {names}.")

    def accept_view(self, request, pk, convention):
        if not request.user.has_perm("conventions.change_convention"):
            raise PermissionDenied
        conditions = self.visible_or_404(request, pk)
        agreements = visible(Convention.objects.select_related("party", "act"), request.user)
        agreement = get_object_or_404(agreements, pk=convention)
        back = redirect("admin:conventions_conditions_change", pk)
        if request.method == "POST":
            try:
                rules.accept(
                    convention=agreement, conditions=conditions, actor=request.user.get_username()
                )
            except rules.ConditionsRefused as error:
                messages.error(request, str(error))
            else:
                messages.success(request, f"{agreement} : version acceptée.")
            return back
        vote = agreement.act or "aucune délibération saisie"
        return self.confirm(
            request,
            "Le membre accepte cette version",
            conditions,
            facts=[f"Convention {agreement}", f"Version « {conditions} »", f"Délibération : {vote}"],
            button="Enregistrer l'acceptation",
        )


def _named(conventions):
    names = [f"{convention.party} (convention {convention.reference})" for convention in conventions]
    more = len(names) - SHOWN
    return [*names[:SHOWN], f"et {plural(more, 'autre')}"] if more > 0 else names

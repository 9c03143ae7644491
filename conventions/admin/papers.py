"""Staff pages of the texts of papers, and of the papers kept."""

import difflib

from django.contrib import messages
from django.contrib.admin import SimpleListFilter, register
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import slugify
from unfold.decorators import action, display

from conventions.models import Amendment, Convention, Paper, PaperKind, PaperText
from conventions.papers import drawing, texts
from conventions.papers.forms import TextForm, initial_of, scope_of
from conventions.papers.placeholders import FAMILIES
from conventions.papers.sources import PaperRefused, Source, of_agreement, of_blank
from conventions.policies import POLICIES
from entsvc.downloads import as_attachment
from entsvc.french import plural
from entsvc.staff import ConfirmedAction
from members.access import ScopedReadOnlyAdmin, visible
from members.models import Issuer

MARKS = {"+ ": "added", "- ": "removed", "  ": ""}


class InUseFilter(SimpleListFilter):
    """The versions in use, unless all of them are asked for."""

    title = "version"
    parameter_name = "versions"

    def lookups(self, request, model_admin):
        return [("toutes", "Toutes les versions")]

    def choices(self, changelist):
        for value, label in ((None, "En usage"), *self.lookup_choices):
            query = changelist.get_query_string({self.parameter_name: value}, [] if value else
                                                [self.parameter_name])  # fmt: skip
            yield {"selected": self.value() == value, "query_string": query, "display": label}

    def queryset(self, request, queryset):
        return queryset if self.value() == "toutes" else queryset.filter(pk__in=texts.in_use())


@register(PaperText)
class PaperTextAdmin(ConfirmedAction, ScopedReadOnlyAdmin):
    list_display = ["title", "kind", "policy_name", "issuer_name", "version", "created_by", "created_at"]
    list_filter = [InUseFilter, "kind", "policy", "issuer"]
    list_filter_submit = False
    list_select_related = ["issuer"]
    search_fields = ["title", "body"]
    fields = [
        "kind", "policy_name", "issuer_name", "version", "state", "title", "text", "note", "created_by",
        "created_at",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["new_version", "preview", "differences"]

    def has_add_permission(self, request):
        return request.user.has_perm("conventions.add_papertext")

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("issuer")

    @display(description="texte de convention", ordering="policy")
    def policy_name(self, text):
        return text.get_policy_display() if text.policy else "toutes"

    @display(description="émetteur", ordering="issuer")
    def issuer_name(self, text):
        return text.issuer or "tous"

    @display(description="état")
    def state(self, text):
        latest = texts.latest_of(text.kind, text.policy, text.issuer)
        if latest == text:
            return "En usage"
        return f"Remplacée par la version {latest.version}, du {latest.created_at:%d/%m/%Y}"

    @display(description="texte")
    def text(self, text):
        return format_html('<div style="white-space: pre-wrap">{}</div>', text.body)

    def add_view(self, request, form_url="", extra_context=None):
        """Write the next version of a text, or the first one of a new text."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        issuers = visible(Issuer.objects.order_by("code"), request.user)
        scope = {"issuers": issuers, "shared": request.user.is_superuser}
        if request.method != "POST":
            return self._form_page(request, TextForm(initial=self._start(request, issuers), **scope))
        form = TextForm(request.POST, **scope)
        if not form.is_valid():
            return self._form_page(request, form)
        if "apercu" in request.POST:
            return self._preview(request, _unsaved(form)) or self._form_page(request, form)
        try:
            text = _save(form, request.user)
        except texts.LossesToAccept as error:
            form.ask_about(error)
            return self._form_page(request, form)
        except texts.TextRefused as error:
            form.add_error(None, str(error))
            return self._form_page(request, form)
        messages.success(
            request, f"« {text} » est enregistré : les prochains documents en viennent, et eux seuls."
        )
        return redirect("admin:conventions_papertext_change", text.pk)

    @action(description="Nouvelle version", icon="edit")
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        text = self.visible_or_404(request, object_id)
        return redirect(f"{reverse('admin:conventions_papertext_add')}?depuis={text.pk}")

    @action(description="Aperçu (PDF)", icon="picture_as_pdf")
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        text = self.visible_or_404(request, object_id)
        page = redirect("admin:conventions_papertext_change", text.pk)
        return self._preview(request, text) or page

    @action(description="Différences avec la version précédente", icon="difference")
    def differences(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        text = self.visible_or_404(request, object_id)
        earlier = texts.previous(text)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Ce que change « {text} »",
            "opts": self.model._meta,
            "text": text,
            "earlier": earlier,
            "lines": _differences(earlier, text) if earlier else [],
            "back": reverse("admin:conventions_papertext_change", args=[text.pk]),
        }
        return TemplateResponse(request, "admin/conventions/text_differences.html", context)

    def _start(self, request, issuers):
        """Return what the form holds at first: the text asked for, for an issuer of the account."""
        key = request.GET.get("depuis", "")
        text = self.get_queryset(request).filter(pk=key).first() if key.isdecimal() else None
        mine = list(issuers[:2])
        only = mine[0] if len(mine) == 1 and not request.user.is_superuser else None
        if text is None:
            return {"issuer": only, "seen": f"{scope_of('', '', None)}/0"}
        return initial_of(text, text.issuer or only)

    def _form_page(self, request, form):
        context = {
            **self.admin_site.each_context(request),
            "title": "Nouvelle version d'un texte",
            "opts": self.model._meta,
            "form": form,
            "families": FAMILIES,
            "back": reverse("admin:conventions_papertext_changelist"),
        }
        return TemplateResponse(request, "admin/conventions/text_form.html", context)

    def _preview(self, request, text):
        """Return the draft of a text with an agreement it suits, None and a message when it fails."""
        try:
            drawn = drawing.draw_text(text, _sample(text, request.user), draft=True)
        except PaperRefused as error:
            messages.error(request, str(error))
            return None
        return as_attachment(drawn.content, f"apercu-{slugify(text.title)}.pdf")


@register(Paper)
class PaperAdmin(ScopedReadOnlyAdmin):
    list_display = ["name", "kind", "role_in_words", "convention", "at", "actor"]
    list_filter = ["kind", "role", "convention__schedule"]
    list_select_related = ["convention__party"]
    search_fields = ["name", "convention__search", "convention__party__search"]
    fields = [
        "name",
        "kind",
        "role_in_words",
        "convention",
        "amendment",
        "text",
        "fingerprint",
        "size",
        "actor",
        "at",
    ]
    readonly_fields = fields
    actions_detail = ["download"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related(
            "convention__party", "amendment__convention", "text", "document"
        )  # fmt: skip

    @display(description="rôle", ordering="role")
    def role_in_words(self, paper):
        return paper.role_in_words

    @display(description="empreinte SHA-256")
    def fingerprint(self, paper):
        return paper.document.sha256

    @display(description="taille")
    def size(self, paper):
        return plural(paper.document.size, "octet")

    @action(description="Télécharger", icon="download")
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("conventions:paper", object_id)


def _save(form, user) -> PaperText:
    found = form.cleaned_data
    return texts.save_version(
        kind=found["kind"],
        policy=found["policy"],
        issuer=found["issuer"],
        title=found["title"],
        body=found["body"],
        note=found["note"],
        actor=user.get_username(),
        after=form.after(),
        accepted=found["accepted"],
    )


def _unsaved(form) -> PaperText:
    found = form.cleaned_data
    names = ("kind", "policy", "issuer", "title", "body")
    return PaperText(version=0, **{name: found[name] for name in names})


def _sample(text: PaperText, user) -> Source:
    """Return an agreement that the text suits, the last one entered; a blank form without any."""
    rows = visible(Convention.objects.order_by("-pk"), user)
    rows = rows.filter(policy=text.policy) if text.policy else rows.exclude(policy="")
    if text.issuer:
        rows = rows.filter(schedule__issuer=text.issuer)
    amendment = None
    if text.kind == PaperKind.AMENDMENT:
        found = Amendment.objects.filter(convention__in=rows.order_by().values("pk"))
        amendment = found.select_related("convention").order_by("-pk").first()
        convention = amendment.convention if amendment else None
    else:
        convention = rows.first()
    if convention is not None:
        return of_agreement(text.kind, convention, amendment)
    issuer = text.issuer or visible(Issuer.objects.order_by("code"), user).first()
    if issuer is None:
        raise PaperRefused("Votre compte n'a pas d'émetteur : il n'y a rien à montrer.")
    return of_blank(text.kind, POLICIES.get(text.policy), issuer)


def _differences(earlier: PaperText, text: PaperText) -> list[tuple[str, str]]:
    """Return the lines of both versions, each with its mark: added, removed or the same."""
    before, after = ([f"# {row.title}", *row.body.splitlines()] for row in (earlier, text))
    lines = difflib.ndiff(before, after)
    return [(MARKS[line[:2]], line[2:]) for line in lines if line[:2] in MARKS]

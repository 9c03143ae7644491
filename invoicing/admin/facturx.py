"""The electronic invoice of a titre, or of all those of a bordereau: produced, checked, given."""

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from entsvc.documents import CorruptDocument
from entsvc.downloads import attachment
from entsvc.french import plural
from invoicing.admin.titre_lists import named
from invoicing.facturx.archive import name_of
from invoicing.facturx.production import Produced, kept_of, lacking, produce, verdict_of, why_not
from invoicing.facturx.profiles import Profile, wants_facturx
from invoicing.facturx.validation import is_installed
from invoicing.models import Bordereau, Titre, TitreDocument

TITLE = "Facture électronique"
PRODUCES = "invoicing.issue_titre"
SECONDS = 15  # of a request spent producing: what is left is for the next one
PAGE_OF_ROLE = {TitreDocument.Role.PDF: "download_pdf", TitreDocument.Role.FACTURX: "facturx"}
WHAT = (
    "Une facture électronique est le PDF conservé de sa pièce, avec ses montants écrits aussi pour les "
    "logiciels (Factur-X, norme EN\u00a016931). Elle n'est produite qu'une fois."
)
UNCHECKED = (
    "Le moteur de règles n'est pas installé : seul le schéma XSD sera contrôlé, la facture restera "
    "« non vérifiée »."
)


class ProfileForm(forms.Form):
    """The frame in which the invoices are written: not asked where their bordereau says it."""

    profile = forms.ChoiceField(
        label="Cadre de facturation", choices=Profile.choices, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, bordereau: Bordereau, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = bordereau.invoice_frame
        if self.asked:
            del self.fields["profile"]
        else:
            self.fields["profile"].initial = wants_facturx(bordereau.issuer) or Profile.REFORM

    @property
    def frame(self) -> Profile:
        """Return the frame asked for, or chosen."""
        return Profile(self.asked or self.cleaned_data["profile"])


class TitreFacturx:
    """What the page of a titre or of a correction offers."""

    @action(description="Factur-X", icon="receipt_long")
    def facturx(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        titre = self.visible_or_404(request, object_id)
        kept = kept_of(titre)
        if kept is not None:
            return self._show(request, titre, kept)
        form = ProfileForm(_posted(request), bordereau=titre.bordereau)
        refused = why_not(titre)
        may = request.user.has_perm(PRODUCES)
        if request.method == "POST" and not may:
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            _produced(request, Titre.objects.filter(pk=titre.pk), form)
            return redirect(request.path)
        ready = may and not refused
        return self.confirm(
            request,
            TITLE,
            titre,
            form=form if ready else None,
            facts=[
                f"{titre.reference} n'a pas de facture électronique.",
                WHAT,
                *_by_itself(titre.bordereau),
            ],
            warnings=[*refused, *_unchecked()],
            button="Produire" if ready else "",
        )

    def _show(self, request: HttpRequest, titre: Titre, kept: TitreDocument) -> HttpResponse:
        """Say what the rules say of the stored invoice, and give it on POST."""
        try:
            if request.method == "POST":
                return attachment(request, kept.document, name_of(titre.reference))
            profile, verdict = verdict_of(kept)
        except CorruptDocument as error:
            messages.error(request, str(error))
            return redirect("admin:invoicing_titre_change", titre.pk)
        remarks = [remark for ruling in verdict.rulings for remark in ruling.warnings]
        return self.confirm(
            request,
            TITLE,
            titre,
            facts=[
                f"{titre.reference} a sa facture électronique.",
                f"Cadre {profile.label}.",
                *verdict.words,
            ],
            warnings=[*verdict.refused, *remarks],
            button="Télécharger",
        )


class BordereauFacturx:
    """What the page of a bordereau offers, for all its pieces."""

    @action(description="Factur-X", icon="receipt_long")
    def facturx(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        bordereau = self.visible_or_404(request, object_id)
        may = request.user.has_perm(PRODUCES)
        form = ProfileForm(_posted(request), bordereau=bordereau)
        if request.method == "POST" and not may:
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            _produced(request, bordereau.titres.all(), form)
            return redirect(request.path)
        missing = lacking(bordereau.titres.select_related("campaign"))
        stopped = _stopped(missing.prefetch_related("lines", "documents"))
        left = missing.count()
        ready = may and left > sum(len(references) for references in stopped.values())
        return self.confirm(
            request,
            "Factures électroniques",
            bordereau,
            form=form if ready else None,
            facts=[WHAT, *_by_itself(bordereau), *_counted(bordereau, left)],
            warnings=[
                *(f"{why} Concerne {named(refs)}." for why, refs in stopped.items()),
                *(_unchecked() if ready else []),
            ],
            button="Produire celles qui manquent" if ready else "",
        )


def _stopped(titres: QuerySet[Titre]) -> dict[str, list[str]]:
    """Return {what is lacking: references of the titres that lack it}."""
    found: dict[str, list[str]] = defaultdict(list)
    for titre in titres.iterator(chunk_size=200):
        for message in why_not(titre)[:1]:
            found[message].append(titre.reference)
    return dict(found)


def _counted(bordereau: Bordereau, left: int) -> list[Any]:
    done = bordereau.count - left
    told = plural(done, "facture électronique produite", "factures électroniques produites")
    counted = f"{told} sur {plural(bordereau.count, 'pièce')}."
    if not done:
        return [counted]
    url = reverse("collection:facturx-zip", args=[bordereau.pk])
    return [counted, format_html('<a class="underline" href="{}">Les télécharger (ZIP)</a>', url)]


def _by_itself(bordereau: Bordereau) -> list[str]:
    """Say that the channel asked for the invoices of a bordereau, which are then made after its PDFs."""
    if not bordereau.invoice_frame:
        return []
    frame = Profile(bordereau.invoice_frame).label
    return [f"Demandée par le canal d'envoi, d'office après le PDF. Cadre {frame}."]


def _posted(request: HttpRequest) -> QueryDict | None:
    """Return what was posted, be it nothing: the form may have no field."""
    return request.POST if request.method == "POST" else None


def _unchecked() -> list[str]:
    return [] if is_installed() else [UNCHECKED]


def _produced(request: HttpRequest, titres: QuerySet[Titre], form: ProfileForm) -> None:
    actor = request.user.get_username()
    _tell(request, produce(titres=titres, profile=form.frame, actor=actor, seconds=SECONDS))


def _tell(request: HttpRequest, made: Produced) -> None:
    if made.done:
        count = plural(
            len(made.done), "facture électronique produite", "factures électroniques produites"
        )
        how = "schéma XSD valide, règles non vérifiées" if made.unchecked else "schéma et règles passés"
        messages.success(request, f"{count} : {how}.")
    for refused in made.refused[:5]:
        messages.error(request, f"{refused.reference} : {' '.join(refused.messages[:3])}")
    if made.left:
        left = plural(made.left, "facture reste", "factures restent")
        messages.warning(request, f"{left} à produire : recommencez.")

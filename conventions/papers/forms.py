"""The forms of the staff pages of papers."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from conventions.models import Amendment, Convention, Paper, PaperKind, PaperText
from conventions.papers import losses, placeholders, texts
from conventions.policies import POLICIES, years_beyond
from entsvc.fields import SchoolYearFormField
from entsvc.scans import PdfField
from members.models import Issuer
from tariffs.models import Schedule

# The agreement and its amendments are produced by the steps that send them.
PRODUCED = (
    PaperKind.CERTIFICATE,
    PaperKind.NOTIFICATION,
    PaperKind.DELIBERATION,
    PaperKind.ANNEX,
)
DEPOSITED = (
    (Paper.Role.SIGNED, "Document signé"),
    (Paper.Role.SUPPORTING, "Pièce jointe"),
)


def _labels(kinds: tuple[PaperKind, ...]) -> list[tuple[str, str]]:
    return [(kind.value, kind.label) for kind in kinds]


class ProduceForm(forms.Form):
    """Which paper to produce, for which year, about which amendment."""

    kind = forms.ChoiceField(label="Document", choices=_labels(PRODUCED), widget=UnfoldAdminSelectWidget)
    school_year = SchoolYearFormField(
        label="Année scolaire",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Comme 2024-2025 ; vide : celle de l'avenant, sinon la première couverte, ou l'année "
        "en cours pour une attestation.",
    )
    amendment = forms.ModelChoiceField(
        label="Avenant",
        queryset=Amendment.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="Aucun",
    )

    def __init__(self, *args: Any, convention: Convention, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amendment"].queryset = _amendments(convention)


class DepositForm(forms.Form):
    """A file and what it is."""

    kind = forms.ChoiceField(label="Document", choices=PaperKind.choices, widget=UnfoldAdminSelectWidget)
    role = forms.ChoiceField(label="Rôle", choices=DEPOSITED, widget=UnfoldAdminSelectWidget)
    amendment = forms.ModelChoiceField(
        label="Avenant",
        queryset=Amendment.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="Aucun",
    )
    file = PdfField(
        label="Fichier PDF",
        allow_empty_file=True,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "application/pdf"}),
    )

    def __init__(self, *args: Any, convention: Convention, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amendment"].queryset = _amendments(convention)

    def clean(self) -> dict[str, Any]:
        """Send a signed amendment where it is filed, with its dates."""
        found = super().clean()
        if (found.get("kind"), found.get("role")) == (PaperKind.AMENDMENT, Paper.Role.SIGNED):
            raise forms.ValidationError(
                "Un avenant signé se dépose depuis sa demande, avec la date de sa réception."
            )
        return found


class BlankForm(forms.Form):
    """Which blank form, of which issuer, with the tariff of which year."""

    issuer = forms.ModelChoiceField(
        label="Émetteur", queryset=Issuer.objects.none(), widget=UnfoldAdminSelectWidget
    )
    policy = forms.ChoiceField(
        label="Texte de convention",
        choices=[(policy.code, policy.name) for policy in POLICIES.values()],
        widget=UnfoldAdminSelectWidget,
    )
    kind = forms.ChoiceField(label="Document", choices=PaperKind.choices, widget=UnfoldAdminSelectWidget)
    schedule = forms.ModelChoiceField(
        label="Barème",
        queryset=Schedule.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="Aucun",
    )
    school_year = SchoolYearFormField(
        label="Année scolaire", required=False, widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, issuers: QuerySet[Issuer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["issuer"].queryset = issuers
        self.fields["schedule"].queryset = Schedule.objects.filter(
            issuer__in=issuers.order_by().values("pk")
        ).order_by("code")

    def clean(self) -> dict[str, Any]:
        """Refuse the tariff of another issuer, and a year that the text does not cover."""
        found = super().clean()
        year, policy = found.get("school_year"), found.get("policy")
        if policy and year is not None and (beyond := years_beyond(policy, year, year)):
            self.add_error("school_year", beyond)
        schedule, issuer = found.get("schedule"), found.get("issuer")
        if schedule and issuer and schedule.issuer_id != issuer.pk:
            self.add_error("schedule", "Ce barème est celui d'un autre émetteur.")
        return found


class TextForm(forms.Form):
    """The next version of a text; `seen` is what its author started from.

    `lost` are the facts it would lose, to be accepted one by one; none until saving found some.
    """

    lost: Sequence[losses.Loss] = ()

    kind = forms.ChoiceField(label="Document", choices=PaperKind.choices, widget=UnfoldAdminSelectWidget)
    policy = forms.ChoiceField(
        label="Texte de convention",
        required=False,
        choices=[("", "Toutes les conventions")]
        + [(policy.code, policy.name) for policy in POLICIES.values()],
        widget=UnfoldAdminSelectWidget,
    )
    issuer = forms.ModelChoiceField(
        label="Émetteur",
        queryset=Issuer.objects.none(),
        required=False,
        empty_label="Tous les émetteurs",
        widget=UnfoldAdminSelectWidget,
    )
    title = forms.CharField(label="Titre", max_length=200, widget=UnfoldAdminTextInputWidget)
    body = forms.CharField(
        label="Texte",
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 36, "style": "font-family: monospace; max-width: none", "spellcheck": "true"}
        ),
        help_text="En Markdown : « ## » pour un article, « - » pour une liste, « **gras** », tableaux. "
        "Ni HTML, ni lien, ni image.",
    )
    note = forms.CharField(
        label="Ce qui change", max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )
    accepted = forms.MultipleChoiceField(
        required=False,
        choices=[(code, code) for code in losses.CODES],
        widget=forms.MultipleHiddenInput,
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, issuers: QuerySet[Issuer], shared: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["issuer"]
        field.queryset, field.required = issuers, not shared
        if not shared:
            field.empty_label = "Choisissez un émetteur"
            field.help_text = "Les textes communs à tous les émetteurs sont tenus par l'administration."

    def clean_title(self) -> str:
        """Refuse what a title can't hold."""
        placeholders.check_title(self.cleaned_data["title"].strip())
        return self.cleaned_data["title"]

    def clean_body(self) -> str:
        """Refuse an unknown placeholder."""
        placeholders.check(self.cleaned_data["body"])
        return self.cleaned_data["body"]

    def ask_about(self, refused: texts.LossesToAccept) -> None:
        """Show a box to tick for each fact that the text would lose."""
        self.lost = refused.losses
        self.add_error(None, str(refused))

    def after(self) -> int:
        """Return the version its author had in front of him, 0 when it is that of something else."""
        found = self.cleaned_data
        scope, _, version = found["seen"].rpartition("/")
        mine = scope_of(found["kind"], found["policy"], found["issuer"])
        return int(version) if scope == mine and version.isdecimal() else 0


def scope_of(kind: str, policy: str, issuer: Issuer | None) -> str:
    """Return what tells a text from the others, whatever its version."""
    return f"{kind}/{policy}/{issuer.pk if issuer else ''}"


def initial_of(text: PaperText, issuer: Issuer | None) -> dict[str, Any]:
    """Return what a form starts from to write the next version of a text, for an issuer."""
    latest = texts.latest_of(text.kind, text.policy, issuer)
    version = latest.version if latest else 0
    return {
        "kind": text.kind,
        "policy": text.policy,
        "issuer": issuer,
        "title": text.title,
        "body": text.body,
        "seen": f"{scope_of(text.kind, text.policy, issuer)}/{version}",
    }


def _amendments(convention: Convention) -> QuerySet[Amendment]:
    return convention.amendments.select_related("convention").order_by("number")

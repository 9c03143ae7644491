"""What staff give to take a step in the life of an agreement."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from conventions import endings, life
from conventions.models import Convention, Termination
from conventions.policies import POLICIES, Ending
from entsvc.french import long_date, plural
from entsvc.scans import CheckedPdf, PdfField
from members import identifiers
from members.models import Act, School

ON, SCAN, COMMENT = "on", "scan", "comment"
SHOWN = 10  # unknown schools named in a message
# What the page of each step asks, besides what the step itself checks.
FIELDS: dict[str, tuple[str, ...]] = {
    "envoyer": (COMMENT,),
    "reprendre": (COMMENT,),
    "signer": (ON, SCAN, COMMENT),
    "mettre_en_vigueur": (ON, COMMENT),
    "echoir": (COMMENT,),
    "abandonner": (COMMENT,),
}


class Scanned(forms.Form):
    """A signed paper that may come with the step."""

    scan = PdfField(
        label="Document signé (PDF)",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="Sans lui, dites en commentaire où le papier est conservé.",
        error_messages={"empty": "Ce fichier est vide."},
    )

    def scanned(self) -> CheckedPdf | None:
        """Return what was sent, if anything."""
        return self.cleaned_data.get(SCAN)


class StepForm(Scanned):
    """The day, the paper and the comment of a step; `seen` is the state in which the page was shown."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    on = forms.DateField(label="Date", required=False, widget=UnfoldAdminDateWidget)
    comment = forms.CharField(label="Commentaire", required=False, widget=UnfoldAdminTextareaWidget)

    def __init__(self, *args: Any, convention: Convention, code: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = set(FIELDS[code])
        start = life.start_to_state(convention) if code == "mettre_en_vigueur" else None
        if code == "mettre_en_vigueur" and start is None:
            asked.discard(ON)
        for name in {ON, SCAN, COMMENT} - asked:
            del self.fields[name]
        self.fields["seen"].initial = convention.status
        if start:
            self.fields[ON].label = "Début d'effet, à confirmer"
            self.fields[
                ON
            ].help_text = (
                f"Ce jour est à venir : écrivez {start:%d/%m/%Y} pour mettre en vigueur dès aujourd'hui."
            )
        elif ON in self.fields:
            self.fields[ON].label = "Date de la dernière signature"
            self.fields[ON].initial = convention.signed_on
        if life.is_comment_required(code):
            self.fields[COMMENT].required = True
            self.fields[COMMENT].error_messages["required"] = "Dites pourquoi, en commentaire."

    def given(self) -> dict[str, Any]:
        """Return what `life.move` takes."""
        given = {name: self.cleaned_data[name] for name in (ON, COMMENT) if name in self.fields}
        return {**given, "scan": self.scanned(), "seen": self.cleaned_data["seen"]}


class TakeOverForm(Scanned, forms.ModelForm):
    """An agreement signed on paper: what it says, its schools, its scan and its history."""

    schools = forms.CharField(
        label="Écoles inscrites",
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="Leurs UAI, séparés par des espaces, des virgules ou des retours à la ligne.",
    )
    comment = forms.CharField(
        label="Son histoire",
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="D'où elle vient, ses avenants, où le papier est conservé.",
    )
    field_order = [
        "schedule", "policy", "reference", "party", "debtor", "first_year", "last_year", "signed_on",
        "act", "committee_act", "transmitted_on", "fixed_start", "conditions", "ends_on",
        "private_included", "schools", "amendments_before", "scan", "comment",
    ]  # fmt: skip

    class Meta:
        model = Convention
        fields = [
            "schedule", "policy", "reference", "party", "debtor", "first_year", "last_year",
            "signed_on", "act", "committee_act", "transmitted_on", "fixed_start", "conditions",
            "ends_on", "private_included", "amendments_before",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["policy"].required = True
        self.fields["policy"].help_text = ""
        self.fields["amendments_before"].required = False
        self.fields["debtor"].required = False
        self.fields["debtor"].help_text = "Vide : le signataire paie."
        if self.instance.pk:
            rows = self.instance.enrolments.order_by("school__uai")
            self.fields["schools"].initial = " ".join(rows.values_list("school__uai", flat=True))

    def clean_schools(self) -> list[School]:
        """Return the schools of the UAIs given, each known and named once."""
        codes = dict.fromkeys(self.cleaned_data["schools"].replace(",", " ").replace(";", " ").split())
        checked, wrong = [], []
        for code in codes:
            try:
                checked.append(identifiers.check_uai(code))
            except ValueError as error:
                wrong.append(f"{code} : {error}")
        if wrong:
            raise ValidationError(wrong[:SHOWN])
        found = {school.uai: school for school in School.objects.filter(uai__in=checked).order_by("uai")}
        unknown = [code for code in checked if code not in found]
        if unknown:
            count = plural(len(unknown), "UAI inconnu", "UAI inconnus")
            raise ValidationError(
                f"{count} : {', '.join(unknown[:SHOWN])}. Importez l'annuaire d'abord."
            )
        return list(found.values())

    def clean(self) -> dict[str, Any]:
        """Let the party pay when no one else does, and ask for the schools that its text names."""
        cleaned = super().clean()
        party = cleaned.get("party")
        if party and not cleaned.get("debtor") and "debtor" not in self.errors:
            if party.siret:
                cleaned["debtor"] = party
            else:
                self.add_error("debtor", "Le signataire n'a pas de SIRET : choisissez qui paie.")
        cleaned["amendments_before"] = cleaned.get("amendments_before") or 0
        policy = POLICIES.get(cleaned.get("policy", ""))
        if policy and policy.annex and cleaned.get("schools") == []:
            self.add_error("schools", "Ce texte nomme les écoles : donnez au moins un UAI.")
        return cleaned


class EndingForm(forms.Form):
    """Which way out, by whom and why."""

    ending = forms.ChoiceField(label="Voie", widget=UnfoldAdminSelectWidget)
    author = forms.ChoiceField(
        label="À l'initiative de", choices=Termination.Author.choices, widget=UnfoldAdminSelectWidget
    )
    grounds = forms.CharField(label="Motifs", required=False, widget=UnfoldAdminTextareaWidget)

    def __init__(self, *args: Any, ways: tuple[Ending, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ending"].choices = [(way.name, way.value) for way in ways]

    def given(self) -> dict[str, Any]:
        """Return what `open_termination` takes."""
        return {**self.cleaned_data, "ending": Ending[self.cleaned_data["ending"]]}


class RecordForm(forms.Form):
    """The date of a step of a way out, or the deliberation that decides it."""

    record = forms.ChoiceField(label="Étape", widget=UnfoldAdminSelectWidget)
    on = forms.DateField(label="Date", required=False, widget=UnfoldAdminDateWidget)
    act = forms.ModelChoiceField(
        Act.objects.none(), label="Délibération", required=False, widget=UnfoldAdminSelectWidget
    )

    def __init__(
        self,
        *args: Any,
        termination: Termination,
        records: tuple[str, ...],
        following: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # The next step first proposed; those already dated may be corrected.
        self.fields["record"].choices = [(name, endings.DATES[name]) for name in records]
        self.fields["record"].initial = following or records[-1]
        if endings.VOTED in records:
            del self.fields["on"]
            acts = Act.objects.filter(member=termination.convention.party, date__isnull=False)
            self.fields["act"].queryset = acts.select_related("member").order_by("-date", "pk")
            self.fields[
                "act"
            ].help_text = "Les actes du signataire ; saisissez d'abord celui qui manque dans « Actes »."
        else:
            del self.fields["act"]

    def given(self) -> dict[str, Any]:
        """Return what `record_step` takes."""
        return {"on": None, "act": None, **self.cleaned_data}


class PronounceForm(forms.Form):
    """The day of the end."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    on = forms.DateField(label="Fin de la convention le", widget=UnfoldAdminDateWidget)
    comment = forms.CharField(label="Commentaire", required=False, widget=UnfoldAdminTextareaWidget)

    def __init__(self, *args: Any, convention: Convention, earliest: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = convention.status
        self.fields["on"].initial = timezone.localdate()
        if earliest:
            self.fields["on"].help_text = f"Au plus tôt le {long_date(earliest)}, au plus tard ce jour."


class DropForm(forms.Form):
    """Why a way out is left without effect."""

    comment = forms.CharField(
        label="Commentaire",
        widget=UnfoldAdminTextareaWidget,
        error_messages={"required": "Dites pourquoi, en commentaire."},
    )

"""What staff give to take a step in the life of an agreement."""

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from conventions import endings, requirements
from conventions.models import Convention, Termination
from conventions.policies import POLICIES, Ending
from conventions.who_pays import PayerForm
from entsvc.french import long_date, plural
from entsvc.scans import CheckedPdf, PdfField
from members import identifiers
from members.models import Act, School

ON, SCAN, COMMENT = "on", "scan", "comment"
WRONG_DAY = {"invalid": "Écrivez la date comme 03/03/2025."}
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
    on = forms.DateField(
        label="Date", required=False, widget=UnfoldAdminDateWidget, error_messages=WRONG_DAY
    )
    comment = forms.CharField(label="Commentaire", required=False, widget=UnfoldAdminTextareaWidget)

    def __init__(self, *args: Any, convention: Convention, code: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = set(FIELDS[code])
        start = requirements.start_to_state(convention) if code == "mettre_en_vigueur" else None
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
        if requirements.is_comment_required(code):
            self.fields[COMMENT].required = True
            self.fields[COMMENT].error_messages["required"] = "Dites pourquoi, en commentaire."

    def given(self) -> dict[str, Any]:
        """Return what `life.move` takes."""
        given = {name: self.cleaned_data[name] for name in (ON, COMMENT) if name in self.fields}
        return {**given, "scan": self.scanned(), "seen": self.cleaned_data["seen"]}


class TakeOverForm(Scanned, PayerForm):
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
        """Ask for the schools that its text names."""
        cleaned = super().clean()
        cleaned["amendments_before"] = cleaned.get("amendments_before") or 0
        policy = POLICIES.get(cleaned.get("policy", ""))
        if policy and policy.annex and cleaned.get("schools") == []:
            self.add_error("schools", "Ce texte nomme les écoles : donnez au moins un UAI.")
        return cleaned


class EndingForm(forms.Form):
    """Which way out, by whom and why; the member is proposed only where nobody else may begin it."""

    ending = forms.ChoiceField(label="Voie", widget=UnfoldAdminSelectWidget)
    author = forms.ChoiceField(
        label="À l'initiative de",
        choices=[("", "Choisissez"), *Termination.Author.choices],
        widget=UnfoldAdminSelectWidget,
        error_messages={"required": "Dites qui engage la résiliation."},
    )
    grounds = forms.CharField(label="Motifs", required=False, widget=UnfoldAdminTextareaWidget)

    def __init__(self, *args: Any, ways: tuple[Ending, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ending"].choices = [(way.name, capfirst(way.value)) for way in ways]
        if all(endings.WAYS[way].member_only for way in ways):
            self.fields["author"].initial = Termination.Author.MEMBER
        if not any(endings.WAYS[way].grounds for way in ways):
            self.fields["grounds"].help_text = "Facultatifs : ce texte n'en demande pas."

    def clean(self) -> dict[str, Any]:
        """Ask for grounds where the way out rests on them."""
        cleaned = super().clean()
        ending = cleaned.get("ending")
        if ending and endings.WAYS[Ending[ending]].grounds and not cleaned.get("grounds", "").strip():
            self.add_error("grounds", endings.NO_GROUNDS)
        return cleaned

    def given(self) -> dict[str, Any]:
        """Return what `open_termination` takes."""
        return {**self.cleaned_data, "ending": Ending[self.cleaned_data["ending"]]}


class RecordForm(forms.Form):
    """The date of a step of a way out, or the deliberation that decides it."""

    record = forms.ChoiceField(label="Étape", widget=UnfoldAdminSelectWidget)
    on = forms.DateField(
        label="Date",
        required=False,
        widget=UnfoldAdminDateWidget,
        error_messages=WRONG_DAY,
        help_text="Une lettre est datée du jour de son envoi.",
    )
    act = forms.ModelChoiceField(
        Act.objects.none(),
        label="Délibération",
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="Choisissez",
    )

    def __init__(
        self,
        *args: Any,
        termination: Termination,
        recorded: dict[str, date],
        following: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        # The next step first proposed; those already dated may be corrected.
        ahead = [(following, endings.DATES[following])] if following else []
        known = [
            (name, f"{endings.DATES[name]} (corriger le {long_date(day)})")
            for name, day in recorded.items()
        ]
        self.fields["record"].choices = ahead + known
        self.fields["record"].initial = following or known[-1][0]
        if endings.VOTED in (following, *recorded):
            del self.fields["on"]
            self._offer_acts(termination.convention)
        else:
            del self.fields["act"]

    def _offer_acts(self, convention: Convention) -> None:
        acts = Act.objects.filter(member=convention.party, date__isnull=False)
        self.fields["act"].queryset = acts.select_related("member").order_by("-date", "pk")
        query = {
            "member": convention.party_id,
            "kind": Act.Kind.DELIBERATION,
            "approves": Act.Approval.ENDING,
        }
        self.fields["act"].help_text = format_html(
            'Les actes du signataire. Il manque ? <a class="underline" href="{}">Saisissez-le dans '
            "« Actes »</a>, puis revenez ici.",
            f"{reverse('admin:members_act_add')}?{urlencode(query)}",
        )

    def given(self) -> dict[str, Any]:
        """Return what `record_step` takes."""
        return {"on": None, "act": None, **self.cleaned_data}


class PronounceForm(forms.Form):
    """The day of the end; `due` is the last year due that the page showed, read again when it changes.

    `last_due` tells it for a day (see `terminations.last_due`).
    """

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    due = forms.CharField(widget=forms.HiddenInput, required=False)
    on = forms.DateField(
        label="Fin de la convention le",
        widget=UnfoldAdminDateWidget,
        error_messages={**WRONG_DAY, "required": "Donnez la date de la fin."},
    )
    comment = forms.CharField(label="Commentaire", required=False, widget=UnfoldAdminTextareaWidget)

    def __init__(
        self,
        *args: Any,
        convention: Convention,
        earliest: date | None,
        last_due: Callable[[date], str],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.last_due = last_due
        latest = min(timezone.localdate(), convention.last_day or date.max)
        self.fields["seen"].initial = convention.status
        self.fields["on"].initial = max(latest, earliest) if earliest else latest
        if earliest and earliest <= latest:
            self.fields["on"].help_text = f"Du {long_date(earliest)} au {long_date(latest)}."
        self.fields["due"].initial = last_due(self.fields["on"].initial)

    @property
    def day(self) -> date:
        """Return the day that the page is about: the one given, else the one proposed."""
        self.is_valid()  # what is given is read then
        return getattr(self, "cleaned_data", {}).get("on") or self.fields["on"].initial

    def clean(self) -> dict[str, Any]:
        """Refuse a day that leaves another year due than the page said, and say which one."""
        cleaned = super().clean()
        on, shown = cleaned.get("on"), cleaned.get("due")
        if on and shown and shown != self.last_due(on):
            self.data = self.data.copy()
            self.data[self.add_prefix("due")] = self.last_due(on)
            raise ValidationError(
                f"À cette date, la dernière année due est {self.last_due(on)}, et non {shown} : relisez "
                "ce qui est dit plus haut, puis confirmez."
            )
        return cleaned

    def given(self) -> dict[str, Any]:
        """Return what `pronounce` takes."""
        return {name: self.cleaned_data[name] for name in ("seen", "on", "comment")}


class DropForm(forms.Form):
    """Why a way out is left without effect."""

    comment = forms.CharField(
        label="Commentaire",
        widget=UnfoldAdminTextareaWidget,
        error_messages={"required": "Dites pourquoi, en commentaire."},
    )

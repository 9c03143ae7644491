"""What an officer gives to sign and send a bordereau, to record an answer, to ask for a journal."""

from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from invoicing.accountant_numbers import NumberRefused, check_number
from invoicing.forms import signatories_in_office
from invoicing.models import Bordereau, Titre, TitreEvent
from members.models import Issuer, Signatory


class SignForm(forms.Form):
    """Who signed a bordereau, and when."""

    signatory = forms.ModelChoiceField(
        Signatory.objects.none(), label="Signataire", widget=UnfoldAdminSelectWidget
    )
    on = forms.DateField(label="Signé le", widget=UnfoldAdminSingleDateWidget)

    def __init__(self, *args: Any, bordereau: Bordereau, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()
        field = self.fields["signatory"]
        field.queryset = signatories_in_office(bordereau.issuer_id, bordereau.issued_on)
        named = [row for row in field.queryset if str(row) == bordereau.signatory]
        field.initial = named[0] if named else None


class SendForm(forms.Form):
    """When a bordereau went to the accountant, and how."""

    on = forms.DateField(label="Envoyé le", widget=UnfoldAdminSingleDateWidget)
    comment = forms.CharField(
        label="Commentaire",
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="Nom du flux, moyen d'envoi…",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()


class AnswerForm(forms.Form):
    """What the accountant answered about one or several titres."""

    kind = forms.ChoiceField(
        label="Réponse du comptable", choices=TitreEvent.Kind, widget=UnfoldAdminSelectWidget
    )
    on = forms.DateField(label="Date de la réponse", widget=UnfoldAdminSingleDateWidget)
    comment = forms.CharField(
        label="Motif ou référence",
        required=False,
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="Obligatoire pour un rejet.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].initial = timezone.localdate()


class BulkAnswerForm(AnswerForm):
    """The answer to the titres chosen in a list, which the form keeps choosing."""

    def __init__(self, data: QueryDict, *, kind: TitreEvent.Kind) -> None:
        given = "on" in data
        super().__init__(data if given else None)
        del self.fields["kind"]
        if kind == TitreEvent.Kind.REJECTED:
            self.fields["comment"].required = True
        keep_choosing(self, data)


def keep_choosing(form: forms.Form, data: QueryDict) -> None:
    """Let a form send again what was chosen in the list that it comes from."""
    for name in ("action", "select_across"):
        value = data.get(name, "")
        form.fields[name] = forms.CharField(required=False, initial=value, widget=forms.HiddenInput)
    form.fields[ACTION_CHECKBOX_NAME] = forms.MultipleChoiceField(
        choices=[(key, key) for key in data.getlist(ACTION_CHECKBOX_NAME)],
        initial=data.getlist(ACTION_CHECKBOX_NAME),
        required=False,
        widget=forms.MultipleHiddenInput,
    )


class JournalForm(forms.Form):
    """Which journal of titres to write."""

    KINDS = (("xlsx", "Classeur (XLSX)"), ("csv", "Texte (CSV)"))

    issuer = forms.ModelChoiceField(
        Issuer.objects.none(), label="Émetteur", widget=UnfoldAdminSelectWidget
    )
    exercice = forms.IntegerField(
        label="Exercice", min_value=2000, max_value=2099, widget=UnfoldAdminIntegerFieldWidget
    )
    kind = forms.ChoiceField(label="Format", choices=KINDS, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, issuers: QuerySet[Issuer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["issuer"].queryset = issuers
        self.fields["exercice"].initial = timezone.localdate().year


class TitreForm(forms.ModelForm):
    """The only thing that a titre's page writes: the number that the accountant gave it."""

    class Meta:
        model = Titre
        fields = ["external_reference"]

    def clean_external_reference(self) -> str:
        """Refuse what `write_number` would."""
        number = " ".join(self.cleaned_data["external_reference"].split())
        if "external_reference" in self.changed_data:
            try:
                check_number(Titre.objects.get(pk=self.instance.pk), number)
            except NumberRefused as error:
                raise forms.ValidationError(str(error)) from error
        return number

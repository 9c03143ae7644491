"""What a reader of a review chooses: what to compare with, and which members to see."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from invoicing.review_errors import Group
from members.models import Member

CHANGED, BLOCKED, NEW, GONE = "changes", "bloques", "nouveaux", "partis"
STATES = {
    "": "Tous",
    CHANGED: "Changés seulement",
    BLOCKED: "Bloqués seulement",
    NEW: "Nouveaux",
    GONE: "Plus appelés",
}


class OtherForm(forms.Form):
    """What the run is compared with: what is by default, or another run of the same schedule."""

    avec = forms.ChoiceField(label="Comparer avec", required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, runs: list[tuple[int, str]], first: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["avec"].choices = [("", first), *((str(pk), words) for pk, words in runs)]


class MembersForm(forms.Form):
    """Which members the table shows."""

    etat = forms.ChoiceField(
        label="Membres", required=False, choices=STATES.items(), widget=UnfoldAdminSelectWidget
    )
    type = forms.ChoiceField(label="Type", required=False, widget=UnfoldAdminSelectWidget)
    probleme = forms.ChoiceField(label="Constat", required=False, widget=UnfoldAdminSelectWidget)
    q = forms.CharField(
        label="Nom ou SIRET", required=False, max_length=100, widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, kinds: set[str], groups: list[Group], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(code, label) for code, label in Member.Kind.choices if code in kinds]
        self.fields["type"].choices = [("", "Tous"), *named]
        found = [(group.mend.code, group.mend.title) for group in groups if group.calls]
        self.fields["probleme"].choices = [("", "Tous"), *found]

"""What an officer gives to close a deposit by hand."""

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class SettleForm(forms.Form):
    """Why a deposit is closed: kept in the journal, and on each piece that it lets go."""

    reason = forms.CharField(
        label="Motif",
        max_length=300,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Ce que vous avez vérifié sur le portail de Chorus Pro, et quand.",
    )

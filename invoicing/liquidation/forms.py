"""The form that makes an état liquidatif."""

from django import forms


class EtatForm(forms.Form):
    """Which état was read on the page: a second click asks for the same one."""

    rank = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

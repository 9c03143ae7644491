"""What staff give to try an import: a file, and the options of what they import."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from entsvc.importing import Importer, Option
from entsvc.tabular import MAX_BYTES


class UploadForm(forms.Form):
    """A file and the options of an importer; what is offered is that of these issuers, None for all."""

    file = forms.FileField(
        label="Fichier",
        widget=UnfoldAdminFileFieldWidget,
        help_text="CSV (séparateur ;), XLSX (première feuille) ou JSON.",
        error_messages={"empty": "Ce fichier est vide.", "required": "Choisissez un fichier."},
    )

    def __init__(
        self, *args: Any, importer: Importer, issuers: frozenset[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.options = {f"option_{option.name}": option for option in importer.options}
        for name, option in self.options.items():
            self.fields[name] = _field(option, issuers)

    def clean_file(self) -> UploadedFile:
        """Refuse a file too large to be kept."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(
                f"Ce fichier dépasse {MAX_BYTES // 1024**2} Mo : découpez-le en plusieurs fichiers."
            )
        return file

    def given(self) -> dict[str, Any]:
        """Return the options by name, as they were given."""
        return {option.name: self.cleaned_data[name] for name, option in self.options.items()}


def _field(option: Option, issuers: frozenset[int] | None) -> forms.Field:
    words = {"label": option.label, "help_text": option.help, "required": option.required}
    if option.is_switch:
        return forms.BooleanField(initial=option.default, widget=UnfoldBooleanWidget, **words)
    if option.choices:
        return forms.ChoiceField(
            choices=[("", "—"), *option.choices(issuers)], widget=UnfoldAdminSelectWidget, **words
        )
    return forms.CharField(
        max_length=500, widget=UnfoldAdminTextInputWidget, validators=[_readable(option)], **words
    )


def _readable(option: Option) -> Callable[[str], None]:
    """Return a validator that refuses what the option can't read, in its own words."""

    def validate(text: str) -> None:
        try:
            option.read(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    return validate

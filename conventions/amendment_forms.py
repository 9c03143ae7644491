"""What staff give about amendments: the list wanted, the signed paper and its dates, a word."""

import re
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from conventions.models import Amendment, Convention
from conventions.school_lists import candidates, communes_of
from conventions.wishes import Wish, wish, wish_of
from entsvc import scans
from members.models import Act, Member, School

CODE = re.compile(r"[\s,;]+")


class MembersField(forms.CharField):
    """Members named by SIRET, by INSEE code of a commune or by code of a RPI."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, *, most: int | None = None, **kwargs: Any) -> None:
        self.most = most
        super().__init__(required=False, **kwargs)

    def to_python(self, value: Any) -> list[Member]:
        """Return the members; refuse a code that names none, or several."""
        codes = [code for code in CODE.split(super().to_python(value) or "") if code]
        if self.most and len(codes) > self.most:
            raise forms.ValidationError("Donnez un seul code.")
        return [_member(code) for code in codes]


class SchoolsField(forms.CharField):
    """Schools named by their UAI."""

    widget = UnfoldAdminTextareaWidget

    def to_python(self, value: Any) -> list[School]:
        """Return the schools; refuse the codes that the annuaire does not name."""
        codes = [code.upper() for code in CODE.split(super().to_python(value) or "") if code]
        found = School.objects.in_bulk(codes, field_name="uai")
        unknown = [code for code in codes if code not in found]
        if unknown:
            raise forms.ValidationError(
                f"Ces codes ne sont pas connus : {', '.join(unknown)}. Vérifiez-les, ou importez "
                "l'annuaire."
            )
        return list(found.values())


class WishForm(forms.Form):
    """The list that an agreement is to name, its communes and bodies, and why."""

    schools = forms.ModelMultipleChoiceField(School.objects.none(), required=False, label="Écoles")
    more = SchoolsField(
        label="Autres écoles, par leur UAI",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Séparés par des espaces ou des retours à la ligne.",
    )
    reason = forms.CharField(
        label="Motif", required=False, max_length=300, widget=UnfoldAdminTextInputWidget
    )
    joining = MembersField(
        label="Communes qui rejoignent le RPI",
        help_text="Leur code INSEE ou leur SIRET, séparés par des espaces.",
    )
    leaving = forms.ModelMultipleChoiceField(
        Member.objects.none(),
        required=False,
        label="Communes qui quittent le RPI",
        widget=forms.CheckboxSelectMultiple,
    )
    new_party = MembersField(
        most=1,
        label="Nouveau signataire",
        help_text="Un nouvel organisme intercommunal : son SIRET, ou le code de son RPI.",
    )
    new_debtor = MembersField(
        most=1, label="Nouveau payeur", help_text="Son SIRET, ou le code INSEE de la commune."
    )

    def __init__(
        self, *args: Any, convention: Convention, year: int, amendment: Amendment | None, **kwargs: Any
    ) -> None:
        self.convention, self.year = convention, year
        asked = wish_of(amendment) if amendment else None
        self.candidates = candidates(convention, year, asked.joining if asked else ())
        initial = _initial(asked, amendment, self.candidates) if asked else {}
        super().__init__(*args, initial={**initial, **kwargs.pop("initial", {})}, **kwargs)
        if self.is_bound:
            self.candidates = candidates(convention, year, _joining(self.data.get("joining", "")))
        keys = [school.pk for school in self.candidates]
        self.fields["schools"].queryset = School.objects.filter(pk__in=keys).order_by("uai")
        if convention.party.kind == Member.Kind.RPI:
            inside = [commune.pk for commune in communes_of(convention.party, year)]
            rows = Member.objects.filter(pk__in=inside).order_by("name", "pk")
            self.fields["leaving"].queryset = rows
        else:
            del self.fields["joining"], self.fields["leaving"]

    def wish(self) -> Wish:
        """Return what is asked for."""
        given = self.cleaned_data
        return wish(
            self.convention,
            [*given["schools"], *given["more"]],
            given.get("joining", ()),
            given.get("leaving", ()),
            next(iter(given["new_party"]), None),
            next(iter(given["new_debtor"]), None),
        )

    @property
    def ticked(self) -> set[int]:
        """Return the keys of the schools that the page shows as ticked."""
        if self.is_bound:
            return {int(key) for key in self.data.getlist("schools") if key.isdigit()}
        return {school.pk for school in self.initial.get("schools", ())}


class FiledForm(forms.Form):
    """The signed amendment and the days that may count."""

    content = scans.PdfField(
        label="Avenant signé (PDF)",
        widget=UnfoldAdminFileFieldWidget,
        error_messages={"empty": "Ce fichier est vide.", "required": "Choisissez le PDF signé."},
    )
    received_on = forms.DateField(label="Reçu le", required=False, widget=UnfoldAdminDateWidget)
    signed_on = forms.DateField(label="Signé le", required=False, widget=UnfoldAdminDateWidget)
    transmitted_on = forms.DateField(
        label="Transmis le",
        required=False,
        widget=UnfoldAdminDateWidget,
        help_text="Cette date compte si elle est prouvée ; sinon c'est celle de la réception.",
    )
    proof = scans.PdfField(
        label="Preuve de la transmission (PDF)",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        error_messages={"empty": "Ce fichier est vide."},
    )
    act = forms.ModelChoiceField(
        Act.objects.none(),
        label="Délibération du membre",
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    comment = forms.CharField(
        label="Commentaire",
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="Obligatoire si la convention n'est plus en vigueur : dites pourquoi il est encore "
        "enregistré.",
    )

    def __init__(self, *args: Any, amendment: Amendment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        convention = amendment.convention
        self.fields["received_on"].initial = timezone.localdate()
        self.fields["act"].queryset = Act.objects.filter(
            member__in=[convention.party_id, convention.debtor_id]
        ).select_related("member")

    def given(self) -> dict[str, Any]:
        """Return what `filings.file` takes."""
        values = dict(self.cleaned_data)
        return {"pdf": values.pop("content"), **values}


class CommentForm(forms.Form):
    """A word for the member, or for the log."""

    comment = forms.CharField(label="Commentaire", required=False, widget=UnfoldAdminTextareaWidget)


class NeededCommentForm(forms.Form):
    """A word without which the member would not know what to do."""

    comment = forms.CharField(
        label="Ce que le membre doit reprendre",
        widget=UnfoldAdminTextareaWidget,
        error_messages={"required": "Dites au membre ce qu'il doit reprendre."},
    )


def _initial(asked: Wish, amendment: Amendment, offered: list[School]) -> dict[str, Any]:
    keys = {school.pk for school in offered}
    return {
        "schools": [school for school in asked.schools if school.pk in keys],
        "more": "\n".join(school.uai for school in asked.schools if school.pk not in keys),
        "reason": amendment.reason,
        "joining": " ".join(_code(member) for member in asked.joining),
        "leaving": list(asked.leaving),
        "new_party": _code(asked.new_party) if asked.new_party else "",
        "new_debtor": _code(asked.new_debtor) if asked.new_debtor else "",
    }


def _joining(text: str) -> list[Member]:
    """Return the communes given, so that their schools can be ticked; none while one is unknown."""
    try:
        return MembersField().to_python(text)
    except forms.ValidationError:
        return []


def _code(member: Member) -> str:
    return member.siret or member.group_code or member.insee_code


def _member(code: str) -> Member:
    named = Q(siret=code) | Q(insee_code=code, kind=Member.Kind.COMMUNE) | Q(group_code=code)
    found = list(Member.objects.filter(named, successor=None).order_by("pk")[:2])
    if len(found) == 1:
        return found[0]
    if found:
        raise forms.ValidationError(f"Plusieurs membres portent le code {code} : donnez le SIRET.")
    raise forms.ValidationError(
        f"Aucun membre n'a le code {code} : enregistrez-le d'abord dans « Membres »."
    )

"""Staff pages of who pays for the schools not yet in an agreement."""

from django import forms
from django.contrib import admin

from entsvc.staff import StaffAdmin
from members.debtors import Choice, confirm, obstacle
from members.models import ConfirmedDebtor


class ConfirmedDebtorForm(forms.ModelForm):
    def clean_member(self):
        member = self.cleaned_data["member"]
        problem = obstacle(member)
        if problem:
            raise forms.ValidationError(problem)
        return member


@admin.register(ConfirmedDebtor)
class ConfirmedDebtorAdmin(StaffAdmin):
    form = ConfirmedDebtorForm
    list_display = ["school", "member", "reason", "confirmed_by", "confirmed_at"]
    list_select_related = ["school", "member"]
    search_fields = ["school__search", "member__search"]
    autocomplete_fields = ["school", "member"]
    fields = ["school", "member", "reason"]

    def get_readonly_fields(self, request, obj=None):
        return ["school"] if obj else []

    def save_model(self, request, obj, form, change):
        choice = Choice(school=obj.school_id, member=obj.member_id, reason=obj.reason)
        confirm([choice], actor=request.user.get_username())
        obj.pk = ConfirmedDebtor.objects.get(school=obj.school_id).pk

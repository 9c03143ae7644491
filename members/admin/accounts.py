"""Staff pages of accounts, issuers, and the texts they write."""

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from entsvc.models import DatedText
from entsvc.staff import StaffAdmin
from members.access import ScopedAdmin, ScopedInline
from members.models import Accountant, Issuer, Signatory, User

TEXTS = {
    "asap-contestation": "Avis dématérialisé : contestation",
    "asap-reglement": "Avis dématérialisé : règlement",
    "compte-exercice-clos": "Compte du mandat, exercice clos",
    "delai": "Délai de paiement",
    "force-executoire": "Force exécutoire",
    "motif-exercice-clos": "Motif du mandat, exercice clos",
    "paiement": "Moyens de paiement",
    "recours": "Voies et délais de recours",
    "recours-correction": "Recours contre une correction",
    "retard": "Retard de paiement",
}

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, StaffAdmin):
    pass


@admin.register(User)
class UserAdmin(DjangoUserAdmin, StaffAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "is_staff", "is_superuser"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Personne", {"fields": ["first_name", "last_name", "email"]}),
        ("Droits", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "issuers"]}),
    ]
    filter_horizontal = ["groups", "issuers"]
    list_filter = ["is_staff", "groups", "issuers"]

    def get_queryset(self, request):
        """Show the staff: whoever comes by /espace/ is listed with the accesses of its member."""
        return super().get_queryset(request).exclude(username__startswith=User.PORTAL)


class AccountantInline(ScopedInline):
    model = Accountant
    fields = ["name", "iban", "valid_from", "valid_to", "is_fictitious"]
    show_change_link = True


class SignatoryInline(ScopedInline):
    model = Signatory
    fields = ["first_name", "last_name", "quality", "valid_from", "valid_to", "is_fictitious"]
    show_change_link = True


@admin.register(Issuer)
class IssuerAdmin(ScopedAdmin):
    list_display = ["code", "name", "regime", "siret"]
    list_filter = ["regime"]
    search_fields = ["code", "name", "siret"]
    inlines = [AccountantInline, SignatoryInline]
    fieldsets = [
        (None, {"fields": ["code", "name", "regime", "siret", "ministry", "departements"]}),
        ("Adresse et contact", {
            "fields": ["address", "postal_code", "city", "contact", "phone", "email"],
        }),
        ("Comptabilité", {
            "fields": [
                "service", "cost_centre", "budget_code", "budget_label", "complementary_days",
                "tribunal",
            ],
        }),
    ]  # fmt: skip


@admin.register(Accountant)
class AccountantAdmin(ScopedAdmin):
    list_display = ["name", "issuer", "valid_from", "valid_to", "is_fictitious"]
    list_filter = ["issuer", "is_fictitious"]
    search_fields = ["name"]


@admin.register(Signatory)
class SignatoryAdmin(ScopedAdmin):
    list_display = ["last_name", "first_name", "quality", "issuer", "valid_from", "valid_to"]
    list_filter = ["issuer", "is_fictitious"]
    search_fields = ["last_name", "first_name", "quality"]


class TextFilter(admin.SimpleListFilter):
    """Texts of one kind, by its French name."""

    title = "texte"
    parameter_name = "code"

    def lookups(self, request, model_admin):
        return list(TEXTS.items())

    def queryset(self, request, queryset):
        return queryset.filter(code=self.value()) if self.value() else queryset


@admin.register(DatedText)
class DatedTextAdmin(StaffAdmin):
    """An account writes the texts of its issuers; those of a regime are shared, and only read."""

    list_display = ["text_name", "of_whom", "valid_from", "source"]
    list_filter = ["scope", TextFilter]
    search_fields = ["code", "body", "source"]

    @display(description="texte", ordering="code")
    def text_name(self, text):
        return TEXTS.get(text.code, text.code)

    @display(description="portée", ordering="scope")
    def of_whom(self, row):
        regimes = dict(Issuer.Regime.choices)
        return f"Régime : {regimes[row.scope]}" if row.scope in regimes else row.scope

    def own_scopes(self, user):
        codes = user.issuers.exclude(code__in=Issuer.Regime.values).order_by("code")
        return list(codes.values_list("code", flat=True))

    def get_queryset(self, request):
        texts = super().get_queryset(request)
        if request.user.is_superuser:
            return texts
        regimes = request.user.issuers.order_by("pk").values_list("regime", flat=True)
        return texts.filter(scope__in=[*self.own_scopes(request.user), *regimes])

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name != "scope" or request.user.is_superuser:
            return field
        return forms.ChoiceField(
            label=field.label,
            choices=[(code, code) for code in self.own_scopes(request.user)],
            widget=UnfoldAdminSelectWidget,
        )

    def may_write(self, request, obj):
        user = request.user
        return obj is None or user.is_superuser or obj.scope in self.own_scopes(user)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and self.may_write(request, obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and self.may_write(request, obj)

"""Staff pages of members and communes."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget

from entsvc import school_year
from entsvc.french import plural
from entsvc.staff import LoadedForm, ReadOnlyAdmin, ReadOnlyInline, StaffAdmin
from entsvc.uploads import issuers_of
from members import groupings, identifiers, sirets, successions
from members.access import ScopedInline, visible
from members.admin.portal import ContactInline, may_write_addresses
from members.memberships import other_epci
from members.models import Commune, GroupedSchool, Issuer, Member, Membership
from members.portal import access, notices, reach

GROUPS = (Member.Kind.EPCI, Member.Kind.SYNDICAT, Member.Kind.RPI)
SHOWN = 20


class SiretFilter(admin.SimpleListFilter):
    """Members by what is known of their SIRET."""

    title = "SIRET"
    parameter_name = "siret"
    WANTED = {
        "manquant": {"siret__isnull": True},
        "a-verifier": {"siret_to_verify": True},
        "sur": {"siret__isnull": False, "siret_to_verify": False},
    }

    def lookups(self, request, model_admin):
        return [("manquant", "Manquant"), ("a-verifier", "À vérifier"), ("sur", "Sûr")]

    def queryset(self, request, queryset):
        return queryset.filter(**self.WANTED.get(self.value(), {}))


class EmailFilter(admin.SimpleListFilter):
    """Members to whom nothing can be sent."""

    title = "courriel"
    parameter_name = "courriel"

    def lookups(self, request, model_admin):
        return [("absent", "Absent"), ("connu", "Connu")]

    def queryset(self, request, queryset):
        if self.value() == "absent":
            return queryset.filter(email="")
        return queryset.exclude(email="") if self.value() == "connu" else queryset


class SuccessionFilter(admin.SimpleListFilter):
    """Members that another took over."""

    title = "reprise"
    parameter_name = "repris"

    def lookups(self, request, model_admin):
        return [("oui", "Repris par un autre"), ("non", "Toujours là")]

    def queryset(self, request, queryset):
        if self.value() not in ("oui", "non"):
            return queryset
        return queryset.filter(successor__isnull=self.value() == "non")


class MembershipForm(LoadedForm):
    """A commune entering a grouping: a commune, in one EPCI at a time."""

    def clean(self):
        cleaned = super().clean()
        commune = cleaned.get("commune")
        if commune is None:
            return cleaned
        if commune.kind != Member.Kind.COMMUNE:
            raise ValidationError({"commune": f"{commune} n'est pas une commune."})
        other = other_epci(self.instance, commune, cleaned.get("valid_from"), cleaned.get("valid_to"))
        if other:
            raise ValidationError({"commune": f"{commune} est déjà membre de {other} à ces dates."})
        return cleaned


class MembershipInline(ScopedInline):
    """The communes of a grouping."""

    model = Membership
    form = MembershipForm
    fk_name = "body"
    autocomplete_fields = ["commune"]
    per_page = 30

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("commune", "body").order_by("commune__name")


class GroupedSchoolInline(ScopedInline):
    """The schools of a RPI."""

    model = GroupedSchool
    fk_name = "body"
    autocomplete_fields = ["school"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("school", "body")


class GroupingInline(ReadOnlyInline):
    """What a commune is part of."""

    model = Membership
    fk_name = "commune"
    fields = ["body", "valid_from", "valid_to"]
    verbose_name_plural = "groupements de la commune"

    def get_queryset(self, request):
        return (
            super().get_queryset(request).select_related("commune", "body").order_by("-valid_from", "pk")
        )


class PredecessorInline(ReadOnlyInline):
    """Whom a member took over."""

    model = Member
    fk_name = "successor"
    fields = ["name", "siret", "merged_on"]
    verbose_name_plural = "membres repris"
    show_change_link = True


SUCCESSION = ["successor", "merged_on"]


class MemberForm(forms.ModelForm):
    """A member typed by hand, with the codes a table would give it."""

    def clean_insee_code(self):
        code = self.cleaned_data["insee_code"]
        if not code:
            return code
        is_departement = self.data.get("kind") == Member.Kind.DEPARTEMENT
        check = identifiers.check_departement_code if is_departement else identifiers.check_commune_code
        try:
            return check(code)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def clean(self):
        cleaned = super().clean()
        siret, siren = cleaned.get("siret"), cleaned.get("siren")
        if siret and siren and not siret.startswith(siren) and "siren" in self.changed_data:
            self.add_error("siren", "Ce SIREN n'est pas celui du SIRET.")
        successor = cleaned.get("successor")
        if successor and self.instance.pk:
            known = successions.known_successors()
            if successions.is_circular(self.instance.pk, successor.pk, known):
                message = f"{successor} a lui-même été repris par ce membre."
                self.add_error("successor", message)
        if cleaned.get("merged_on") and not successor:
            self.add_error("successor", "Dites par qui ce membre a été repris.")
        return cleaned


class RpiForm(forms.Form):
    """Which RPI of the annuaire to create, and since when."""

    departement = forms.ChoiceField(label="Département", widget=UnfoldAdminSelectWidget)
    since = forms.DateField(
        label="Depuis le",
        widget=UnfoldAdminDateWidget,
        help_text="L'annuaire ne le dit pas : la rentrée, le plus souvent.",
    )

    def __init__(self, *args, proposed, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["departement"].choices = [
            (code, f"{code} : {plural(len(rpis), 'RPI')}") for code, rpis in proposed.items()
        ]


@admin.register(Member)
class MemberAdmin(StaffAdmin):
    form = MemberForm
    list_display = ["name", "kind", "siret", "siret_state", "insee_code", "city", "email"]
    list_filter = ["kind", SiretFilter, EmailFilter, SuccessionFilter]
    search_fields = ["search"]
    autocomplete_fields = ["representative", "successor"]
    actions = ["verify_sirets"]
    actions_list = ["propose_rpis"]
    fieldsets = [
        ("Identité", {"fields": ["name", "kind", "siren", "insee_code"]}),
        ("SIRET", {
            "fields": ["siret", "siret_to_verify"],
            "description": "Celui de l'établissement qui paie. Un SIRET proposé d'après le SIREN est "
            "juste le plus souvent, pas toujours : vérifiez-le avant la première émission.",
        }),
        ("Adresse de facturation", {"fields": ["address", "postal_code", "city", "email"]}),
        ("Chorus Pro", {
            "fields": [
                "service_code", "service_code_required", "engagement_number",
                "engagement_required",
            ],
            "description": "Ce que le membre exige pour recevoir ses titres : Chorus Pro le dit. "
            "Ce qui est exigé et manque fait rejeter le dépôt.",
        }),
        ("RPI", {
            "fields": ["group_code", "legal_form", "representative"],
            "description": "Un RPI signe et ne paie jamais : sa commune ou son syndicat le représente.",
            "classes": ["collapse"],
        }),
        ("Reprise", {
            "fields": SUCCESSION,
            "description": "Une commune fusionnée garde ses conventions et son SIRET ; les nouvelles "
            "conventions se passent avec celle qui la reprend.",
            "classes": ["collapse"],
        }),
    ]  # fmt: skip

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        # A successor reads the titres of whom it took over: to name it is to open them.
        return fields if may_write_addresses(request, obj) else [*fields, "email", *SUCCESSION]

    def get_fieldsets(self, request, obj=None):
        fieldsets = super().get_fieldsets(request, obj)
        if may_write_addresses(request, obj):
            return fieldsets
        told = {"description": reach.refusal(obj)}
        return [
            (name, {**facts, **told} if {"email", "successor"} & set(facts["fields"]) else facts)
            for name, facts in fieldsets
        ]

    def save_model(self, request, obj, form, change):
        stored = Member.objects.get(pk=obj.pk) if change else None
        # Read before both the member and its accesses are written.
        request.portal_addresses = access.addresses(stored) if stored else []
        super().save_model(request, obj, form, change)

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        notices.tell(
            before={form.instance: request.portal_addresses},
            actor=request.user.get_username(),
            issuers=issuers_of(request.user),
        )

    @display(
        description="état du SIRET",
        ordering="siret_to_verify",
        label={"à vérifier": "warning", "vérifié": "success", "absent": "danger"},
    )
    def siret_state(self, member):
        if member.kind == Member.Kind.RPI:
            return "sans objet"
        if not member.siret:
            return "absent"
        return "à vérifier" if member.siret_to_verify else "vérifié"

    def get_inlines(self, request, obj):
        if obj is None:
            return [ContactInline]
        inlines = [ContactInline]
        if obj.kind in GROUPS:
            inlines.append(MembershipInline)
        if obj.kind == Member.Kind.RPI:
            inlines.append(GroupedSchoolInline)
        if obj.kind == Member.Kind.COMMUNE:
            inlines.append(GroupingInline)
        return [*inlines, PredecessorInline] if obj.predecessors.exists() else inlines

    @admin.action(description="SIRET vérifié", permissions=["change"])
    def verify_sirets(self, request, queryset):
        wanted = sirets.to_verify(queryset)
        count = wanted.count()
        back = request.get_full_path()
        if not count:
            messages.warning(request, "Aucun de ces membres n'a de SIRET à vérifier.")
            return None
        if "confirmed" in request.POST:
            done = sirets.verify(wanted, actor=request.user.get_username())
            messages.success(request, f"{plural(done, 'SIRET vérifié', 'SIRET vérifiés')}.")
            return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": "SIRET vérifié",
            "opts": self.model._meta,
            "shown": wanted.order_by("name", "pk")[:SHOWN],
            "others": plural(count - SHOWN, "autre") if count > SHOWN else "",
            "count": plural(count, "SIRET", "SIRET"),
            "selected": request.POST.getlist("_selected_action"),
            "select_across": request.POST.get("select_across", "0"),
            "back": back,
        }
        return TemplateResponse(request, "admin/members/confirm_sirets.html", context)

    def has_propose_rpis_permission(self, request):
        return request.user.has_perm("members.add_member")

    @action(description="Proposer les RPI de l'annuaire", permissions=["propose_rpis"], icon="groups")
    def propose_rpis(self, request):
        proposed = _proposed_rpis(request.user)
        back = redirect("admin:members_member_changelist")
        if not proposed:
            messages.info(
                request, "L'annuaire importé ne nomme aucun RPI dispersé qui ne soit déjà connu."
            )
            return back
        start = school_year.first_day(school_year.containing(timezone.localdate()))
        form = RpiForm(request.POST or None, proposed=proposed, initial={"since": start})
        if form.is_valid():
            done = groupings.create_rpis(
                departements=[form.cleaned_data["departement"]],
                since=form.cleaned_data["since"],
                actor=request.user.get_username(),
            )
            messages.success(request, f"{plural(len(done.members), 'RPI créé', 'RPI créés')}.")
            if done.strangers:
                names = ", ".join(done.strangers)
                messages.warning(request, f"Communes à importer puis à ajouter à leur RPI : {names}.")
            return back
        context = {
            **self.admin_site.each_context(request),
            "title": "Proposer les RPI de l'annuaire",
            "opts": self.model._meta,
            "back": back.url,
            "form": form,
            "facts": _told(proposed),
            "warnings": ["Un RPI dispersé signe sans payer : donnez ensuite son représentant."],
            "button": "Créer ces RPI",
        }
        return TemplateResponse(request, "admin/entsvc/confirm.html", context)


def _proposed_rpis(user):
    """Return the RPI to create by département, of the territory of the account's issuers."""
    issuers = visible(Issuer.objects.exclude(departements=""), user).order_by("pk")
    codes = sorted({code for issuer in issuers for code in issuer.departements.split()})
    proposed = {}
    for rpi in groupings.proposed_rpis(codes):
        proposed.setdefault(rpi.schools[0].departement_code, []).append(rpi)
    return proposed


def _told(proposed):
    return [
        f"{code} : {plural(len(rpis), 'RPI')}, "
        f"{plural(sum(len(rpi.schools) for rpi in rpis), 'école')}, par exemple {rpis[0].name}"
        for code, rpis in proposed.items()
    ]


@admin.register(Commune)
class CommuneAdmin(ReadOnlyAdmin):
    """The codes of the official table; the import alone writes them."""

    list_display = ["code", "name", "kind", "today"]
    list_filter = ["kind"]
    list_select_related = ["today"]
    search_fields = ["search"]
    fields = ["code", "name", "kind", "today"]

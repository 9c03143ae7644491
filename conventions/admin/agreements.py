"""Staff pages of agreements."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, models
from django.db.models import Exists, OuterRef, Q
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import display

from conventions import life, on_file, states, terminations, territories
from conventions.admin import sections
from conventions.admin.steps import CHANGE_PAGE, StepActions
from conventions.admin.terminations import (
    STEP_PAGES,
    EndingActions,
    open_one,
    step_links,
    terminations_of,
)
from conventions.filters import FindingFilter
from conventions.models import (
    Amendment,
    ConditionsNotice,
    Convention,
    DeliveredUnits,
    Enrolment,
    Paper,
    Subscription,
    Termination,
    Transition,
)
from conventions.papers.pages import papers_context
from conventions.policies import POLICIES
from conventions.who_pays import PayerForm
from entsvc.french import long_date
from entsvc.staff import LoadedAutocomplete, LoadedForm, ReadOnlyInline
from members.access import ScopedAdmin, ScopedInline
from members.admin import MemberAdmin, SchoolAdmin

FINDING = "admin/conventions/finding.html"
LIFE = "admin/conventions/convention_life.html"
SECTIONS = "admin/conventions/convention_sections.html"

MemberAdmin.list_filter = [FindingFilter, *MemberAdmin.list_filter]
SchoolAdmin.list_filter = [FindingFilter, *SchoolAdmin.list_filter]
MemberAdmin.list_before_template = SchoolAdmin.list_before_template = FINDING

COLOURS = {
    states.SENT: "info",
    states.SIGNED: "info",
    states.IN_FORCE: "success",
    states.TERMINATED: "danger",
    states.EXPIRED: "warning",
}
# What is written on a paper that was sent changes by taking the draft up again; what an end decided
# stays.
AS_SENT = [
    "schedule", "reference", "policy", "party", "debtor", "first_year", "last_year", "private_included",
]  # fmt: skip
AS_ENDED = [
    "schedule", "reference", "policy", "party", "debtor", "first_year", "last_year", "ends_on",
]  # fmt: skip
LOCKED = {
    states.SENT: AS_SENT,
    states.SIGNED: AS_SENT,
    states.TERMINATED: AS_ENDED,
    states.EXPIRED: AS_ENDED,
}
# Rows kept for ever that may rest on an agreement.
RESTING = (Transition, Paper, Amendment, Termination, ConditionsNotice)
LISTS_LOCKED = (states.SENT, states.SIGNED, states.ABANDONED)
CHANGED_MEANWHILE = (
    "L'état de la convention a changé depuis l'affichage : rechargez la page avant de la modifier."
)
NOT_DELETED = (
    "Cette convention ne se supprime pas : son journal et ses documents sont conservés. "
    "Abandonnez-la, ou mettez-y fin."
)


class ConventionForm(PayerForm, LoadedForm):
    """The page of an agreement, refused when its state changed since it was shown."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk and "seen" in self.fields:
            self.fields["seen"].initial = self.instance.status

    def clean(self):
        cleaned = super().clean()
        seen = cleaned.get("seen")
        if self.instance.pk and seen and seen != self.instance.status:
            raise ValidationError(CHANGED_MEANWHILE)
        return cleaned


class ByState(ScopedInline):
    """Rows that no longer change once the agreement is sent, until its draft is taken up again."""

    tab = True

    def _is_open(self, obj):
        return obj is None or obj.status not in LISTS_LOCKED

    def has_add_permission(self, request, obj=None):
        return self._is_open(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request, obj=None):
        return self._is_open(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        return self._is_open(obj) and super().has_delete_permission(request, obj)


class EnrolmentInline(ByState):
    model = Enrolment
    autocomplete_fields = ["school"]
    fields = ["school", "first_year", "last_year", "opened_on"]
    readonly_fields = ["opened_on"]  # recorded by the page of openings, which checks the day
    per_page = 20

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("school", "convention")


class SubscriptionInline(ByState):
    model = Subscription


class DeliveredUnitsInline(ScopedInline):
    model = DeliveredUnits
    tab = True


class TransitionInline(ReadOnlyInline):
    model = Transition
    fields = ["at", "what", "change", "actor", "comment"]
    readonly_fields = fields
    verbose_name_plural = "journal des états"
    tab = True

    def get_queryset(self, request):
        rows = super().get_queryset(request).select_related("convention", "amendment__convention")
        return rows.order_by("-at", "-pk")

    @display(description="étape")
    def what(self, transition):
        label = life.label_of(transition)
        return f"{label} (avenant n° {transition.amendment.number})" if transition.amendment else label

    @display(description="état")
    def change(self, transition):
        before, after = life.state_names(transition)
        return after if before == after else f"{before} → {after}"


def _papers(request, convention):
    context = papers_context(convention, request.user)
    return render_to_string("admin/conventions/papers.html", context, request)


sections.register(sections.Section("", 30, _papers))


@admin.register(Convention)
class ConventionAdmin(StepActions, EndingActions, ScopedAdmin):
    form = ConventionForm
    list_display = [
        "reference",
        "party",
        "schedule_code",
        "state",
        "first_year_label",
        "last_year_label",
        "signed_on",
    ]
    list_before_template = FINDING
    list_filter = [FindingFilter, "schedule__issuer", "schedule", "status", "policy", "first_year"]
    list_select_related = ["party", "schedule"]
    search_fields = ["search", "party__search", "debtor__search", "enrolments__school__uai"]
    autocomplete_fields = ["party", "debtor", "act", "committee_act", "succeeds"]
    inlines = [
        EnrolmentInline,
        SubscriptionInline,
        DeliveredUnitsInline,
        TransitionInline,
    ]
    history_children = ("enrolments", "subscriptions", "units", "terminations", "amendments")
    actions_list = ["take_over_paper"]
    actions_detail = [
        "send",
        "sign",
        "put_in_force",
        "take_over_draft",
        "back_to_draft",
        "begin_ending",
        *STEP_PAGES,
        "expire",
        "abandon",
    ]
    change_form_outer_before_template = LIFE
    change_form_outer_after_template = SECTIONS
    fieldsets = [
        (None, {"fields": ["schedule", "reference", "policy", "party", "debtor", "seen"]}),
        (
            "Durée",
            {
                "fields": ["first_year", "last_year", "signed_on", "ends_on"],
                "description": "Les années scolaires déclarées décident de ce qui est appelé.",
            },
        ),
        (
            "Votes et transmissions",
            {"fields": ["act", "committee_act", "transmitted_on", "fixed_start", "conditions"]},
        ),
        ("Portée et suite", {"fields": ["private_included", "succeeds", "amendments_before"]}),
    ]

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows.select_related("act", "committee_act", "schedule", "party", "debtor", "conditions")

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        """Ask nothing for the rows that the page has loaded."""
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", LoadedAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_inlines(self, request, obj):
        """Show what only exists of a stored agreement on its page."""
        return [row for row in self.inlines if obj or not issubclass(row, ReadOnlyInline)]

    def get_readonly_fields(self, request, obj=None):
        return LOCKED.get(obj.status, []) if obj else []

    def get_fieldsets(self, request, obj=None):
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None and self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, {**options, "fields": [f for f in options["fields"] if f != "seen"]})
            for title, options in fieldsets
        ]

    def has_change_permission(self, request, obj=None):
        if obj is not None and obj.status == states.ABANDONED:
            return False
        return super().has_change_permission(request, obj)

    def get_actions_detail(self, request, object_id):
        """Show the buttons that the state of the agreement opens, and no other."""
        convention = self.get_queryset(request).filter(pk=_key(object_id)).first()
        if convention is None:
            return []
        names = self.steps_shown(convention)
        request.terminations = terminations_of(convention)
        names |= self.endings_shown(convention, open_one(request.terminations))
        others = {*self.step_names.values(), *EndingActions.__dict__}
        return [
            found
            for found in super().get_actions_detail(request, object_id)
            if found.path and (_name_of(found) in names or _name_of(found) not in others)
        ]

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        begun = getattr(request, "terminations", [])
        context |= {"life": _life_of(obj, begun) if obj else None, "sections": []}
        if obj is not None:
            context["life"] |= _scan_of(obj, request.user)
            if self.has_step_permission(request) and open_one(begun):
                context["life"]["step_links"] = step_links(obj)
            context["sections"] = sections.shown(request, obj)
            context["show_delete"] = obj.status not in states.OWING
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def save_model(self, request, obj, form, change):
        """Write all but the state: only `life` moves it."""
        if not change:
            obj.status = states.DRAFT
            super().save_model(request, obj, form, change)
            return
        kept = ("status", obj._meta.pk.name)
        obj.save(update_fields=[f.name for f in obj._meta.concrete_fields if f.name not in kept])

    def save_related(self, request, form, formsets, change):
        """Say what is to be checked of the communes of the agreement: a warning, never a refusal."""
        super().save_related(request, form, formsets, change)
        for warning in territories.warnings(form.instance, timezone.localdate()):
            messages.warning(request, warning)

    def delete_view(self, request, object_id, extra_context=None):
        convention = self.get_object(request, object_id)
        if convention is not None and self.get_kept([convention]):
            if not self.has_delete_permission(request, convention):
                raise PermissionDenied
            messages.error(request, NOT_DELETED)
            return redirect(CHANGE_PAGE, convention.pk)
        try:
            return super().delete_view(request, object_id, extra_context)
        except (models.RestrictedError, models.ProtectedError, IntegrityError):
            messages.error(request, NOT_DELETED)
            return redirect(CHANGE_PAGE, object_id)

    def get_deleted_objects(self, objs, request):
        """Name, among agreements to delete, those that are kept: the page then refuses."""
        found, counts, permissions, protected = super().get_deleted_objects(objs, request)
        kept = [f"{convention} : {NOT_DELETED}" for convention in self.get_kept(objs)]
        # What it lacks is not a permission.
        return found, counts, set() if kept else permissions, [*kept, *protected]

    def get_kept(self, objs):
        """Return the agreements that were in force, or on which something kept for ever rests."""
        kept = Q(status__in=states.OWING)
        for model in RESTING:
            kept |= Q(Exists(model.objects.filter(convention=OuterRef("pk"))))
        keys = [obj.pk for obj in objs]
        return list(Convention.objects.filter(kept, pk__in=keys).select_related("party"))

    @display(
        description="état",
        ordering="status",
        label={states.AGREEMENT_STATES[state]: colour for state, colour in COLOURS.items()},
    )
    def state(self, convention):
        return convention.get_status_display()

    @display(description="barème", ordering="schedule__code")
    def schedule_code(self, convention):
        return convention.schedule.code


def _in_words(day):
    if day is None:
        return "Choisissez le texte de la convention pour l'établir."
    return f"{long_date(day.day)} – {day.reason}" if day.day else day.reason


def _key(object_id):
    return object_id if str(object_id).isdecimal() else None


def _name_of(found):
    return found.action_name.removeprefix("conventions_convention_")


def _scan_of(convention, account):
    """Return whether the signed paper is missing, what its member has instead, and where to add it."""
    papers = list(convention.papers.order_by("at", "pk"))
    missing = on_file.lacks_scan(convention, papers)
    may_add = missing and account.has_perm("conventions.add_paper")
    return {
        "scan_missing": missing,
        "nothing_to_download": missing and not on_file.has_paper(papers),
        "scan_link": reverse("conventions:deposit-paper", args=[convention.pk]) if may_add else "",
    }


def _ending_of(termination):
    """Return where the way out being followed has got to, or why the text of today does not tell."""
    if termination is None:
        return {"ending": None, "ending_problem": ""}
    try:
        return {"ending": terminations.progress(termination), "ending_problem": ""}
    except life.Refused as error:
        return {"ending": None, "ending_problem": str(error)}


def _life_of(convention, begun):
    """Return what the head of the page says: the state, the dates, and the ways out begun."""
    termination = open_one(begun)
    policy = POLICIES.get(convention.policy)
    return {
        "state": convention.get_status_display(),
        "colour": COLOURS.get(convention.status, ""),
        "start": _in_words(convention.start),
        "end": _in_words(convention.end),
        "policy": policy,
        "ways": [way.value for way in terminations.open_ways(convention)],
        **_ending_of(termination),
        "past": [(row, terminations.recorded(row)) for row in begun if row is not termination],
        "step_links": [],
    }

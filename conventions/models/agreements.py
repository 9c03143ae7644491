"""An agreement: who signs, who pays, which school years, in which state and since when."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from conventions import effect, states
from conventions.effect import Day, Facts
from conventions.models.years import Years
from conventions.policies import POLICIES, years_beyond
from entsvc.fields import SearchField
from entsvc.french import long_date, lower_first
from entsvc.models import StoredDocument
from entsvc.triggers import protected
from members.models import Act, Issuer, Member
from tariffs.models import Schedule


class Conditions(models.Model):
    """A version of the document of conditions that members accept by their vote."""

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    label = models.CharField("version", max_length=100)
    act = models.ForeignKey(
        Act, models.RESTRICT, verbose_name="délibération qui l'adopte", related_name="+"
    )
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="document", related_name="+", null=True, blank=True
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = "conditions d'exercice"
        verbose_name_plural = "conditions d'exercice"
        ordering = ["issuer", "-act__date", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "label"],
                name="conditions_version_once",
                violation_error_message="Cet émetteur a déjà une version de ce nom.",
            )
        ]

    def __str__(self) -> str:
        return self.label


class Convention(Years):
    """An agreement. The school years it declares, not its dates, decide what may be called."""

    class Status(models.TextChoices):
        DRAFT = states.DRAFT, states.AGREEMENT_STATES[states.DRAFT]
        SENT = states.SENT, states.AGREEMENT_STATES[states.SENT]
        SIGNED = states.SIGNED, states.AGREEMENT_STATES[states.SIGNED]
        IN_FORCE = states.IN_FORCE, states.AGREEMENT_STATES[states.IN_FORCE]
        TERMINATED = states.TERMINATED, states.AGREEMENT_STATES[states.TERMINATED]
        EXPIRED = states.EXPIRED, states.AGREEMENT_STATES[states.EXPIRED]
        ABANDONED = states.ABANDONED, states.AGREEMENT_STATES[states.ABANDONED]

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    reference = models.CharField("référence", max_length=50)
    policy = models.CharField(
        "texte",
        max_length=40,
        blank=True,
        choices=[(policy.code, policy.name) for policy in POLICIES.values()],
        help_text="Ce que dit ce texte de son début et de sa fin s'affiche alors en tête de page.",
    )
    status = models.CharField("état", max_length=10, choices=Status, default=Status.DRAFT)
    party = models.ForeignKey(Member, models.RESTRICT, verbose_name="signataire", related_name="+")
    debtor = models.ForeignKey(
        Member,
        models.RESTRICT,
        verbose_name="payeur",
        related_name="+",
        limit_choices_to={"siret__isnull": False},
        help_text="Le plus souvent le signataire ; une commune peut payer pour un regroupement.",
    )
    signed_on = models.DateField("signée le", null=True, blank=True)
    transmitted_on = models.DateField(
        "texte signé transmis au contrôle de légalité le", null=True, blank=True
    )
    fixed_start = models.DateField(
        "date d'effet fixée par la délibération du membre", null=True, blank=True
    )
    ends_on = models.DateField("prend fin le", null=True, blank=True)
    act = models.ForeignKey(
        Act,
        models.RESTRICT,
        verbose_name="délibération du membre",
        related_name="+",
        null=True,
        blank=True,
    )
    committee_act = models.ForeignKey(
        Act,
        models.RESTRICT,
        verbose_name="délibération concordante du comité",
        related_name="+",
        null=True,
        blank=True,
    )
    conditions = models.ForeignKey(
        Conditions,
        models.RESTRICT,
        verbose_name="conditions acceptées",
        related_name="+",
        null=True,
        blank=True,
        help_text="La version que la délibération du membre accepte.",
    )
    succeeds = models.OneToOneField(
        "self",
        models.RESTRICT,
        verbose_name="prend la suite de",
        related_name="successor",
        null=True,
        blank=True,
        help_text="Quand un nouvel organisme signe ou paie à partir d'une année.",
    )
    amendments_before = models.PositiveSmallIntegerField(
        "avenants déjà signés sur papier",
        default=0,
        help_text="Le prochain avenant prend le numéro qui suit.",
    )
    private_included = models.BooleanField(
        "écoles privées comprises",
        default=False,
        help_text="Sans cette mention, seules les écoles publiques sont concernées.",
    )
    search = SearchField(from_fields=("reference",))
    history = HistoricalRecords(excluded_fields=["search"])

    class Meta(Years.Meta):
        verbose_name = "convention"
        ordering = ["schedule", "reference"]
        constraints = [
            *Years.Meta.constraints,
            models.UniqueConstraint(
                fields=["schedule", "reference"],
                name="convention_reference_once",
                violation_error_message="Ce barème a déjà une convention de cette référence.",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True)
                | Q(signed_on__isnull=True)
                | Q(ends_on__gte=F("signed_on")),
                name="convention_ends_after_signature",
                violation_error_message="La convention prend fin avant d'être signée.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} – {self.party}"

    def clean(self) -> None:
        """Refuse acts and conditions that are not its own, and years beyond its text."""
        obstacle = self.conditions and self.conditions_obstacle(self.conditions)
        if obstacle:
            raise ValidationError({"conditions": obstacle})
        if self.years_obstacle:
            raise ValidationError({"last_year": self.years_obstacle})
        wrong = self.acts_obstacles()
        if wrong:
            raise ValidationError(wrong)

    def acts_obstacles(self) -> dict[str, str]:
        """Return why an act can't be that of its party or of its issuer, by column.

        The communes of a RPI deliberate for it.
        """
        found = {}
        act, committee = self.act, self.committee_act
        if act and self.party_id:
            collective = self.party.kind == Member.Kind.RPI and act.member_id
            if not collective and act.member_id not in {self.party_id, self.debtor_id} - {None}:
                found["act"] = f"Cet acte n'est pas une délibération du signataire ni du payeur : {act}."
        if committee and self.schedule_id and committee.issuer_id != self.schedule.issuer_id:
            found["committee_act"] = f"Cet acte n'est pas une délibération de l'émetteur : {committee}."
        return found

    @property
    def years_obstacle(self) -> str:
        """Return why its text does not cover its years, empty when it does."""
        if self.first_year is None:
            return ""
        return years_beyond(self.policy, self.first_year, self.last_year)

    def conditions_obstacle(self, conditions: Conditions) -> str:
        """Return why its member can't have accepted a version, empty when it can."""
        policy = POLICIES.get(self.policy)
        if policy and not policy.conditions:
            return "Ce texte ne connaît pas de conditions à accepter."
        if self.schedule_id and conditions.issuer_id != self.schedule.issuer_id:
            return "Ces conditions sont celles d'un autre émetteur."
        voted, adopted = self.act and self.act.date, conditions.act.date
        if voted and adopted and voted < adopted:
            return (
                f"La délibération du membre, du {long_date(voted)}, précède l'adoption de la version, "
                f"le {long_date(adopted)}."
            )
        return ""

    @property
    def facts(self) -> Facts:
        """Return the dates on which its start and its end rest."""
        acts = [act for act in (self.act, self.committee_act) if act]
        return Facts(
            signed_on=self.signed_on,
            vote_transmitted_on=self.act.transmitted_on if self.act else None,
            text_transmitted_on=self.transmitted_on,
            fixed_by_vote=self.fixed_start,
            votes=tuple(act.date for act in acts if act.date),
            carried=self._carried(),
        )

    def _carried(self) -> bool | None:
        vote = self.committee_act.vote if self.committee_act else None
        policy = POLICIES.get(self.policy)
        if vote is None or policy is None:
            return None
        return vote.carries_two_thirds if policy.two_thirds else vote.carries

    @property
    def start(self) -> Day | None:
        """Return the day it takes effect and why, None while its text is not named."""
        return effect.starts(POLICIES[self.policy], self.facts) if self.policy else None

    @property
    def end(self) -> Day | None:
        """Return its last day by its text and why, None while its text is not named."""
        return effect.ends(POLICIES[self.policy], self.facts) if self.policy else None

    @property
    def last_day(self) -> date | None:
        """Return the last day it holds: by its text, or the earlier one it was ended on."""
        days = [self.ends_on, self.end.day if self.end else None]
        return min((day for day in days if day), default=None)

    @property
    def title(self) -> str:
        """Return how a titre or a message names the agreement, with its signature and its vote."""
        words = f"convention {self.reference}"
        if self.signed_on:
            words += f" signée le {long_date(self.signed_on)}"
        if self.party_id != self.debtor_id:
            words += f" (partie : {self.party})"
        return f"{words}, {lower_first(str(self.act))}" if self.act else words


@protected()
class ConditionsNotice(models.Model):
    """A version of the conditions was notified to the member of an agreement."""

    issuer_path = "conditions__issuer"

    conditions = models.ForeignKey(
        Conditions, models.RESTRICT, verbose_name="conditions", related_name="notices"
    )
    convention = models.ForeignKey(
        Convention, models.RESTRICT, verbose_name="convention", related_name="+"
    )
    notified_on = models.DateField("notifiées le")
    actor = models.CharField("auteur", max_length=150)

    class Meta:
        verbose_name = "notification des conditions"
        verbose_name_plural = "notifications des conditions"
        ordering = ["conditions", "convention"]
        constraints = [
            models.UniqueConstraint(
                fields=["conditions", "convention"],
                name="conditions_notified_once",
                violation_error_message="Ces conditions sont déjà notifiées à ce membre.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.conditions} : {self.convention}"

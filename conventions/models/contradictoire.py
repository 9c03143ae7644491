"""What each member is shown of its schools and pupils before the bill, and what it objects to."""

from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from entsvc.fields import SchoolYearField
from entsvc.triggers import protected
from members.models import Member, School
from tariffs.models import Schedule


@protected(follow_up=("objections_until",))
class EtatContradictoire(models.Model):
    """What the calls of a schedule and school year will rest on, open to objections until a day.

    That day is included. It may be put off, never brought forward: members were told of it.
    """

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    school_year = SchoolYearField("année scolaire")
    opened_on = models.DateField("ouvert le")
    objections_until = models.DateField("contestations jusqu'au")
    opened_by = models.CharField("ouvert par", max_length=150)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "état contradictoire"
        verbose_name_plural = "états contradictoires"
        ordering = ["-school_year", "schedule"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "school_year"],
                name="etat_contradictoire_once",
                violation_error_message="L'état contradictoire de ce barème est déjà ouvert pour "
                "cette année.",
            ),
            models.CheckConstraint(
                condition=Q(objections_until__gte=F("opened_on")),
                name="etat_contradictoire_days_in_order",
                violation_error_message="Le dernier jour pour contester précède l'ouverture.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schedule.code} {self.school_year_label}"


@protected(follow_up=("told_at", "told_to", "agreed_at", "agreed_by"))
class MemberEtat(models.Model):
    """What a member was shown: its `facts` are frozen (see `etat_facts`), so that they can be proved.

    `told_to` are the addresses that were written to. To agree closes nothing: the member may object
    until the last day all the same.
    """

    issuer_path = "etat__schedule__issuer"

    etat = models.ForeignKey(
        EtatContradictoire, models.RESTRICT, verbose_name="état contradictoire", related_name="members"
    )
    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="payeur", related_name="+")
    facts = models.JSONField("ce qui est montré")
    shown_at = models.DateTimeField("montré depuis le")
    told_at = models.DateTimeField("prévenu le", null=True, blank=True)
    told_to = models.JSONField("prévenu à", default=list, blank=True)
    agreed_at = models.DateTimeField("d'accord le", null=True, blank=True)
    agreed_by = models.CharField("accord donné par", max_length=254, blank=True)

    class Meta:
        verbose_name = "état d'un membre"
        verbose_name_plural = "états des membres"
        ordering = ["etat", "debtor"]
        constraints = [
            models.UniqueConstraint(
                fields=["etat", "debtor"],
                name="member_etat_once",
                violation_error_message="Ce membre est déjà dans cet état contradictoire.",
            ),
            models.CheckConstraint(
                condition=Q(agreed_at__isnull=True, agreed_by="")
                | (Q(agreed_at__isnull=False) & ~Q(agreed_by="")),
                name="member_etat_agreed_by_someone",
                violation_error_message="Un accord dit qui l'a donné, et quand.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.debtor}, {self.etat}"


@protected(
    follow_up=(
        "withdrawn_at",
        "withdrawn_by",
        "answer",
        "granted",
        "granted_school",
        "answer_words",
        "answered_at",
        "answered_by",
    )
)
class Objection(models.Model):
    """What a member objects to before the last day, and what staff answered, once.

    `claimed` is the number that it says is right; `granted` and `granted_school` what staff accepted:
    the calls are held back until the data says so too.
    """

    class Kind(models.TextChoices):
        PUPILS = "effectif", "Nombre d'élèves"
        ACTIVE = "actifs", "Nombre d'élèves actifs"
        REMOVE = "retirer", "École à retirer"
        MISSING = "manquante", "École manquante"
        OTHER = "autre", "Autre"

    class Answer(models.TextChoices):
        ACCEPTED = "acceptee", "Acceptée"
        REJECTED = "rejetee", "Rejetée"

    NUMBERS = (Kind.PUPILS, Kind.ACTIVE)
    OF_A_SCHOOL = (*NUMBERS, Kind.REMOVE)

    issuer_path = "shown__etat__schedule__issuer"

    shown = models.ForeignKey(
        MemberEtat, models.RESTRICT, verbose_name="état du membre", related_name="objections"
    )
    kind = models.CharField("objet", max_length=10, choices=Kind)
    school = models.ForeignKey(
        School, models.RESTRICT, verbose_name="école", related_name="+", null=True, blank=True
    )
    claimed = models.PositiveIntegerField("nombre demandé", null=True, blank=True)
    words = models.TextField("contestation")
    filed_by = models.CharField("déposée par", max_length=254)
    filed_at = models.DateTimeField("déposée le")
    withdrawn_at = models.DateTimeField("retirée le", null=True, blank=True)
    withdrawn_by = models.CharField("retirée par", max_length=254, blank=True)
    answer = models.CharField("réponse", max_length=8, choices=Answer, blank=True)
    granted = models.PositiveIntegerField("nombre retenu", null=True, blank=True)
    granted_school = models.ForeignKey(
        School, models.RESTRICT, verbose_name="école à ajouter", related_name="+", null=True, blank=True
    )
    answer_words = models.TextField("motif de la réponse", blank=True)
    answered_at = models.DateTimeField("répondue le", null=True, blank=True)
    answered_by = models.CharField("répondue par", max_length=150, blank=True)

    class Meta:
        verbose_name = "contestation"
        ordering = ["shown", "filed_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(words=""),
                name="objection_has_words",
                violation_error_message="Dites ce que vous contestez.",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["effectif", "actifs", "retirer"]) | Q(school__isnull=False),
                name="objection_names_its_school",
                violation_error_message="Dites de quelle école il s'agit.",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["effectif", "actifs"])
                | Q(claimed__isnull=True, granted__isnull=True),
                name="objection_number_of_pupils",
                violation_error_message="Un nombre ne va qu'avec une contestation d'effectif.",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True, withdrawn_by="")
                | (Q(withdrawn_at__isnull=False, answer="") & ~Q(withdrawn_by="")),
                name="objection_withdrawn_unanswered",
                violation_error_message="Une contestation se retire avant d'avoir sa réponse, et dit "
                "par qui.",
            ),
            models.CheckConstraint(
                condition=Q(answer="", answer_words="", answered_at__isnull=True, answered_by="")
                & Q(granted__isnull=True, granted_school__isnull=True)
                | Q(answer__in=["acceptee", "rejetee"], answered_at__isnull=False) & ~Q(answered_by=""),
                name="objection_answered_in_full",
                violation_error_message="Une réponse dit laquelle, par qui et quand.",
            ),
            models.CheckConstraint(
                condition=~Q(answer="rejetee")
                | (~Q(answer_words="") & Q(granted__isnull=True, granted_school__isnull=True)),
                name="objection_rejected_with_words",
                violation_error_message="Un rejet donne son motif.",
            ),
            models.CheckConstraint(
                condition=~Q(answer="acceptee")
                | Q(kind__in=["effectif", "actifs"], granted__isnull=False)
                | Q(kind="manquante", granted_school__isnull=False)
                | Q(kind__in=["retirer", "autre"]),
                name="objection_accepted_says_what",
                violation_error_message="Une contestation acceptée dit le nombre retenu, ou l'école "
                "à ajouter.",
            ),
            models.UniqueConstraint(
                fields=["shown", "kind", "school"],
                condition=Q(school__isnull=False, answer="", withdrawn_at__isnull=True),
                name="one_open_objection",
                violation_error_message="Cette contestation est déjà déposée : attendez sa réponse, "
                "ou retirez-la.",
            ),
        ]
        indexes = [
            models.Index(
                fields=["shown"], name="objection_to_answer",
                condition=Q(answer="", withdrawn_at__isnull=True),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()}{f', {self.school}' if self.school_id else ''}"

    @property
    def is_open(self) -> bool:
        """Tell whether staff are still to answer."""
        return not self.answer and self.withdrawn_at is None

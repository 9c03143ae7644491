"""What a member asks to change in an agreement from a school year on, and what became of it."""

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from conventions import amendments, states
from conventions.models.agreements import Convention
from entsvc.fields import SchoolYearField
from entsvc.french import lower_first
from entsvc.models import StoredDocument
from members.models import Act, Member, School


class Amendment(models.Model):
    """The whole list of schools that an agreement is to name from a school year on, and its communes.

    What it changes, whether it counts and why are frozen when it is accepted, or found without effect.
    """

    class Status(models.TextChoices):
        DRAFT = states.DRAFT, states.AMENDMENT_STATES[states.DRAFT]
        TO_SIGN = states.TO_SIGN, states.AMENDMENT_STATES[states.TO_SIGN]
        FILED = states.FILED, states.AMENDMENT_STATES[states.FILED]
        SENT_BACK = states.SENT_BACK, states.AMENDMENT_STATES[states.SENT_BACK]
        ACCEPTED = states.ACCEPTED, states.AMENDMENT_STATES[states.ACCEPTED]
        WITHOUT_EFFECT = states.WITHOUT_EFFECT, states.AMENDMENT_STATES[states.WITHOUT_EFFECT]
        DROPPED = states.DROPPED, states.AMENDMENT_STATES[states.DROPPED]

    issuer_path = "convention__schedule__issuer"

    convention = models.ForeignKey(
        Convention, models.RESTRICT, verbose_name="convention", related_name="amendments"
    )
    number = models.PositiveSmallIntegerField("avenant n°")
    school_year = SchoolYearField("à partir de l'année scolaire")
    status = models.CharField("état", max_length=10, choices=Status, default=Status.DRAFT)
    new_party = models.ForeignKey(
        Member,
        models.RESTRICT,
        verbose_name="nouveau signataire",
        related_name="+",
        null=True,
        blank=True,
        help_text="Un nouvel organisme intercommunal, par exemple.",
    )
    new_debtor = models.ForeignKey(
        Member,
        models.RESTRICT,
        verbose_name="nouveau payeur",
        related_name="+",
        null=True,
        blank=True,
        limit_choices_to={"siret__isnull": False},
    )
    act = models.ForeignKey(
        Act,
        models.RESTRICT,
        verbose_name="délibération du membre",
        related_name="+",
        null=True,
        blank=True,
    )
    requested_by = models.CharField("demandé par", max_length=254)
    reason = models.CharField("motif", max_length=300, blank=True)
    signed_on = models.DateField("signé le", null=True, blank=True)
    received_on = models.DateField("reçu le", null=True, blank=True)
    transmitted_on = models.DateField(
        "transmis le",
        null=True,
        blank=True,
        help_text="Cette date compte quand elle est prouvée ; sinon c'est celle de la réception.",
    )
    transmission_proof = models.ForeignKey(
        StoredDocument,
        models.RESTRICT,
        verbose_name="preuve de la transmission",
        related_name="+",
        null=True,
        blank=True,
    )
    dated = models.DateField("date retenue", null=True, blank=True, editable=False)
    ruling = models.TextField("décision", blank=True, editable=False)
    added = models.JSONField("écoles ajoutées", default=list, blank=True, editable=False)
    removed = models.JSONField("écoles retirées", default=list, blank=True, editable=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "avenant"
        ordering = ["convention", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["convention", "number"],
                name="amendment_number_once",
                violation_error_message="Cette convention a déjà un avenant de ce numéro.",
            ),
            models.UniqueConstraint(
                fields=["convention"],
                condition=Q(status__in=states.OPEN_AMENDMENT),
                name="one_open_amendment",
                violation_error_message="Un avenant de cette convention est déjà en cours : "
                "terminez-le ou abandonnez-le avant d'en ouvrir un autre.",
            ),
            models.CheckConstraint(
                condition=~Q(status=states.FILED)
                | Q(received_on__isnull=False)
                | Q(transmitted_on__isnull=False, transmission_proof__isnull=False),
                name="amendment_filed_is_dated",
                violation_error_message="Un avenant déposé porte la date de sa réception, ou celle de "
                "sa transmission avec sa preuve.",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=(states.ACCEPTED, states.WITHOUT_EFFECT))
                | (Q(dated__isnull=False) & ~Q(ruling="")),
                name="amendment_ruled_with_its_reason",
                violation_error_message="La décision sur un avenant porte sa date et son motif.",
            ),
        ]

    def __str__(self) -> str:
        return f"avenant n° {self.number} à la convention {self.convention.reference}"

    @property
    def filing(self) -> amendments.Filing:
        """Return what the rules judge; its schools and communes are read from the database."""
        uais = self.schools.order_by("school__uai").values_list("school__uai", flat=True)
        return self.filing_of(frozenset(uais), self.communes.exists())

    def filing_of(self, schools: frozenset[str], moves_communes: bool) -> amendments.Filing:
        """Return what the rules judge, from the UAIs of its list and whether it moves communes."""
        return amendments.Filing(
            school_year=self.school_year,
            schools=schools,
            received_on=self.received_on,
            transmitted_on=self.transmitted_on,
            proved=self.transmission_proof_id is not None,
            others=bool(self.new_party_id or self.new_debtor_id or moves_communes),
        )


class AmendedSchool(models.Model):
    """A school of the whole list that an amendment asks for."""

    issuer_path = "amendment__convention__schedule__issuer"

    amendment = models.ForeignKey(
        Amendment, models.CASCADE, verbose_name="avenant", related_name="schools"
    )
    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école", related_name="+")
    history = HistoricalRecords()

    class Meta:
        verbose_name = "école demandée"
        verbose_name_plural = "écoles demandées"
        ordering = ["amendment", "school"]
        constraints = [
            models.UniqueConstraint(
                fields=["amendment", "school"],
                name="amended_school_once",
                violation_error_message="Cette école est déjà dans la liste demandée.",
            )
        ]

    def __str__(self) -> str:
        return str(self.school)


class AmendedCommune(models.Model):
    """A commune that joins or leaves the RPI of an agreement by an amendment."""

    class Change(models.TextChoices):
        JOINS = "rejoint", "Rejoint le RPI"
        LEAVES = "quitte", "Quitte le RPI"

    issuer_path = "amendment__convention__schedule__issuer"

    amendment = models.ForeignKey(
        Amendment, models.CASCADE, verbose_name="avenant", related_name="communes"
    )
    commune = models.ForeignKey(Member, models.RESTRICT, verbose_name="commune", related_name="+")
    change = models.CharField("changement", max_length=8, choices=Change)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "commune du RPI"
        verbose_name_plural = "communes du RPI"
        ordering = ["amendment", "commune"]
        constraints = [
            models.UniqueConstraint(
                fields=["amendment", "commune"],
                name="amended_commune_once",
                violation_error_message="Cette commune est déjà nommée par l'avenant.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.commune} {lower_first(self.get_change_display())}"

"""Schools as the annuaire describes them, their RPI, and who should pay for them."""

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from entsvc.fields import SearchField
from members import identifiers
from members.models.periods import Period
from members.models.territory import Member


class School(models.Model):
    """A school of the annuaire; known by its UAI alone until an annuaire describes it."""

    class Degree(models.TextChoices):
        FIRST = "premier", "Premier degré"
        COLLEGE = "college", "Collège"
        LYCEE = "lycee", "Lycée"
        OTHER = "autre", "Autre"

    class Level(models.TextChoices):
        MATERNELLE = "EM", "École maternelle"
        ELEMENTAIRE = "EE", "École élémentaire"
        PRIMAIRE = "EP", "École primaire"

    class Sector(models.TextChoices):
        PUBLIC = "public", "Public"
        PRIVATE = "prive", "Privé"

    class Rpi(models.TextChoices):
        CONCENTRATED = "concentre", "RPI concentré"
        DISPERSED = "disperse", "RPI dispersé"

    uai = models.CharField("UAI", max_length=8, unique=True, validators=[identifiers.validate_uai])
    name = models.CharField("nom", max_length=200, blank=True)
    kind = models.CharField("type d'établissement", max_length=50, blank=True)
    degree = models.CharField("degré", max_length=8, choices=Degree, blank=True)
    level = models.CharField("niveau", max_length=2, choices=Level, blank=True)
    sector = models.CharField("secteur", max_length=6, choices=Sector, blank=True)
    commune_code = models.CharField(
        "code INSEE",
        max_length=5,
        blank=True,
        db_index=True,
        help_text="De la commune d'aujourd'hui : arrondissements et anciens codes y sont ramenés.",
    )
    commune_name = models.CharField("commune", max_length=100, blank=True)
    departement_code = models.CharField("département", max_length=3, blank=True, db_index=True)
    academy_code = models.CharField("académie", max_length=2, blank=True, db_index=True)
    circumscription_code = models.CharField("code de circonscription", max_length=8, blank=True)
    circumscription = models.CharField("circonscription de l'IEN", max_length=100, blank=True)
    rpi = models.CharField("RPI", max_length=9, choices=Rpi, blank=True)
    rpi_code = models.CharField("code du RPI", max_length=20, blank=True)
    address = models.CharField("adresse", max_length=200, blank=True)
    postal_code = models.CharField("code postal", max_length=5, blank=True)
    siren_siret = models.CharField(
        "SIREN ou SIRET de l'annuaire",
        max_length=14,
        blank=True,
        help_text="Celui de l'école comme établissement secondaire : jamais celui du payeur.",
    )
    state = models.CharField("état", max_length=20, blank=True)
    opened_on = models.DateField("ouverte le", null=True, blank=True)
    absent_since = models.DateField(
        "absente depuis le",
        null=True,
        blank=True,
        help_text="L'annuaire complet de son territoire ne la nomme plus : fermée, le plus souvent.",
    )
    search = SearchField(from_fields=("name", "uai", "commune_name", "commune_code"))
    history = HistoricalRecords(excluded_fields=["search"])

    class Meta:
        verbose_name = "école"
        ordering = ["uai"]

    def __str__(self) -> str:
        return f"{self.uai} {self.name}" if self.name else f"{self.uai} (absente de l'annuaire)"


class GroupedSchool(Period):
    """A school is one of those of a RPI, from one day to another."""

    body = models.ForeignKey(Member, models.RESTRICT, verbose_name="RPI", related_name="grouped_schools")
    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école", related_name="groupings")
    history = HistoricalRecords()

    class Meta(Period.Meta):
        verbose_name = "école du RPI"
        verbose_name_plural = "écoles du RPI"
        ordering = ["body", "school", "valid_from"]
        constraints = [
            *Period.Meta.constraints,
            models.UniqueConstraint(
                fields=["school"],
                condition=Q(valid_to__isnull=True),
                name="school_in_one_rpi",
                violation_error_message="Cette école est déjà dans un RPI.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.school} ({self.body})"


class ConfirmedDebtor(models.Model):
    """Who pays for a school not yet in an agreement, as a person confirmed it."""

    school = models.OneToOneField(School, models.CASCADE, verbose_name="école")
    member = models.ForeignKey(Member, models.RESTRICT, verbose_name="payeur", related_name="+")
    reason = models.CharField("motif", max_length=200)
    confirmed_by = models.CharField("confirmé par", max_length=150)
    confirmed_at = models.DateTimeField("confirmé le", auto_now=True)
    history = HistoricalRecords(excluded_fields=["confirmed_at"])

    class Meta:
        verbose_name = "payeur confirmé"
        verbose_name_plural = "payeurs confirmés"
        ordering = ["school"]

    def __str__(self) -> str:
        return f"{self.school} : {self.member}"

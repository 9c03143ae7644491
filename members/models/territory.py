"""Communes and their history, members and what groups them."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from simple_history.models import HistoricalRecords

from entsvc.fields import SearchField
from members import identifiers
from members.models.periods import Period


class Commune(models.Model):
    """A code of the code officiel géographique: a commune of today, or one that became part of it."""

    class Kind(models.TextChoices):
        TODAY = "actuelle", "Commune"
        DISTRICT = "arrondissement", "Arrondissement municipal"
        DELEGATED = "deleguee", "Commune déléguée"
        ASSOCIATED = "associee", "Commune associée"
        FORMER = "ancienne", "Ancien code"

    code = models.CharField("code INSEE", max_length=5, primary_key=True)
    name = models.CharField("nom", max_length=100)
    kind = models.CharField("nature", max_length=14, choices=Kind, default=Kind.TODAY)
    today = models.ForeignKey(
        "self", models.RESTRICT, verbose_name="commune d'aujourd'hui", null=True, blank=True
    )
    search = SearchField(from_fields=("code", "name"))

    class Meta:
        verbose_name = "code de commune"
        verbose_name_plural = "codes de communes"
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="actuelle", today__isnull=True)
                | (~Q(kind="actuelle") & Q(today__isnull=False)),
                name="commune_of_today_or_part_of_one",
                violation_error_message="Un ancien code dit de quelle commune il relève aujourd'hui.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class SirenField(models.CharField):
    """A SIREN: the first nine digits of the SIRET when there is one, else what was looked up."""

    derived = True

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        """Follow the SIRET."""
        if model_instance.siret:
            setattr(model_instance, self.attname, model_instance.siret[:9])
        return getattr(model_instance, self.attname)


class Member(models.Model):
    """A local body that signs or pays: shared by all issuers, linked to them by agreements.

    A RPI signs and never pays: it has no SIRET. Whoever pays has one.
    """

    class Kind(models.TextChoices):
        COMMUNE = "commune", "Commune"
        EPCI = "epci", "EPCI"
        DEPARTEMENT = "departement", "Département"
        SYNDICAT = "syndicat", "Syndicat"
        RPI = "rpi", "RPI"
        AUTRE = "autre", "Autre"

    kind = models.CharField("type", max_length=12, choices=Kind, blank=True)
    name = models.CharField("nom", max_length=200, blank=True)
    siren = SirenField(
        "SIREN",
        max_length=9,
        blank=True,
        db_index=True,
        validators=[identifiers.validate_siren],
        help_text="Celui du SIRET quand il est connu.",
    )
    siret = models.CharField(
        "SIRET",
        max_length=14,
        unique=True,
        null=True,
        blank=True,
        validators=[identifiers.validate_siret],
        help_text="Celui de l'établissement qui paie ; un RPI n'en a pas.",
    )
    siret_to_verify = models.BooleanField(
        "SIRET à vérifier",
        default=False,
        help_text="Proposé d'après le SIREN : décochez une fois confirmé par le membre.",
    )
    insee_code = models.CharField(
        "code INSEE",
        max_length=5,
        blank=True,
        db_index=True,
        help_text="De la commune, ou du département.",
    )
    address = models.TextField("adresse", blank=True)
    postal_code = models.CharField(
        "code postal", max_length=5, blank=True, validators=[identifiers.validate_postal_code]
    )
    city = models.CharField("ville", max_length=100, blank=True)
    email = models.EmailField("courriel", blank=True)
    service_code = models.CharField("code service", max_length=100, blank=True)
    service_code_required = models.BooleanField("code service exigé", default=False)
    engagement_number = models.CharField("numéro d'engagement", max_length=50, blank=True)
    engagement_required = models.BooleanField("numéro d'engagement exigé", default=False)
    group_code = models.CharField(
        "code du RPI", max_length=20, blank=True, help_text="Celui de l'annuaire, comme 031037."
    )
    legal_form = models.CharField("forme juridique du RPI", max_length=100, blank=True)
    representative = models.ForeignKey(
        "self",
        models.RESTRICT,
        verbose_name="représentant",
        related_name="+",
        null=True,
        blank=True,
        help_text="La commune ou le syndicat qui signe et paie pour le RPI.",
    )
    successor = models.ForeignKey(
        "self",
        models.RESTRICT,
        verbose_name="repris par",
        related_name="predecessors",
        null=True,
        blank=True,
        help_text="La commune nouvelle, ou la collectivité qui a repris celle-ci.",
    )
    merged_on = models.DateField("repris le", null=True, blank=True)
    search = SearchField(from_fields=("name", "siret", "siren", "insee_code", "city"))
    history = HistoricalRecords(excluded_fields=["search"])

    class Meta:
        verbose_name = "membre"
        ordering = ["name", "siret", "pk"]
        indexes = [models.Index(Lower("email"), name="member_address")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="rpi") | Q(siret__isnull=True),
                name="rpi_has_no_siret",
                violation_error_message="Un RPI n'a pas de SIRET : c'est son représentant qui paie.",
            ),
            models.CheckConstraint(
                condition=Q(siret__isnull=False) | Q(siret_to_verify=False),
                name="siret_to_verify_is_given",
                violation_error_message="Il n'y a pas de SIRET à vérifier.",
            ),
            models.CheckConstraint(
                condition=Q(successor__isnull=True) | ~Q(successor=F("pk")),
                name="member_is_not_its_own_successor",
                violation_error_message="Un membre ne se succède pas à lui-même.",
            ),
            models.UniqueConstraint(
                fields=["group_code"],
                condition=~Q(group_code=""),
                name="group_code_once",
                violation_error_message="Ce code de RPI est déjà celui d'un autre.",
            ),
        ]

    def __str__(self) -> str:
        if self.name:
            return self.name
        return f"SIRET {self.siret} (à compléter)" if self.siret else f"SIREN {self.siren} (à compléter)"

    def clean(self) -> None:
        """Refuse to forget the SIRET of a member: its agreements need it."""
        stored = Member.objects.filter(pk=self.pk).values_list("siret", flat=True).first()
        if stored and not self.siret:
            raise ValidationError({"siret": "Un SIRET connu se remplace, il ne s'efface pas."})


class Membership(Period):
    """A commune is part of an EPCI, a syndicat or a RPI, from one day to another."""

    body = models.ForeignKey(
        Member, models.RESTRICT, verbose_name="groupement", related_name="memberships"
    )
    commune = models.ForeignKey(
        Member, models.RESTRICT, verbose_name="commune", related_name="communities"
    )
    history = HistoricalRecords()

    class Meta(Period.Meta):
        verbose_name = "commune membre"
        verbose_name_plural = "communes membres"
        ordering = ["body", "commune", "valid_from"]
        constraints = [
            *Period.Meta.constraints,
            models.UniqueConstraint(
                fields=["body", "commune"],
                condition=Q(valid_to__isnull=True),
                name="membership_open_once",
                violation_error_message="Cette commune est déjà membre.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.commune} ({self.body})"

"""The public bodies that bill, their accountants and signatories, and the people of the house."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from entsvc.history import Kept
from members import identifiers
from members.models.periods import Period


class Issuer(models.Model):
    """A public body that bills the ENT."""

    class Regime(models.TextChoices):
        STATE = "ETAT", "État (titre de perception)"
        LOCAL = "LOCAL", "Local (titre de recettes)"

    issuer_path = "pk"

    code = models.SlugField("code", max_length=6, unique=True)
    name = models.CharField("dénomination", max_length=200)
    regime = models.CharField("régime", max_length=5, choices=Regime)
    siret = models.CharField("SIRET", max_length=14, validators=[identifiers.validate_siret])
    ministry = models.CharField("ministère", max_length=200, blank=True)
    service = models.CharField("service ordonnateur", max_length=200, blank=True)
    cost_centre = models.CharField("code gestionnaire ou centre de coûts", max_length=50, blank=True)
    budget_code = models.CharField(
        "code du budget",
        max_length=2,
        default="00",
        help_text="Chaque budget annexe a sa propre série de titres ; 00 pour le budget principal.",
    )
    budget_label = models.CharField("libellé du budget", max_length=100, blank=True)
    address = models.TextField("adresse")
    postal_code = models.CharField("code postal", max_length=5)
    city = models.CharField("ville", max_length=100)
    contact = models.CharField("service à contacter", max_length=150)
    phone = models.CharField("téléphone", max_length=20, blank=True)
    email = models.EmailField("courriel", blank=True)
    tribunal = models.CharField(
        "tribunal administratif", max_length=100, help_text="Par exemple : de Montpellier."
    )
    complementary_days = models.PositiveSmallIntegerField(
        "période complémentaire (jours)",
        default=31,
        help_text="Jours de janvier pendant lesquels un titre peut porter l'exercice précédent.",
    )
    separate_duties = models.BooleanField(
        "séparer calcul et émission",
        default=False,
        help_text="Qui a lancé un calcul ne peut pas en émettre les titres.",
    )
    departements = models.CharField(
        "départements du ressort",
        max_length=200,
        blank=True,
        validators=[identifiers.validate_departements],
        help_text="Codes séparés par des espaces, comme « 59 62 » : le territoire dont les écoles et "
        "les communes sont suivies.",
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = "émetteur"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A member of staff, limited to some issuers; or an address of a mayor's office, never both.

    The user name of the latter begins with `PORTAL`, which no form of the staff accepts.
    """

    PORTAL = "espace:"

    issuers = models.ManyToManyField(
        Issuer,
        verbose_name="émetteurs",
        blank=True,
        help_text="Ce compte ne voit que les conventions, calculs et titres de ces émetteurs.",
    )
    history = Kept(excluded_fields=["password", "last_login"], m2m_fields=["groups", "issuers"])

    class Meta:
        verbose_name = "utilisateur"
        ordering = ["username"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(username__startswith="espace:") | Q(is_staff=False, is_superuser=False),
                name="portal_account_is_never_staff",
                violation_error_message="Un accès à l'espace n'est jamais un compte du personnel.",
            )
        ]


class Accountant(Period):
    """The accountant who collects for an issuer (comptable assignataire)."""

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur")
    name = models.CharField("dénomination", max_length=150)
    codique = models.CharField("codique", max_length=7, blank=True)
    address = models.TextField("adresse")
    postal_code = models.CharField("code postal", max_length=5)
    city = models.CharField("ville", max_length=100)
    phone = models.CharField("téléphone", max_length=20, blank=True)
    email = models.EmailField("courriel", blank=True)
    hours = models.CharField("horaires", max_length=150, blank=True)
    iban = models.CharField("IBAN", max_length=34, validators=[identifiers.validate_iban])
    bic = models.CharField("BIC", max_length=11, validators=[identifiers.validate_bic])
    payment_url = models.URLField("paiement en ligne", blank=True)
    is_fictitious = models.BooleanField(
        "fictif", default=False, help_text="Les documents portent alors la mention SPÉCIMEN."
    )
    history = HistoricalRecords()

    class Meta(Period.Meta):
        verbose_name = "comptable assignataire"
        verbose_name_plural = "comptables assignataires"
        ordering = ["issuer", "-valid_from"]

    def __str__(self) -> str:
        return self.name


class Signatory(Period):
    """Who orders the claim: the ordonnateur or a delegate (first name, name, quality)."""

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur")
    first_name = models.CharField("prénom", max_length=100)
    last_name = models.CharField("nom", max_length=100)
    quality = models.CharField("qualité", max_length=200)
    delegation = models.CharField(
        "délégation",
        max_length=200,
        blank=True,
        help_text="Référence de l'arrêté, quand le signataire agit par délégation.",
    )
    is_fictitious = models.BooleanField(
        "fictif", default=False, help_text="Les documents portent alors la mention SPÉCIMEN."
    )
    history = HistoricalRecords()

    class Meta(Period.Meta):
        verbose_name = "signataire"
        ordering = ["issuer", "-valid_from"]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}, {self.quality}"

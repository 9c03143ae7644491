"""People of the house, issuers, members, schools, headcounts and the acts that bind them."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q

from entsvc.fields import SchoolYearField, SearchField
from members import identifiers


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

    class Meta:
        verbose_name = "émetteur"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A member of staff, limited to some issuers."""

    issuers = models.ManyToManyField(
        Issuer,
        verbose_name="émetteurs",
        blank=True,
        help_text="Ce compte ne voit que les conventions, calculs et titres de ces émetteurs.",
    )

    class Meta:
        verbose_name = "utilisateur"
        ordering = ["username"]


class Period(models.Model):
    """A span of days, open at the end while nothing replaces it."""

    valid_from = models.DateField("à partir du")
    valid_to = models.DateField("jusqu'au", null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="%(class)s_period_in_order",
                violation_error_message="La fin de la période précède son début.",
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

    class Meta(Period.Meta):
        verbose_name = "signataire"
        ordering = ["issuer", "-valid_from"]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}, {self.quality}"


class Member(models.Model):
    """A local body that signs or pays: shared by all issuers, linked to them by agreements."""

    class Kind(models.TextChoices):
        COMMUNE = "commune", "Commune"
        EPCI = "epci", "EPCI"
        DEPARTEMENT = "departement", "Département"
        SYNDICAT = "syndicat", "Syndicat"
        AUTRE = "autre", "Autre"

    siret = models.CharField(
        "SIRET", max_length=14, unique=True, validators=[identifiers.validate_siret]
    )
    name = models.CharField("nom", max_length=200, blank=True)
    kind = models.CharField("type", max_length=12, choices=Kind, blank=True)
    commune_code = models.CharField("code INSEE", max_length=5, blank=True)
    address = models.TextField("adresse", blank=True)
    postal_code = models.CharField("code postal", max_length=5, blank=True)
    city = models.CharField("ville", max_length=100, blank=True)
    email = models.EmailField("courriel", blank=True)
    service_code = models.CharField("code service", max_length=100, blank=True)
    service_code_required = models.BooleanField("code service exigé", default=False)
    engagement_number = models.CharField("numéro d'engagement", max_length=50, blank=True)
    engagement_required = models.BooleanField("numéro d'engagement exigé", default=False)
    search = SearchField(from_fields=("name", "siret", "commune_code", "city"))

    class Meta:
        verbose_name = "membre"
        ordering = ["name", "siret"]

    def __str__(self) -> str:
        return self.name or f"SIRET {self.siret} (à compléter)"


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

    uai = models.CharField("UAI", max_length=8, unique=True, validators=[identifiers.validate_uai])
    name = models.CharField("nom", max_length=200, blank=True)
    degree = models.CharField("degré", max_length=8, choices=Degree, blank=True)
    level = models.CharField("type d'école", max_length=2, choices=Level, blank=True)
    sector = models.CharField("secteur", max_length=6, choices=Sector, blank=True)
    commune_code = models.CharField("code INSEE", max_length=5, blank=True)
    commune_name = models.CharField("commune", max_length=100, blank=True)
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
    search = SearchField(from_fields=("name", "uai", "commune_name", "commune_code"))

    class Meta:
        verbose_name = "école"
        ordering = ["uai"]

    def __str__(self) -> str:
        return f"{self.uai} {self.name}" if self.name else f"{self.uai} (absente de l'annuaire)"


class HeadcountSource(models.Model):
    """Where a count comes from, how much it is worth, and whether it may be billed."""

    code = models.CharField("code", max_length=10, primary_key=True)
    label = models.CharField("libellé", max_length=100)
    rank = models.PositiveSmallIntegerField(
        "rang", unique=True, help_text="La source de plus petit rang l'emporte."
    )
    billable = models.BooleanField("facturable", default=False)

    class Meta:
        verbose_name = "source d'effectifs"
        verbose_name_plural = "sources d'effectifs"
        ordering = ["rank"]

    def __str__(self) -> str:
        return self.label


class Headcount(models.Model):
    """The pupils of a school at the constat de rentrée of a school year, by source."""

    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école")
    school_year = SchoolYearField("année scolaire")
    source = models.ForeignKey(HeadcountSource, models.RESTRICT, verbose_name="source")
    pupils = models.PositiveIntegerField("élèves")
    recorded_at = models.DateTimeField("enregistré le", auto_now=True)

    class Meta:
        verbose_name = "effectif"
        ordering = ["-school_year", "school", "source"]
        constraints = [
            models.UniqueConstraint(
                fields=["school", "school_year", "source"],
                name="headcount_once_per_source",
                violation_error_message="Cette source donne déjà un effectif pour cette année.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.school.uai} {self.school_year_label} : {self.pupils}"


class Usage(models.Model):
    """The pupils of a school who used a service beyond its threshold in a school year."""

    school = models.ForeignKey(School, models.RESTRICT, verbose_name="école")
    school_year = SchoolYearField("année scolaire")
    active_pupils = models.PositiveIntegerField("élèves actifs")
    source = models.ForeignKey(HeadcountSource, models.RESTRICT, verbose_name="source")
    recorded_at = models.DateTimeField("enregistré le", auto_now=True)

    class Meta:
        verbose_name = "usage"
        ordering = ["-school_year", "school", "source"]
        constraints = [
            models.UniqueConstraint(
                fields=["school", "school_year", "source"],
                name="usage_once_per_source",
                violation_error_message="Cette source donne déjà un usage pour cette année.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.school.uai} {self.school_year_label} : {self.active_pupils} actifs"


class Act(models.Model):
    """An act of an assembly or authority: deliberation, decision, model of convention."""

    class Kind(models.TextChoices):
        DELIBERATION = "deliberation", "Délibération"
        DECISION = "decision", "Décision"
        ARRETE = "arrete", "Arrêté"
        MODELE = "modele", "Convention-type"

    issuer_path = "issuer"

    kind = models.CharField("nature", max_length=12, choices=Kind)
    number = models.CharField("numéro", max_length=50, blank=True)
    authority = models.CharField("assemblée ou autorité", max_length=200)
    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", null=True, blank=True)
    member = models.ForeignKey(Member, models.RESTRICT, verbose_name="membre", null=True, blank=True)
    date = models.DateField("date", null=True, blank=True)
    transmitted_on = models.DateField("transmis au contrôle de légalité le", null=True, blank=True)
    actes_id = models.CharField("identifiant ACTES", max_length=60, blank=True)
    subject = models.CharField("objet", max_length=300)

    class Meta:
        verbose_name = "acte"
        ordering = ["-date", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="modele") | Q(date__isnull=False),
                name="act_is_dated",
                violation_error_message="La date de l'acte est obligatoire.",
            ),
            models.CheckConstraint(
                condition=Q(issuer__isnull=False, member__isnull=True)
                | Q(issuer__isnull=True, member__isnull=False),
                name="act_has_one_author",
                violation_error_message="Un acte est celui d'un émetteur ou celui d'un membre.",
            ),
        ]

    def __str__(self) -> str:
        parts = [self.get_kind_display()]
        if self.number:
            parts.append(f"n° {self.number}")
        if self.date:
            parts.append(f"du {self.date:%d/%m/%Y}")
        return " ".join(parts) + f" ({self.authority})"

"""The acts that bind issuers and members."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from simple_history.models import HistoricalRecords

from members import identifiers, votes
from members.models.issuers import Issuer
from members.models.territory import Member


class Act(models.Model):
    """An act of an assembly or authority: deliberation, decision, model of convention."""

    class Kind(models.TextChoices):
        DELIBERATION = "deliberation", "Délibération"
        DECISION = "decision", "Décision"
        ARRETE = "arrete", "Arrêté"
        MODELE = "modele", "Convention-type"

    class Approval(models.TextChoices):
        CHARTER = "charte", "L'adhésion à la charte"
        AGREEMENT = "convention", "La convention"
        AMENDMENT = "avenant", "Un avenant"
        TRANSFER = "transfert", "Le transfert de compétence"
        CONDITIONS = "conditions", "Les conditions d'exercice"
        TARIFF = "tarif", "Un tarif"
        ENDING = "fin", "La fin d'une convention"
        OTHER = "autre", "Autre chose"

    issuer_path = "issuer"

    # What the prefecture's receipt may call each kind; those that are not named may be anything.
    NATURES = {Kind.DELIBERATION: ("DE",), Kind.ARRETE: ("AR", "AI")}

    kind = models.CharField("nature", max_length=12, choices=Kind)
    number = models.CharField("numéro", max_length=50, blank=True)
    authority = models.CharField("assemblée ou autorité", max_length=200)
    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", null=True, blank=True)
    member = models.ForeignKey(Member, models.RESTRICT, verbose_name="membre", null=True, blank=True)
    date = models.DateField("date", null=True, blank=True)
    transmitted_on = models.DateField("transmis au contrôle de légalité le", null=True, blank=True)
    actes_id = models.CharField("identifiant ACTES", max_length=60, blank=True)
    subject = models.CharField("objet", max_length=300)
    approves = models.CharField("approuve", max_length=10, choices=Approval, blank=True)
    convened_on = models.DateField("convocation du", null=True, blank=True)
    in_office = models.PositiveSmallIntegerField("membres en exercice", null=True, blank=True)
    present = models.PositiveSmallIntegerField("présents", null=True, blank=True)
    proxies = models.PositiveSmallIntegerField("pouvoirs", null=True, blank=True)
    votes_for = models.PositiveSmallIntegerField("pour", null=True, blank=True)
    votes_against = models.PositiveSmallIntegerField("contre", null=True, blank=True)
    abstentions = models.PositiveSmallIntegerField(
        "abstentions", null=True, blank=True, help_text="Elles ne sont pas des suffrages exprimés."
    )
    history = HistoricalRecords()

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
            models.CheckConstraint(
                condition=Q(convened_on__isnull=True)
                | Q(date__isnull=True)
                | Q(convened_on__lte=F("date")),
                name="act_convened_before_its_date",
                violation_error_message="La convocation précède la séance.",
            ),
            models.CheckConstraint(
                condition=Q(transmitted_on__isnull=True)
                | Q(date__isnull=True)
                | Q(transmitted_on__gte=F("date")),
                name="act_transmitted_after_its_date",
                violation_error_message="Un acte est transmis après avoir été pris.",
            ),
            models.CheckConstraint(
                condition=Q(in_office__isnull=True)
                | Q(in_office__gte=Coalesce("present", 0) + Coalesce("proxies", 0)),
                name="act_present_within_office",
                violation_error_message="Il y a plus de présents et de pouvoirs que de membres en "
                "exercice.",
            ),
            models.CheckConstraint(
                condition=Q(present__isnull=True)
                | Q(
                    present__gte=Coalesce("votes_for", 0)
                    + Coalesce("votes_against", 0)
                    + Coalesce("abstentions", 0)
                    - Coalesce("proxies", 0)
                ),
                name="act_votes_within_voters",
                violation_error_message="Il y a plus de votes que de présents et de pouvoirs.",
            ),
        ]

    def __str__(self) -> str:
        parts = [self.get_kind_display()]
        if self.number:
            parts.append(f"n° {self.number}")
        if self.date:
            parts.append(f"du {self.date:%d/%m/%Y}")
        return " ".join(parts) + f" ({self.authority})"

    @property
    def vote(self) -> votes.Vote | None:
        """Return its vote, None while it is not recorded."""
        return votes.of(self.votes_for, self.votes_against, self.abstentions)

    def clean(self) -> None:
        """Refuse an ACTES identifier that is not the one of this act."""
        if not self.actes_id:
            return
        try:
            found = identifiers.check_actes_id(self.actes_id)
        except ValueError as error:
            raise ValidationError({"actes_id": str(error)}) from error
        self.actes_id = str(found)
        mistakes = self._differences(found)
        if mistakes:
            raise ValidationError({"actes_id": mistakes})

    def _differences(self, found: identifiers.ActesId) -> list[str]:
        mistakes = []
        if self.date and found.date != self.date:
            mistakes.append(f"Cet identifiant date l'acte du {found.date:%d/%m/%Y}.")
        siren = self._author_siren()
        if siren and found.siren != siren:
            mistakes.append(f"Cet identifiant est celui du SIREN {found.siren}, pas de {siren}.")
        departements = self._author_departements()
        if departements and found.departement not in departements:
            expected = " ou ".join(sorted(departements))
            mistakes.append(
                f"Cet identifiant est celui du département {found.departement}, pas de {expected}."
            )
        natures = self.NATURES.get(self.kind)
        if natures and found.nature not in natures:
            expected = " ou ".join(natures)
            mistakes.append(f"La nature {found.nature} ne convient pas : {expected} attendu.")
        return mistakes

    def _author_siren(self) -> str:
        if self.issuer_id:
            return self.issuer.siret[:9]
        if not self.member_id:
            return ""
        return self.member.siret[:9] if self.member.siret else self.member.siren

    def _author_departements(self) -> set[str]:
        """Return the départements whose préfecture may have received it; none when nothing tells.

        A postal code doesn't tell: it may be that of a neighbour.
        """
        if self.issuer_id:
            return set(self.issuer.departements.split())
        if not self.member_id or not self.member.insee_code:
            return set()
        code = self.member.insee_code
        if self.member.kind == Member.Kind.DEPARTEMENT:
            return {code}
        return {identifiers.departement_of(code)}

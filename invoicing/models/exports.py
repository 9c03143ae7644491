"""How an issuer wants the pieces of a campaign written for its accounting suite."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from invoicing.exports import columns
from members.models import Issuer


class ExportLayout(models.Model):
    """A CSV file as an accounting suite reads it: what a row is, its columns, how they are written."""

    class Rows(models.TextChoices):
        PIECE = "piece", "Une ligne par titre ou correction"
        LINE = "ligne", "Une ligne par ligne de titre (école, tarif)"

    class Separator(models.TextChoices):
        SEMICOLON = ";", "Point-virgule"
        COMMA = ",", "Virgule"
        TAB = "tab", "Tabulation"
        BAR = "|", "Barre verticale"

    class Encoding(models.TextChoices):
        UTF8 = "utf-8-sig", "UTF-8 (avec marque d'ordre des octets)"
        WINDOWS = "cp1252", "Windows-1252"

    class Amounts(models.TextChoices):
        COMMA = "virgule", "En euros, virgule : 1234,50"
        POINT = "point", "En euros, point : 1234.50"
        CENTS = "centimes", "En centimes : 123450"

    class Dates(models.TextChoices):
        FRENCH = "%d/%m/%Y", "03/03/2025"
        ISO = "%Y-%m-%d", "2025-03-03"
        COMPACT = "%Y%m%d", "20250303"
        COMPACT_FRENCH = "%d%m%Y", "03032025"

    issuer_path = "issuer"

    issuer = models.ForeignKey(Issuer, models.RESTRICT, verbose_name="émetteur", related_name="+")
    name = models.CharField("nom", max_length=100)
    rows = models.CharField("lignes", max_length=5, choices=Rows, default=Rows.PIECE)
    corrections = models.BooleanField(
        "avec les annulations et réductions",
        default=True,
        help_text="Décoché : les titres seuls.",
    )
    signed = models.BooleanField(
        "annulations et réductions en négatif",
        default=True,
        help_text="Décoché : tous les montants sont positifs, et la nature de la pièce dit leur sens.",
    )
    separator = models.CharField(
        "séparateur", max_length=3, choices=Separator, default=Separator.SEMICOLON
    )
    encoding = models.CharField("encodage", max_length=9, choices=Encoding, default=Encoding.UTF8)
    amounts = models.CharField("montants", max_length=8, choices=Amounts, default=Amounts.COMMA)
    dates = models.CharField("dates", max_length=8, choices=Dates, default=Dates.FRENCH)
    header = models.BooleanField("première ligne : les titres des colonnes", default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "format d'export"
        verbose_name_plural = "formats d'export"
        ordering = ["issuer", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "name"],
                name="export_layout_name_once",
                violation_error_message="Cet émetteur a déjà un format d'export de ce nom.",
            ),
            models.CheckConstraint(
                condition=~Q(separator=",", amounts="virgule"),
                name="export_layout_comma_has_one_meaning",
                violation_error_message="La virgule ne peut pas séparer les colonnes et les centimes : "
                "changez l'un des deux.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ExportColumn(models.Model):
    """A column of a layout: one of those of `invoicing.exports.columns`, under the title it is given."""

    layout = models.ForeignKey(
        ExportLayout, models.CASCADE, verbose_name="format d'export", related_name="columns"
    )
    position = models.PositiveSmallIntegerField("ordre")
    code = models.CharField("contenu", max_length=30)
    title = models.CharField(
        "titre de la colonne", max_length=100, blank=True, help_text="Vide : le nom du contenu."
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = "colonne d'export"
        verbose_name_plural = "colonnes d'export"
        ordering = ["layout", "position", "pk"]

    def __str__(self) -> str:
        return self.title or self.label

    @property
    def label(self) -> str:
        """Return the name of what the column holds; its code, were it no longer known."""
        found = columns.COLUMNS.get(self.code)
        return found.label if found else self.code

    def clean(self) -> None:
        """Refuse a content that no column has."""
        if self.code not in columns.COLUMNS:
            raise ValidationError({"code": f"Contenu inconnu : {self.code}."})

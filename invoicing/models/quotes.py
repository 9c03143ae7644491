"""Market services billed to one member: catalogue → quote → order → supplier's invoice → titre.

Conditions of 15 June 2023 (Nord-Pas-de-Calais): the syndicate quotes the unit prices of its market,
orders once the member accepts, pays the supplier and bills the member again at those prices.
"""

from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Max, Q
from django.utils import timezone
from simple_history.models import HistoricalRecords

from conventions.models import Delivery
from entsvc import school_year
from entsvc.fields import MoneyField
from entsvc.models import StoredDocument
from entsvc.money import round_cents
from entsvc.triggers import frozen_when, protected
from invoicing.models.runs import Campaign
from members.models import Member
from tariffs.engine import ADJUSTMENT, DEDUCTION
from tariffs.models import Schedule

NOT_NEGATIVE = MinValueValidator(Decimal("0"), message="Un prix ne peut pas être négatif.")
TITRE_IN_FORCE = (
    "EXISTS (SELECT 1 FROM invoicing_titre t JOIN invoicing_campaign c ON c.id = t.campaign_id "
    "WHERE {} AND t.kind = 'titre' AND t.total > COALESCE((SELECT SUM(x.total) "
    "FROM invoicing_titre x WHERE x.original_id = t.id), 0))"
)
BILLED = "deja facture par un titre : annulez-le d'abord"

# A delivery billed apart is the proof of its titre; the agreements know nothing of titres.
frozen_when(
    TITRE_IN_FORCE.format(
        "c.id IN (SELECT b.campaign_id FROM invoicing_billeddelivery b WHERE b.delivery_id = ROW.id)"
    ),
    "prestation " + BILLED.replace("'", " "),
)(Delivery)


@frozen_when(
    "EXISTS (SELECT 1 FROM invoicing_quoteline l JOIN invoicing_quote q ON q.id = l.quote_id "
    "JOIN invoicing_catalogueitem i ON i.id = l.item_id "
    "WHERE i.catalogue_id = ROW.id AND q.sent_on IS NOT NULL)",
    "version de catalogue citee par un devis envoye : creez la suivante",
    reachable=True,
    follow_up=("ends_on",),
)
class Catalogue(models.Model):
    """The unit prices of a market, in one version, for as long as they hold."""

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(
        Schedule,
        models.RESTRICT,
        verbose_name="barème",
        related_name="+",
        help_text="Celui qui porte l'objet et l'imputation des titres.",
    )
    market = models.CharField("marché", max_length=100, help_text="Numéro ou référence du marché.")
    supplier = models.CharField("titulaire", max_length=200)
    label = models.CharField("version", max_length=100, help_text="Par exemple : BPU, avenant n° 2.")
    starts_on = models.DateField("prix valables du")
    ends_on = models.DateField("au", null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "catalogue"
        ordering = ["schedule", "market", "-starts_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "market", "label"],
                name="catalogue_version_once",
                violation_error_message="Ce marché a déjà une version de ce nom.",
            ),
            models.UniqueConstraint(
                fields=["schedule", "market", "starts_on"],
                name="catalogue_start_once",
                violation_error_message="Ce marché a déjà des prix valables à partir de ce jour.",
            ),
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
                name="catalogue_validity_in_order",
                violation_error_message="La fin de validité précède son début.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.market}, {self.label}"

    def clean(self) -> None:
        """Refuse prices that hold with those of another version, or end before a quote they made."""
        if None in (self.starts_on, self.schedule_id):
            return
        quoted = Quote.objects.filter(lines__item__catalogue=self.pk, sent_on__isnull=False)
        last = quoted.aggregate(last=Max("sent_on"))["last"] if self.pk else None
        if last and self.ends_on and self.ends_on < last:
            raise ValidationError(
                {"ends_on": f"Un devis du {last:%d/%m/%Y} est à ces prix : ils finissent après lui."}
            )
        others = Catalogue.objects.filter(schedule=self.schedule_id, market=self.market)
        until = Q() if self.ends_on is None else Q(starts_on__lte=self.ends_on)
        still = Q(ends_on__isnull=True) | Q(ends_on__gte=self.starts_on)
        other = others.exclude(pk=self.pk).filter(until & still).first()
        if other is not None:
            raise ValidationError(
                {
                    "starts_on": f"Les prix de « {other.label} » valent encore ces jours-là : "
                    "donnez-leur une fin, ou commencez après."
                }
            )

    def holds_on(self, day: date) -> bool:
        """Tell whether the prices hold on a day."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


@frozen_when(
    "EXISTS (SELECT 1 FROM invoicing_quoteline l JOIN invoicing_quote q ON q.id = l.quote_id "
    "JOIN invoicing_catalogueitem i ON i.id = l.item_id "
    "WHERE i.catalogue_id = ROW.catalogue_id AND q.sent_on IS NOT NULL)",
    "version de catalogue citee par un devis envoye : creez la suivante",
)
class CatalogueItem(models.Model):
    """A unit price of a version of the catalogue, TTC."""

    issuer_path = "catalogue__schedule__issuer"

    catalogue = models.ForeignKey(
        Catalogue, models.CASCADE, verbose_name="catalogue", related_name="items"
    )
    code = models.CharField("code", max_length=20)
    label = models.CharField("libellé", max_length=150)
    unit_label = models.CharField("unité", max_length=50, help_text="Au singulier : heure, licence.")
    unit_plural = models.CharField("unité au pluriel", max_length=50)
    unit_price = models.DecimalField(
        "prix unitaire TTC", max_digits=12, decimal_places=4, validators=[NOT_NEGATIVE]
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = "prix du catalogue"
        verbose_name_plural = "prix du catalogue"
        ordering = ["catalogue", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["catalogue", "code"],
                name="catalogue_item_once",
                violation_error_message="Cette version a déjà un prix de ce code.",
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0),
                name="catalogue_price_not_negative",
                violation_error_message="Un prix ne peut pas être négatif.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} – {self.label}"

    def clean(self) -> None:
        """Refuse a code that lines of titres keep for something else."""
        if self.code.upper() in (DEDUCTION, ADJUSTMENT):
            raise ValidationError({"code": f"Le code {self.code} est réservé : choisissez-en un autre."})


@frozen_when("ROW.sent_on IS NOT NULL", "devis envoye : il ne change plus, copiez-le", reachable=True)
class Quote(models.Model):
    """A devis: what services would cost a member; once sent only events are added to it."""

    issuer_path = "schedule__issuer"

    schedule = models.ForeignKey(Schedule, models.RESTRICT, verbose_name="barème", related_name="+")
    debtor = models.ForeignKey(Member, models.RESTRICT, verbose_name="membre", related_name="+")
    subject = models.CharField("objet", max_length=200)
    valid_until = models.DateField("valable jusqu'au")
    number = models.CharField("numéro", max_length=20, blank=True, editable=False)
    sent_on = models.DateField("envoyé le", null=True, blank=True, editable=False)
    sent_by = models.CharField("envoyé par", max_length=150, blank=True, editable=False)
    document = models.ForeignKey(
        StoredDocument,
        models.RESTRICT,
        verbose_name="document",
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = "devis"
        verbose_name_plural = "devis"
        ordering = ["-sent_on", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "number"],
                condition=~Q(number=""),
                name="quote_number_once",
                violation_error_message="Ce numéro de devis est déjà pris.",
            ),
            models.CheckConstraint(
                condition=Q(sent_on__isnull=True, number="", document__isnull=True)
                | (Q(sent_on__isnull=False, document__isnull=False) & ~Q(number="")),
                name="quote_sent_with_its_number",
                violation_error_message="Un devis s'envoie avec son numéro et son document.",
            ),
            models.CheckConstraint(
                condition=Q(sent_on__isnull=True) | Q(valid_until__gte=F("sent_on")),
                name="quote_valid_when_sent",
                violation_error_message="La validité finit avant l'envoi.",
            ),
        ]

    def __str__(self) -> str:
        return f"Devis {self.number}" if self.number else f"Devis en préparation ({self.subject})"

    @property
    def school_year(self) -> int:
        """Return the school year in which it was sent: that of its titre."""
        return school_year.containing(self.sent_on)


@frozen_when(
    "EXISTS (SELECT 1 FROM invoicing_quote q WHERE q.id = ROW.quote_id AND q.sent_on IS NOT NULL)",
    "devis envoye : il ne change plus, copiez-le",
)
class QuoteLine(models.Model):
    """A quantity of one thing of the catalogue."""

    issuer_path = "quote__schedule__issuer"

    quote = models.ForeignKey(Quote, models.CASCADE, verbose_name="devis", related_name="lines")
    item = models.ForeignKey(
        CatalogueItem, models.RESTRICT, verbose_name="prix du catalogue", related_name="+"
    )
    quantity = models.PositiveIntegerField("quantité", default=1)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "ligne de devis"
        verbose_name_plural = "lignes de devis"
        ordering = ["quote", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["quote", "item"],
                name="quote_line_once",
                violation_error_message="Ce prix est déjà dans le devis : changez sa quantité.",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1),
                name="quote_line_of_something",
                violation_error_message="Indiquez au moins une unité.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.item}"

    @property
    def amount(self) -> Decimal:
        """Return what it costs, in euros."""
        return round_cents(self.item.unit_price * self.quantity)


@protected()
class QuoteEvent(models.Model):
    """What happened to a quote once sent; the latest one tells where it stands."""

    class Kind(models.TextChoices):
        ACCEPTED = "accepte", "Accepté par le membre"
        REFUSED = "refuse", "Refusé par le membre"
        ORDERED = "commande", "Commandé au titulaire"
        DROPPED = "abandonne", "Abandonné"

    issuer_path = "quote__schedule__issuer"

    quote = models.ForeignKey(Quote, models.RESTRICT, verbose_name="devis", related_name="events")
    kind = models.CharField("étape", max_length=10, choices=Kind)
    on = models.DateField("date")
    reference = models.CharField("référence", max_length=50, blank=True)
    comment = models.CharField("commentaire", max_length=300, blank=True)
    document = models.ForeignKey(
        StoredDocument, models.RESTRICT, verbose_name="document", related_name="+", null=True
    )
    recorded_by = models.CharField("saisi par", max_length=150)
    recorded_at = models.DateTimeField("saisi le", auto_now_add=True)

    class Meta:
        verbose_name = "étape d'un devis"
        verbose_name_plural = "étapes d'un devis"
        ordering = ["quote", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["quote", "kind"],
                name="quote_step_once",
                violation_error_message="Cette étape est déjà enregistrée.",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("accepte", "commande")) | ~Q(comment=""),
                name="quote_end_says_why",
                violation_error_message="Dites pourquoi.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.on:%d/%m/%Y})"


OF_THE_QUOTE = TITRE_IN_FORCE.format("c.quote_id = ROW.quote_id")
OF_THE_INVOICE = TITRE_IN_FORCE.format(
    "c.quote_id = (SELECT s.quote_id FROM invoicing_supplierinvoice s WHERE s.id = ROW.invoice_id)"
)


@frozen_when(OF_THE_QUOTE, "devis " + BILLED.replace("'", " "))
class SupplierInvoice(models.Model):
    """What the supplier billed for an order: the service is done, and paid by a mandat."""

    issuer_path = "quote__schedule__issuer"

    quote = models.ForeignKey(
        Quote, models.RESTRICT, verbose_name="devis", related_name="supplier_invoices"
    )
    number = models.CharField("numéro de la facture", max_length=50)
    dated = models.DateField("date de la facture")
    served_on = models.DateField("service fait le")
    proof = models.CharField(
        "preuve du service fait", max_length=200, help_text="Procès-verbal, bon de livraison…"
    )
    amount = MoneyField("montant TTC")
    gap_reason = models.CharField(
        "motif de l'écart",
        max_length=300,
        blank=True,
        help_text="Quand le montant n'est pas celui des quantités servies au prix du catalogue.",
    )
    mandat = models.CharField("numéro de mandat", max_length=30, blank=True)
    paid_on = models.DateField("payée le", null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = "facture du titulaire"
        verbose_name_plural = "factures du titulaire"
        ordering = ["quote", "dated", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["quote", "number"],
                name="supplier_invoice_once",
                violation_error_message="Cette facture est déjà saisie pour ce devis.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0),
                name="supplier_invoice_not_negative",
                violation_error_message="Un montant n'est pas négatif.",
            ),
            models.CheckConstraint(
                condition=Q(mandat="", paid_on__isnull=True)
                | (~Q(mandat="") & Q(paid_on__isnull=False)),
                name="supplier_invoice_paid_by_a_mandat",
                violation_error_message="Donnez ensemble le numéro du mandat et le jour du paiement.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} du {self.dated:%d/%m/%Y}"

    def clean(self) -> None:
        """Refuse days to come, and a number that the order has already."""
        today = timezone.localdate()
        wrong = {
            name: "Cette date est à venir."
            for name in ("dated", "served_on", "paid_on")
            if getattr(self, name) and getattr(self, name) > today
        }
        same = SupplierInvoice.objects.filter(quote=self.quote_id, number=self.number)
        if self.quote_id and same.exclude(pk=self.pk).exists():
            wrong["number"] = "Cette facture est déjà saisie pour ce devis."
        if wrong:
            raise ValidationError(wrong)

    @property
    def expected(self) -> Decimal:
        """Return the euros of the quantities served at the prices of the catalogue."""
        lines = self.lines.select_related("line__item").order_by("pk")
        return sum(
            (round_cents(row.line.item.unit_price * row.quantity) for row in lines), Decimal("0.00")
        )


@frozen_when(OF_THE_INVOICE, "devis " + BILLED.replace("'", " "))
class ServedLine(models.Model):
    """How much of a line of the quote an invoice of the supplier bills as served."""

    issuer_path = "invoice__quote__schedule__issuer"

    invoice = models.ForeignKey(
        SupplierInvoice, models.CASCADE, verbose_name="facture", related_name="lines"
    )
    line = models.ForeignKey(
        QuoteLine, models.RESTRICT, verbose_name="ligne du devis", related_name="served"
    )
    quantity = models.PositiveIntegerField("quantité servie")
    history = HistoricalRecords()

    class Meta:
        verbose_name = "quantité servie"
        verbose_name_plural = "quantités servies"
        ordering = ["invoice", "line"]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "line"],
                name="served_line_once",
                violation_error_message="Cette ligne est déjà dans la facture.",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1),
                name="served_line_of_something",
                violation_error_message="Indiquez au moins une unité.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.line.item}"


@frozen_when(TITRE_IN_FORCE.format("c.id = ROW.campaign_id"), "prestation " + BILLED.replace("'", " "))
class BilledDelivery(models.Model):
    """A delivery that a campaign of its own bills, without waiting for the yearly call."""

    issuer_path = "campaign__schedule__issuer"

    campaign = models.ForeignKey(
        Campaign, models.RESTRICT, verbose_name="campagne", related_name="billed_deliveries"
    )
    delivery = models.OneToOneField(
        Delivery, models.RESTRICT, verbose_name="prestation", related_name="+"
    )

    class Meta:
        verbose_name = "prestation facturée à part"
        verbose_name_plural = "prestations facturées à part"
        ordering = ["campaign", "pk"]

    def __str__(self) -> str:
        return str(self.delivery)

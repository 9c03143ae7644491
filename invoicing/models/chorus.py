"""What became of a file deposited on Chorus Pro, and of each invoice that it holds.

The file itself, its bytes, who made it and when are those of its `Sending`. Here: what was asked of
Chorus Pro, what it answered and when. Deposited is not accepted: the first is our call's, the second
is told later by the report of the flow.
"""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from entsvc.triggers import protected
from invoicing.chorus.statuses import (
    INTEGRATED,
    OVER,
    FlowState,
    label_of_flow,
    label_of_invoice,
)
from invoicing.models.channels import Sending
from invoicing.models.titres import Titre

# Longer than a call may take, with its token and a second try (see `chorus.client`): past it, whoever
# made the call is no more.
LONGEST_CALL = timedelta(minutes=15)


@protected(
    follow_up=(
        "state", "asked_at", "asked_by", "told", "searched_at", "flow", "flow_on", "flow_state",
        "report", "read_at",
    )
)  # fmt: skip
class Deposit(models.Model):
    """A sending to Chorus Pro: written with its bytes before the call, then what the call gave."""

    class State(models.TextChoices):
        WAITING = "a-deposer", "À déposer"
        ASKED = "en-cours", "Dépôt en cours"
        UNKNOWN = "inconnu", "État inconnu"
        REFUSED = "refuse", "Refusé au dépôt"
        GIVEN_UP = "abandonne", "Abandonné"
        DEPOSITED = "depose", "Déposé"

    issuer_path = "sending__bordereau__issuer"

    sending = models.OneToOneField(
        Sending, models.RESTRICT, verbose_name="envoi", related_name="deposit"
    )
    syntax = models.CharField("syntaxe", max_length=40)
    state = models.CharField("dépôt", max_length=10, choices=State, default=State.WAITING)
    asked_at = models.DateTimeField("demandé le", null=True)
    asked_by = models.CharField("demandé par", max_length=150, blank=True)
    told = models.TextField("réponse au dépôt", blank=True)
    searched_at = models.DateTimeField("recherché le", null=True)
    flow = models.CharField("numéro de flux", max_length=50, blank=True)
    flow_on = models.DateField("déposé le", null=True)
    flow_state = models.CharField("état du flux", max_length=40, blank=True)
    report = models.TextField("compte rendu", blank=True)
    read_at = models.DateTimeField("lu le", null=True)

    class Meta:
        verbose_name = "dépôt sur Chorus Pro"
        verbose_name_plural = "dépôts sur Chorus Pro"
        ordering = ["sending"]
        constraints = [
            models.UniqueConstraint(fields=["flow"], condition=~Q(flow=""), name="deposit_flow_once"),
            models.CheckConstraint(
                condition=Q(Q(state="depose"), ~Q(flow="")) | Q(~Q(state="depose"), Q(flow="")),
                name="deposit_has_its_flow_once_deposited",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["a-deposer", "abandonne"])
                | Q(Q(asked_at__isnull=False), ~Q(asked_by="")),
                name="deposit_asked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sending.file_name} : {self.told_state}"

    @property
    def told_state(self) -> str:
        """Return where it stands, in French: the call's state, then the flow's once there is one."""
        if self.state != self.State.DEPOSITED:
            return self.get_state_display()
        return f"Déposé, {label_of_flow(self.flow_state)}" if self.flow_state else "Déposé"

    @property
    def pieces(self) -> "models.QuerySet[DepositedPiece]":
        """Return the invoices that it holds."""
        return DepositedPiece.objects.filter(sending=self.sending_id)

    @property
    def is_accepted(self) -> bool:
        """Tell whether Chorus Pro integrated it, in whole or in part."""
        return self.flow_state in INTEGRATED

    @property
    def is_judged(self) -> bool:
        """Tell whether the report of the flow will not change any more."""
        return self.is_accepted or self.flow_state == FlowState.REJECTED

    def is_adrift(self, now: datetime) -> bool:
        """Tell whether nobody knows if it arrived: no answer was had, or the call died midway."""
        if self.state == self.State.ASKED:
            return now - self.asked_at > LONGEST_CALL
        return self.state == self.State.UNKNOWN


@protected(
    follow_up=(
        "identifier", "status", "status_at", "reason", "made_available_on", "closed", "read_at",
    )
)  # fmt: skip
class DepositedPiece(models.Model):
    """An invoice within a deposit; once it is `closed` (rejected), its titre may be deposited again."""

    issuer_path = "sending__bordereau__issuer"

    sending = models.ForeignKey(Sending, models.RESTRICT, verbose_name="envoi", related_name="pieces")
    titre = models.ForeignKey(Titre, models.RESTRICT, verbose_name="pièce", related_name="deposits")
    identifier = models.CharField("identifiant Chorus Pro", max_length=30, blank=True)
    status = models.CharField("statut", max_length=40, blank=True)
    status_at = models.DateTimeField("depuis le", null=True)
    reason = models.TextField("motif", blank=True)
    made_available_on = models.DateField("mise à disposition le", null=True)
    closed = models.BooleanField("sans suite", default=False)
    read_at = models.DateTimeField("lu le", null=True)

    class Meta:
        verbose_name = "pièce déposée"
        verbose_name_plural = "pièces déposées"
        ordering = ["sending", "titre__number"]
        constraints = [
            models.UniqueConstraint(fields=["sending", "titre"], name="deposited_piece_once"),
            # Whatever happens, two clicks, two servers: a piece is under way once.
            models.UniqueConstraint(
                fields=["titre"], condition=Q(closed=False), name="deposited_piece_under_way_once"
            ),
            models.UniqueConstraint(
                fields=["identifier"],
                condition=~Q(identifier=""),
                name="deposited_piece_identifier_once",
            ),
            models.CheckConstraint(
                condition=Q(closed=False) | ~Q(reason=""), name="deposited_piece_closed_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.titre.reference} : {self.told_status}"

    @property
    def told_status(self) -> str:
        """Return where it stands, in French."""
        if self.status:
            return label_of_invoice(self.status)
        return "Sans suite" if self.closed else "Pas encore de statut"

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more is expected of it."""
        return self.closed or self.status in OVER

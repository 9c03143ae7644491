"""What a mayor's office sends back signed: kept after its content is checked, and staff are told."""

from datetime import UTC, date, datetime

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from conventions import filings, life, states
from conventions.models import Amendment, Convention, Paper, PaperKind
from entsvc import mail
from entsvc.journal import record
from entsvc.scans import RefusedFile


class DepositRefused(Exception):
    """The file can't be received; the message says what to do, in French."""


def deposit_agreement(*, convention: Convention, content: bytes, name: str, actor: str) -> Paper:
    """Keep the signed agreement that a member sends back: staff record the signature once they read it.

    Raises DepositRefused where the agreement is not to be signed, or the file is not accepted.
    """
    from conventions.papers import freezing

    try:
        with transaction.atomic():
            locked = Convention.objects.select_for_update(of=("self",)).get(pk=convention.pk)
            if locked.status != states.SENT:
                raise DepositRefused("Cette convention n'est plus à signer : rechargez la page.")
            kind, role = PaperKind.AGREEMENT, Paper.Role.SIGNED
            paper = freezing.receive(content, name, locked, kind=kind, actor=actor, role=role)
            if paper.at < _sent_at(locked, kind):
                raise DepositRefused(
                    "Ce fichier est celui que vous aviez déposé avant que la convention change : "
                    "faites signer la nouvelle version."
                )
            told = f"Convention {locked.reference} déposée signée par {actor}"
            record(actor=actor, action="convention-deposited", target=locked, summary=told)
            _tell(convention, None, actor)
    except RefusedFile as error:
        raise DepositRefused(str(error)) from error
    return paper


def deposit_amendment(
    *,
    amendment: Amendment,
    content: bytes,
    name: str,
    signed_on: date,
    transmitted_on: date | None,
    proof: bytes | None,
    proof_name: str,
    actor: str,
) -> Amendment:
    """File the signed amendment that a member sends back today, and tell staff.

    An earlier transmission counts when it is proved. Raises DepositRefused.
    """
    try:
        with transaction.atomic():
            filed = filings.file(
                amendment=amendment,
                content=content,
                name=name,
                received_on=timezone.localdate(),
                actor=actor,
                transmitted_on=transmitted_on,
                proof=proof,
                proof_name=proof_name,
                signed_on=signed_on,
            )
            _tell(amendment.convention, filed, actor)
    except (filings.AmendmentRefused, states.IllegalTransition, life.Refused) as error:
        raise DepositRefused(str(error)) from error
    return filed


def _sent_at(convention: Convention, kind: str) -> datetime:
    """Return when an agreement was last sent; the same bytes sent twice are one paper, the first."""
    sent = convention.papers.filter(kind=kind, role=Paper.Role.SENT, amendment=None)
    return sent.aggregate(last=Max("at"))["last"] or datetime.min.replace(tzinfo=UTC)


def _tell(convention: Convention, amendment: Amendment | None, actor: str) -> None:
    """Write to the issuer, in the transaction that keeps what came."""
    issuer = convention.schedule.issuer
    if issuer.email:
        context = {
            "convention": convention,
            "amendment": amendment,
            "actor": actor,
            "path": _staff_page(convention, amendment),
        }
        mail.post([issuer.email], "signed_paper_received", context)


def _staff_page(convention: Convention, amendment: Amendment | None) -> str:
    if amendment is None:
        return mail.link("admin:conventions_convention_change", convention.pk)
    return mail.link("admin:conventions_amendment_change", amendment.pk)

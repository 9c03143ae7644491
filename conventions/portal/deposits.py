"""What a mayor's office sends back signed: kept after its content is checked, and staff are told."""

from datetime import date

from django.db import transaction
from django.utils import timezone

from conventions import filings, life, states
from conventions.models import Amendment, Convention, Paper, PaperKind
from conventions.papers import freezing, kept
from entsvc import mail
from entsvc.journal import record
from entsvc.scans import CheckedPdf

MOST_DEPOSITS = 10  # for what was sent to be signed once


class DepositRefused(Exception):
    """The file can't be received; the message says what to do, in French."""


def deposit_agreement(*, convention: Convention, pdf: CheckedPdf, actor: str) -> Paper:
    """Keep the signed agreement that a member sends back: staff record the signature once they read it.

    Raises DepositRefused where the agreement is not to be signed, or changed since this was signed.
    """
    with transaction.atomic():
        locked = Convention.objects.select_for_update(of=("self",)).get(pk=convention.pk)
        if locked.status != states.SENT:
            raise DepositRefused("Cette convention n'est plus à signer : rechargez la page.")
        kind, role = PaperKind.AGREEMENT, Paper.Role.SIGNED
        if freezing.is_outdated(pdf, locked, None, kind):
            raise DepositRefused(
                "Ce fichier est celui que vous aviez déposé avant que la convention change : "
                "faites signer la nouvelle version."
            )
        is_new = _is_new(locked, kind, pdf)
        paper = freezing.receive(pdf, pdf.name, locked, kind=kind, actor=actor, role=role)
        if is_new:
            told = f"Convention {locked.reference} déposée signée par {actor}"
            record(actor=actor, action="convention-deposited", target=locked, summary=told)
            _tell(convention, None, actor)
    return paper


def deposit_amendment(
    *,
    amendment: Amendment,
    pdf: CheckedPdf,
    signed_on: date,
    transmitted_on: date | None,
    proof: CheckedPdf | None,
    actor: str,
) -> Amendment:
    """File the signed amendment that a member sends back today, and tell staff.

    An earlier transmission counts when it is proved. Raises DepositRefused.
    """
    try:
        with transaction.atomic():
            filed = filings.file(
                amendment=amendment,
                pdf=pdf,
                received_on=timezone.localdate(),
                actor=actor,
                transmitted_on=transmitted_on,
                proof=proof,
                signed_on=signed_on,
            )
            _tell(amendment.convention, filed, actor)
    except (filings.AmendmentRefused, states.IllegalTransition, life.Refused) as error:
        raise DepositRefused(str(error)) from error
    return filed


def _is_new(convention: Convention, kind: str, pdf: CheckedPdf) -> bool:
    """Tell whether a file is not the last received since the sending; refuse one too many.

    An amendment needs no such limit: once filed it takes no other until staff sent it back.
    """
    papers = convention.papers.filter(kind=kind, amendment=None).select_related("document")
    _, received = kept.received(papers.order_by("at", "pk"))
    if received and received[-1].document.sha256 == pdf.sha256:
        return False
    if len(received) >= MOST_DEPOSITS:
        raise DepositRefused(
            f"Vous avez déjà déposé {MOST_DEPOSITS} fichiers pour cette convention : nous vérifions "
            "le dernier. Pour le remplacer, écrivez au service qui l'a établie."
        )
    return True


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

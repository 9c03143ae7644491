"""Read where the deposits on Chorus Pro stand, for a timer to call."""

from argparse import ArgumentParser
from typing import Any

from entsvc.commands import JsonCommand
from entsvc.journal import command_actor
from invoicing.chorus.access import ChorusOff, access_of
from invoicing.chorus.client import ChorusClient
from invoicing.chorus.following import Followed, follow_all, to_follow
from invoicing.chorus.works import told_of
from invoicing.models import Deposit, DepositedPiece
from members.models import Issuer


class Command(JsonCommand):
    """Thin: the rules are in `invoicing.chorus.following`. It deposits nothing."""

    help = "Lit sur Chorus Pro ce que deviennent les dépôts, et recherche ceux dont l'état est inconnu."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the issuer and the time that it may take."""
        super().add_arguments(parser)
        parser.add_argument("--issuer", metavar="CODE", help="Un seul émetteur ; tous par défaut.")
        parser.add_argument(
            "--seconds", type=float, metavar="N", help="N'entreprend plus rien passé ce temps."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the deposits of each issuer, and tell what changed; fail when none could be read."""
        as_json, done, off = options["json"], Followed(), []
        deposits = list(to_follow())
        if options["issuer"]:
            issuer = Issuer.objects.filter(code=options["issuer"]).first()
            if issuer is None:
                message = f"Aucun émetteur de code {options['issuer']}."
                self.fail({"error": message, **_document(done)}, message, as_json=as_json)
            deposits = [row for row in deposits if row.sending.bordereau.issuer_id == issuer.pk]
        for issuer in sorted({row.sending.bordereau.issuer for row in deposits}, key=lambda i: i.code):
            mine = [row for row in deposits if row.sending.bordereau.issuer_id == issuer.pk]
            try:
                client = ChorusClient(access_of(issuer))
            except ChorusOff as error:
                off.append(str(error))
                done.left += len(mine)
                continue
            part = follow_all(mine, client=client, actor=command_actor(), seconds=options["seconds"])
            done.read += part.read
            done.changed |= part.changed
            done.failed += part.failed
            done.left += part.left
        done.failed += sorted(set(off))
        if done.failed and not done.read:
            message = " ".join(done.failed)
            self.fail({"error": message, **_document(done)}, message, as_json=as_json)
        self.answer(_document(done), [told_of(done), *done.failed], as_json=as_json)


def _document(done: Followed) -> dict[str, Any]:
    return {
        "read": [_deposit(row) for row in done.read],
        "changed": done.changed,
        "failed": done.failed,
        "left": done.left,
    }


def _deposit(deposit: Deposit) -> dict[str, Any]:
    pieces = deposit.pieces.select_related("titre").defer("titre__payload").order_by("titre__number")
    return {
        "issuer": deposit.sending.bordereau.issuer.code,
        "file": deposit.sending.file_name,
        "state": deposit.state,
        "flow": deposit.flow,
        "flow_state": deposit.flow_state,
        "accepted": deposit.is_accepted,
        "pieces": [_piece(row) for row in pieces],
    }


def _piece(piece: DepositedPiece) -> dict[str, Any]:
    day = piece.made_available_on
    return {
        "reference": piece.titre.reference,
        "status": piece.status,
        "made_available_on": day.isoformat() if day else None,
        "rejected": piece.closed,
        "reason": piece.reason,
    }

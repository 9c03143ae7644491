"""Send the mails that are due, for a timer to call: those that a response did not get away."""

from typing import Any

from entsvc import mail
from entsvc.commands import JsonCommand
from entsvc.french import plural
from entsvc.models import OutgoingMail


class Command(JsonCommand):
    """Thin: the rules are in `mail`."""

    help = "Envoie les courriels en attente et efface ceux de plus d'un an."

    def handle(self, *args: Any, **options: Any) -> None:
        """Send batch after batch until nothing is due."""
        total = mail.Delivery()
        while True:
            done = mail.deliver()
            total.sent += done.sent
            total.postponed += done.postponed
            total.failed += done.failed
            if not (done.sent or done.postponed or done.failed):
                break
        purged = mail.purge()
        states = OutgoingMail.State
        waiting = OutgoingMail.objects.filter(state__in=[states.WAITING, states.SENDING]).count()
        self.answer(
            {
                "sent": total.sent,
                "postponed": total.postponed,
                "failed": total.failed,
                "waiting": waiting,
                "purged": purged,
            },
            [
                f"{plural(total.sent, 'courriel envoyé', 'courriels envoyés')}, "
                f"{plural(total.postponed, 'remis', 'remis')} à plus tard, "
                f"{plural(total.failed, 'abandonné', 'abandonnés')}, "
                f"{plural(waiting, 'en attente', 'en attente')}."
            ],
            as_json=options["json"],
        )

"""The titres of members and of those they took over, with what was paid of them and by when to pay."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from entsvc.changes import in_batches
from invoicing.chorus.posting import posted_on
from invoicing.deadlines import Deadline, deadline
from invoicing.models import Titre, TitreDocument
from invoicing.payments import Standing, standing
from members import successions
from members.models import Member


@dataclass(frozen=True)
class Row:
    """A titre as its list shows it: what it asks, by when, and what was paid.

    `former` is the member taken over to which it was sent, empty for one's own.
    """

    titre: Titre
    standing: Standing
    deadline: Deadline
    has_pdf: bool
    former: str
    late: bool

    @property
    def to_pay(self) -> bool:
        """Tell whether something remains to pay; never of what corrects another titre."""
        return _to_pay(self.titre, self.standing)


def titres_of(members: QuerySet[Member]) -> QuerySet[Titre]:
    """Return the titres that members owe, the latest first.

    Who took over a member stands for it: it reads the titres of that one too, and nothing else of it.
    """
    return _titres(list(members.order_by("pk").values_list("pk", flat=True)))


def issuers_of(members: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield members, among these, and the keys of the issuers whose titres they read, or are to read."""
    stands = {key: key for key in members} | successions.taken_over_by(members)
    for batch in in_batches(stands):
        rows = Titre.objects.filter(debtor__in=batch).order_by().values_list("debtor", "issuer")
        for debtor, issuer in rows.distinct():
            yield stands[debtor], issuer


def row(titre: Titre, own: Collection[int], on: date) -> Row:
    """Return how a titre is shown, on a day, to those of these members."""
    found = standing(titre)
    due = deadline(titre.issued_on, titre.payload["document"]["due_text"], titre.posted)
    return Row(
        titre=titre,
        standing=found,
        deadline=due,
        has_pdf=bool(titre.drawn),
        former="" if titre.debtor_id in own else titre.debtor_name,
        late=_to_pay(titre, found) and due.is_over(on),
    )


def rows_of(member: Member) -> list[Row]:
    """Return the titres of a member as they are shown today."""
    today = timezone.localdate()
    return [row(titre, {member.pk}, today) for titre in _titres([member.pk])]


def reads_too(member: Member) -> Member | None:
    """Return who took over a member, and reads its titres too."""
    return member.successor if successions.is_done(member, timezone.localdate()) else None


def home_of(titre: Titre, own: Collection[int]) -> int:
    """Return the key of which of these members a titre is shown to."""
    if titre.debtor_id in own:
        return titre.debtor_id
    return successions.taken_over_by(own, timezone.localdate())[titre.debtor_id]


def _titres(own: list[int]) -> QuerySet[Titre]:
    drawn = TitreDocument.objects.filter(role=TitreDocument.Role.PDF).select_related("document")
    return (
        Titre.objects.filter(debtor__in=[*own, *successions.taken_over_by(own, timezone.localdate())])
        .annotate(posted=posted_on())
        .select_related("issuer", "original")
        .prefetch_related(
            "payments",
            Prefetch("corrections", Titre.objects.defer("payload").order_by("pk")),
            Prefetch("documents", drawn.order_by("pk"), to_attr="drawn"),
        )
        .order_by("-issued_on", "-number", "pk")
    )


def _to_pay(titre: Titre, found: Standing) -> bool:
    return titre.kind == Titre.Kind.TITRE and not found.settled

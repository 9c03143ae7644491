"""The titres of members, with what was paid of them."""

from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from invoicing.models import Titre, TitreDocument
from invoicing.payments import Standing, standing
from members.models import Member


@dataclass(frozen=True)
class Row:
    """A titre as its list shows it: what it asks, by when, and what was paid."""

    titre: Titre
    standing: Standing
    due_text: str
    has_pdf: bool

    @property
    def to_pay(self) -> bool:
        """Tell whether something remains to pay; never of what corrects another titre."""
        return self.titre.kind == Titre.Kind.TITRE and not self.standing.settled


def titres_of(members: QuerySet[Member]) -> QuerySet[Titre]:
    """Return the titres that members owe, the latest first."""
    drawn = TitreDocument.objects.filter(role=TitreDocument.Role.PDF).select_related("document")
    return (
        Titre.objects.filter(debtor__in=members.order_by().values("pk"))
        .select_related("issuer", "original")
        .prefetch_related(
            "payments",
            Prefetch("corrections", Titre.objects.defer("payload").order_by("pk")),
            Prefetch("documents", drawn.order_by("pk"), to_attr="drawn"),
        )
        .order_by("-issued_on", "-number", "pk")
    )


def issuers_of(member: Member) -> QuerySet:
    """Return the keys of the issuers whose titres a member owes."""
    return Titre.objects.filter(debtor=member).order_by().values_list("issuer", flat=True).distinct()


def row(titre: Titre) -> Row:
    """Return how a titre is shown."""
    return Row(
        titre=titre,
        standing=standing(titre),
        due_text=titre.payload["document"]["due_text"],
        has_pdf=bool(titre.drawn),
    )

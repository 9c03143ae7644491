"""What an issuer's staff have to do for a school year, from the data to the last euro.

Nothing here is stored: each line counts rows that a list shows, and leads to it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import (
    BooleanField,
    Count,
    Exists,
    ExpressionWrapper,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from conventions import readiness, states
from conventions.findings import BLOCKING, Scope, all_agreements
from conventions.models import Amendment, Objection
from conventions.scoped_pages import address_of
from entsvc import school_year
from entsvc.french import euros, plural
from invoicing import waiting
from invoicing.balance import APPROXIMATE_DAYS
from invoicing.bordereaux import State
from invoicing.facturx.production import wanted
from invoicing.left_to_issue import to_issue, unissued
from invoicing.models import (
    Bordereau,
    BordereauEvent,
    Channel,
    CostStatement,
    Deposit,
    DepositedPiece,
    MandatRequest,
    PendingReceipt,
    Run,
    Titre,
)
from invoicing.payments import ZERO
from invoicing.rendering import without_document
from invoicing.statuses import Status, standings
from members.models import Issuer
from tariffs.models import Adoption, Schedule

UNDER_WAY = (states.DRAFT, states.SENT, states.SIGNED)
OPEN = (Status.SENT, Status.TAKEN, Status.PARTLY_PAID)


@dataclass(frozen=True)
class Task:
    """One thing to do: how many rows, in words, what it means, where they are."""

    words: str
    advice: str
    link: str
    blocks: bool = False


@dataclass(frozen=True)
class Stage:
    """A stage of the year and what is left to do in it; `link` leads to its own page.

    `apart` is the address of its tasks, when counting them would keep the page waiting.
    """

    title: str
    link: str
    tasks: tuple[Task, ...] = ()
    apart: str = ""


@dataclass(frozen=True)
class Year:
    """What an issuer's school year holds: its titres and other rows counted, its schedules, its runs.

    In euros: `called` is what was issued and not corrected, then what was received of it and what is
    left to pay, `late` being the part of it that was issued long ago. `counts` goes by name.
    """

    schedules: list[Schedule]
    runs: list[Run]
    counts: dict[str, int]
    titres: int
    called: Decimal
    received: Decimal
    remaining: Decimal
    late: Decimal

    @property
    def overpaid(self) -> Decimal:
        """Return what was received beyond what some titres ask for: it lessens no other."""
        return self.remaining - (self.called - self.received)


def last_adopted_year(issuer: Any) -> int | None:
    """Return the last school year for which a tariff of an issuer was adopted, None before any."""
    found = Adoption.objects.filter(schedule__issuer=issuer).aggregate(last=Max("school_year"))
    return found["last"]


def read(scope: Scope) -> Year:
    """Return what an issuer's school year holds, in four queries."""
    titres = Titre.objects.filter(issuer=scope.issuer, campaign__school_year=scope.year)
    sums = _sums(titres)
    return Year(
        schedules=list(_schedules(scope)),
        runs=list(_last_runs(scope)),
        counts=_counts(scope, titres) | {name: sums.pop(name) for name in ("overdue", "rejected")},
        **sums,
    )


def stages(scope: Scope, year: Year, user: Any) -> list[Stage]:
    """Return the stages of the year that an account may see, each with what is left to do."""
    shown = []
    if user.has_perm(DATA_RIGHT):
        shown.append(Stage(*_data_page(scope), apart=address_of("collection:home-data", scope)))
    for title, right, page, tasks in STAGES:
        if user.has_perm(right):
            shown.append(Stage(title, _list(page), tuple(tasks(scope, year, user))))
    return shown


def data_stage(scope: Scope, user: Any) -> Stage:
    """Return the first stage with its tasks: some forty counts, as long as the rest of the page."""
    return Stage(*_data_page(scope), tasks=tuple(_data(scope, _schedules(scope), user)))


def _data_page(scope: Scope) -> tuple[str, str]:
    return "Données", address_of("conventions:readiness", scope)


def _sums(titres: QuerySet[Titre]) -> dict[str, Any]:
    """Return the titres of the year added up, and how many ask for something."""
    long_ago = timezone.localdate() - timedelta(days=APPROXIMATE_DAYS)
    rows = list(standings(titres))
    asked = [row for row in rows if row.kind == Titre.Kind.TITRE]
    late = [row for row in asked if row.status in OPEN and row.issued_on < long_ago]
    return {
        "titres": sum(row.due > ZERO for row in asked),
        "called": sum((row.due for row in asked), ZERO),
        "received": sum((row.received for row in asked), ZERO),
        "remaining": sum((row.due_left for row in asked), ZERO),
        "late": sum((row.due_left for row in late), ZERO),
        "overdue": len(late),
        "rejected": sum(row.status == Status.REJECTED for row in rows),
    }


def _counts(scope: Scope, titres: QuerySet[Titre]) -> dict[str, int]:
    """Count the rows that wait for somebody, in one query."""
    issuer = scope.issuer
    signed, sent = (
        Exists(BordereauEvent.objects.filter(bordereau=OuterRef("pk"), kind=kind))
        for kind in (BordereauEvent.Kind.SIGNED, BordereauEvent.Kind.SENT)
    )
    bordereaux = Bordereau.objects.filter(pk__in=titres.order_by().values("bordereau"))
    agreements = all_agreements(scope)
    pieces = DepositedPiece.objects.filter(titre__in=titres.order_by().values("pk"))
    rows = {
        **{status: agreements.filter(status=status) for status in UNDER_WAY},
        "filed": Amendment.objects.filter(status=states.FILED, convention__schedule__issuer=issuer),
        "statements": CostStatement.objects.filter(
            schedule__issuer=issuer, school_year=scope.year, closed_at=None
        ),
        "objections": Objection.objects.filter(
            shown__etat__schedule__issuer=issuer,
            shown__etat__school_year=scope.year,
            answer="",
            withdrawn_at=None,
        ),
        "undrawn": without_document(titres),
        "uninvoiced": wanted(titres),
        "unwritten": waiting.to_write(bordereaux),
        "undeposited": waiting.to_deposit(bordereaux),
        "adrift": Deposit.objects.filter(
            sending__bordereau__in=bordereaux.order_by().values("pk"), state__in=waiting.STATES
        ),
        "refused": waiting.to_mend(pieces),
        "on_portal": waiting.to_handle(pieces),
        "prepared": bordereaux.filter(~signed),
        "signed": bordereaux.filter(signed, ~sent),
        "receipts": PendingReceipt.objects.filter(issuer=issuer, state=PendingReceipt.State.WAITING),
        "mandats": MandatRequest.objects.filter(titre__issuer=issuer, paid_on=None),
    }
    return (
        Issuer.objects.filter(pk=issuer.pk)
        .values(**{name: _number(q) for name, q in rows.items()})
        .get()
    )


def _number(rows: QuerySet) -> Coalesce:
    """Return the number of rows as an expression of a query about something else."""
    same = rows.order_by().annotate(same=Value(1)).values("same")
    return Coalesce(Subquery(same.annotate(number=Count("pk")).values("number")), 0)


def _schedules(scope: Scope) -> QuerySet[Schedule]:
    """Return the issuer's schedules that wait for something: an adoption, or a first run."""
    adopted = Adoption.objects.filter(schedule=OuterRef("pk"), school_year=scope.year)
    computed = Run.objects.filter(campaign__schedule=OuterRef("pk"), campaign__school_year=scope.year)
    rows = Schedule.objects.filter(issuer=scope.issuer).annotate(
        to_adopt=ExpressionWrapper(readiness.not_adopted(scope.year), BooleanField()),
        to_compute=ExpressionWrapper(Exists(adopted) & ~Exists(computed), BooleanField()),
    )
    return rows.filter(Q(to_adopt=True) | Q(to_compute=True)).order_by("code")


def _last_runs(scope: Scope) -> QuerySet[Run]:
    """Return the last run of each campaign, with its calls still to issue: `ready` and `blocked`."""
    later = Run.objects.filter(campaign=OuterRef("campaign"), number__gt=OuterRef("number"))
    return (
        Run.objects.filter(
            ~Exists(later),
            campaign__schedule__issuer=scope.issuer,
            campaign__school_year=scope.year,
        )
        .annotate(
            ready=_number(to_issue().filter(run=OuterRef("pk"))),
            blocked=_number(unissued().filter(run=OuterRef("pk"), is_blocked=True)),
        )
        .defer("basis")
        .select_related("campaign__schedule")
        .order_by("campaign__schedule__code", "campaign__rank", "pk")
    )


def _data(scope: Scope, schedules: Iterable[Schedule], user: Any) -> Iterator[Task]:
    page = address_of("conventions:readiness", scope)
    for schedule in schedules:
        if schedule.to_adopt:
            yield Task(
                f"Tarif {schedule.code} à adopter",
                "Rien ne s'appelle avant l'acte qui l'adopte pour l'année.",
                _new("tariffs_adoption", user.has_perm("tariffs.add_adoption"), scope, schedule),
                blocks=True,
            )
    numbers = readiness.counts(scope)
    known = [finding for finding in readiness.FINDINGS.values() if readiness.is_known(finding, scope)]
    blocking = sum(numbers[finding.code] for finding in known if finding.severity == BLOCKING)
    others = sum(numbers[finding.code] for finding in known if finding.severity != BLOCKING)
    if blocking:
        yield Task(
            plural(blocking, "donnée à compléter", "données à compléter"),
            "Leurs appels resteraient bloqués.",
            page,
            blocks=True,
        )
    if others:
        yield Task(plural(others, "donnée à vérifier", "données à vérifier"), "", page)


def _agreements(scope: Scope, year: Year, user: Any) -> Iterator[Task]:
    told = (
        (states.DRAFT, "convention à envoyer", "conventions à envoyer", "Projets pas encore envoyés."),
        (states.SENT, "convention à signer", "conventions à signer", "Envoyées, pas encore revenues."),
        (
            states.SIGNED,
            "convention à mettre en vigueur",
            "conventions à mettre en vigueur",
            "Signées : elles ne s'appellent qu'en vigueur.",
        ),
    )
    for status, one, many, advice in told:
        number = year.counts[status]
        if number:
            link = _list(
                "admin:conventions_convention_changelist",
                status__exact=status,
                schedule__issuer__id__exact=scope.issuer.pk,
            )
            yield Task(plural(number, one, many), advice, link)
    if year.counts["filed"]:
        yield Task(
            plural(year.counts["filed"], "avenant à examiner", "avenants à examiner"),
            "Déposés signés par les membres, ou par l'équipe.",
            _list(
                "admin:conventions_amendment_changelist",
                status__exact=states.FILED,
                convention__schedule__issuer__id__exact=scope.issuer.pk,
            ),
        )


def _calls(scope: Scope, year: Year, user: Any) -> Iterator[Task]:
    if year.counts["objections"]:
        yield Task(
            plural(year.counts["objections"], "contestation à traiter", "contestations à traiter"),
            "Leurs appels restent bloqués jusqu'à la réponse.",
            address_of("conventions:etats", scope),
            blocks=True,
        )
    for schedule in year.schedules:
        if schedule.to_compute:
            yield Task(
                f"{schedule.name} : à calculer",
                "Le tarif est adopté : créez la campagne de l'année, puis calculez.",
                _new("invoicing_campaign", user.has_perm("invoicing.compute_run"), scope, schedule),
            )
    for run in year.runs:
        page = reverse("collection:review", args=[run.pk])
        if run.ready:
            yield Task(
                plural(run.ready, "appel à émettre", "appels à émettre"),
                f"{run} : à revoir, puis à émettre.",
                page,
            )
        if run.blocked:
            yield Task(
                plural(run.blocked, "appel bloqué", "appels bloqués"), str(run), page, blocks=True
            )
    if year.counts["statements"]:
        yield Task(
            plural(year.counts["statements"], "état des dépenses à clore", "états des dépenses à clore"),
            "À viser puis à clore avant l'appel qu'il nourrit.",
            _list("admin:invoicing_coststatement_changelist", school_year__exact=scope.year),
        )


def _issued(scope: Scope, year: Year, user: Any) -> Iterator[Task]:
    mine = {"issuer__id__exact": scope.issuer.pk}
    if year.counts["undrawn"]:
        yield Task(
            plural(year.counts["undrawn"], "PDF à produire", "PDF à produire"),
            "Le dessin s'est arrêté en route : reprenez-le depuis la page du titre.",
            _list("admin:invoicing_titre_changelist", **mine),
        )
    told = (
        ("prepared", State.PREPARED, "bordereau à signer", "bordereaux à signer"),
        ("signed", State.SIGNED, "bordereau à envoyer", "bordereaux à envoyer"),
    )
    for name, state, one, many in told:
        if year.counts[name]:
            link = _list("admin:invoicing_bordereau_changelist", etat=state, **mine)
            yield Task(plural(year.counts[name], one, many), "", link)
    yield from _on_the_way(year.counts, scope.issuer)
    if year.counts["rejected"]:
        yield Task(
            plural(year.counts["rejected"], "titre rejeté", "titres rejetés"),
            "Le comptable les a renvoyés : corrigez, puis annulez et ré-émettez.",
            _list("admin:invoicing_titre_changelist", etat=Status.REJECTED, **mine),
            blocks=True,
        )


def _on_the_way(counts: dict[str, int], issuer: Issuer) -> Iterator[Task]:
    """Give what the channel of the issuer still waits for."""
    bordereaux, pieces, sendings = (
        f"admin:invoicing_{name}_changelist" for name in ("bordereau", "depositedpiece", "sending")
    )
    of_bordereau, of_piece = {"issuer__id__exact": issuer.pk}, {"emetteur": issuer.pk}
    told = (
        (
            "uninvoiced", "facture électronique à produire", "factures électroniques à produire",
            "« PDF manquants », sur la page du bordereau, les reprend.", bordereaux, of_bordereau,
        ),
        (
            "unwritten", "fichier PES à produire", "fichiers PES à produire",
            "Le comptable l'attend avec le bordereau.", bordereaux, of_bordereau | {"canal": "pes"},
        ),
        (
            "undeposited", "bordereau à déposer sur Chorus Pro", "bordereaux à déposer sur Chorus Pro",
            "", bordereaux, of_bordereau | {"canal": "depot"},
        ),
        (
            "adrift", "dépôt inachevé", "dépôts inachevés",
            "Pas encore partis, ou sans réponse : « Suivre les dépôts », sur la page du bordereau.",
            sendings, of_piece | {"channel__exact": Channel.Kind.CHORUS_PRO},
        ),
        (
            "refused", "facture à déposer de nouveau", "factures à déposer de nouveau",
            "Refusées ou rejetées par Chorus Pro : le motif est sur chacune.",
            pieces, of_piece | {"suite": "reprendre"},
        ),
        (
            "on_portal", "facture à traiter sur le portail", "factures à traiter sur le portail",
            "Le débiteur, ou Chorus Pro, demande quelque chose.",
            pieces, of_piece | {"suite": "portail"},
        ),
    )  # fmt: skip
    for name, one, many, advice, page, query in told:
        if counts[name]:
            yield Task(plural(counts[name], one, many), advice, _list(page, **query))


def _collected(scope: Scope, year: Year, user: Any) -> Iterator[Task]:
    issuer = scope.issuer
    if year.counts["overdue"]:
        yield Task(
            plural(
                year.counts["overdue"], "titre en attente de paiement", "titres en attente de paiement"
            ),
            f"Émis depuis plus de {APPROXIMATE_DAYS} jours, {euros(year.late)} restent dus.",
            f"{reverse('collection:balance')}?{urlencode({'emetteur': issuer.code})}",
        )
    if year.counts["receipts"]:
        yield Task(
            plural(year.counts["receipts"], "encaissement à attribuer", "encaissements à attribuer"),
            "Lignes du comptable qu'aucune référence ne rattache à un titre.",
            _list("admin:invoicing_pendingreceipt_changelist", issuer__id__exact=issuer.pk),
        )
    if year.counts["mandats"]:
        yield Task(
            plural(
                year.counts["mandats"],
                "mandat demandé, pas encore payé",
                "mandats demandés, pas encore payés",
            ),
            "",
            _list(
                "admin:invoicing_mandatrequest_changelist",
                titre__issuer__id__exact=issuer.pk,
                paid_on__isempty=1,
            ),
        )


def _new(model: str, may_write: bool, scope: Scope, schedule: Schedule) -> str:
    """Lead to the form of a new row for a schedule and a year; to the list, who may not write one."""
    if not may_write:
        return _list(f"admin:{model}_changelist")
    year = school_year.label(scope.year)
    return _list(f"admin:{model}_add", schedule=schedule.pk, school_year=year)


def _list(name: str, **query: Any) -> str:
    return f"{reverse(name)}?{urlencode(query)}" if query else reverse(name)


DATA_RIGHT = "conventions.view_convention"
# The next stages: title, the right to see it, its page, what is left to do in it.
STAGES: tuple[tuple[str, str, str, Callable[[Scope, Year, Any], Iterator[Task]]], ...] = (
    (
        "Conventions",
        "conventions.view_convention",
        "admin:conventions_convention_changelist",
        _agreements,
    ),
    ("Appels", "invoicing.view_run", "admin:invoicing_campaign_changelist", _calls),
    ("Titres", "invoicing.view_titre", "admin:invoicing_titre_changelist", _issued),
    ("Recouvrement", "invoicing.view_payment", "admin:invoicing_payment_changelist", _collected),
)

"""What a member objects to in its état contradictoire, what staff answer, and what that holds back."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from conventions import etat_facts, etats
from conventions.etat_facts import Facts
from conventions.models import EtatContradictoire, MemberEtat, Objection
from entsvc import mail
from entsvc.french import long_date, plural
from entsvc.journal import record
from members.models import School
from members.portal.addressees import addressees
from tariffs.models import Schedule

Kind, Answer = Objection.Kind, Objection.Answer
MOST_OPEN = 100  # of one member
LONGEST = 2000  # letters
OPEN = Q(answer="", withdrawn_at__isnull=True)
NOT_OPEN = "Cette contestation n'attend plus de réponse : rechargez la page."


class ObjectionRefused(Exception):
    """Nothing was written; the message says why and what to do, in French."""


@dataclass(frozen=True)
class Pending:
    """An objection that holds a call back: unanswered, or accepted and not mended yet."""

    siret: str
    uai: str
    words: str
    answered: bool


@transaction.atomic
def file_objection(
    *,
    shown: MemberEtat,
    kind: str,
    words: str,
    actor: str,
    school: School | None = None,
    claimed: int | None = None,
    at: datetime | None = None,
) -> Objection:
    """Keep what a member objects to, and tell staff. Raises ObjectionRefused after the last day."""
    at = at or timezone.now()
    shown = _locked(shown)
    _check_day(shown.etat, at)
    objection = Objection(
        shown=shown, kind=kind, school=school, claimed=claimed, words=words.strip(), filed_by=actor,
        filed_at=at,
    )  # fmt: skip
    _check(objection)
    try:
        with transaction.atomic():
            objection.save()
    except IntegrityError as error:
        raise ObjectionRefused(
            "Cette contestation est déjà déposée, ou incomplète : rechargez la page."
        ) from error
    _record(objection, "objection-filed", f"Contestation de {shown.debtor} : {objection}", actor)
    issuer = shown.etat.schedule.issuer
    if issuer.email:
        context = {"objection": objection, "shown": shown, "actor": actor, "path": _page(objection)}
        mail.post([issuer.email], "contestation_deposee", context)
    return objection


@transaction.atomic
def withdraw(*, objection: Objection, actor: str, at: datetime | None = None) -> None:
    """Take back an objection that has no answer yet. Raises ObjectionRefused."""
    taken = Objection.objects.filter(OPEN, pk=objection.pk).update(
        withdrawn_at=at or timezone.now(), withdrawn_by=actor
    )
    if not taken:
        raise ObjectionRefused("Cette contestation a déjà sa réponse, ou est déjà retirée.")
    _record(objection, "objection-withdrawn", f"Contestation retirée : {objection}", actor)


@transaction.atomic
def agree(*, shown: MemberEtat, actor: str, at: datetime | None = None) -> None:
    """Write that a member finds its état right; twice, the first stays. Raises ObjectionRefused."""
    at = at or timezone.now()
    shown = _locked(shown)
    _check_day(shown.etat, at)
    if shown.objections.filter(OPEN).exists():
        raise ObjectionRefused(
            "Vous avez une contestation en cours : retirez-la d'abord, si tout est exact."
        )
    agreed = MemberEtat.objects.filter(pk=shown.pk, agreed_at=None)
    if agreed.update(agreed_at=at, agreed_by=actor):
        record(
            actor=actor,
            action="etat-agreed",
            target=shown,
            summary=f"{shown.debtor} est d'accord avec son état contradictoire {shown.etat}",
        )


@transaction.atomic
def respond(
    *,
    objection: Objection,
    accepted: bool,
    actor: str,
    words: str = "",
    granted: int | None = None,
    school: School | None = None,
    at: datetime | None = None,
) -> Objection:
    """Answer an objection once, and write it to the member; the data itself is mended elsewhere.

    `granted` is the number that staff accept, `school` the one to add. Of two answers at once the first
    holds. Raises ObjectionRefused.
    """
    words = words.strip()
    numbered, missing = objection.kind in Objection.NUMBERS, objection.kind == Kind.MISSING
    if not accepted and not words:
        raise ObjectionRefused("Donnez le motif du rejet : le membre le lira.")
    if accepted and numbered and granted is None:
        raise ObjectionRefused("Donnez le nombre retenu.")
    if accepted and missing and school is None:
        raise ObjectionRefused("Donnez l'UAI de l'école à ajouter.")
    answered = Objection.objects.filter(OPEN, pk=objection.pk).update(
        answer=Answer.ACCEPTED if accepted else Answer.REJECTED,
        granted=granted if accepted and numbered else None,
        granted_school=school if accepted and missing else None,
        answer_words=words,
        answered_at=at or timezone.now(),
        answered_by=actor,
    )
    if not answered:
        raise ObjectionRefused(NOT_OPEN)
    found = Objection.objects.select_related(
        "school", "granted_school", "shown__debtor", "shown__etat__schedule__issuer"
    ).get(pk=objection.pk)
    verb = "acceptée" if accepted else "rejetée"
    _record(found, "objection-answered", f"Contestation {verb} : {found}, {found.shown.debtor}", actor)
    _tell_member(found)
    return found


def is_mended(objection: Objection, facts: Facts | None) -> bool:
    """Tell whether the data of today says what staff accepted. None: nothing is called any more.

    Of another kind of objection nothing can be read: it is mended by whoever accepts it.
    """
    if facts is None or objection.kind == Kind.OTHER:
        return True
    named = etat_facts.schools(facts)
    if objection.kind == Kind.MISSING:
        return objection.granted_school.uai in named
    school = named.get(objection.school.uai)
    if school is None or school["excluded"]:
        return True
    if objection.kind == Kind.REMOVE:
        return False
    return school.get("pupils" if objection.kind == Kind.PUPILS else "active") == objection.granted


def pending(schedule: Schedule, year: int, read: Callable[[], Mapping[str, Facts]]) -> list[Pending]:
    """Return the objections of a year that hold calls back, from what the data says, by SIRET.

    It is read only where there is one.
    """
    rows = of_year(schedule, year).filter(OPEN | Q(answer=Answer.ACCEPTED)).exclude(_of_nobody())
    rows = list(rows)
    current = read() if rows else {}
    return [
        Pending(
            siret=row.shown.debtor.siret,
            uai=row.school.uai if row.school else "",
            words=_held(row),
            answered=not row.is_open,
        )
        for row in rows
        if row.is_open or not is_mended(row, current.get(row.shown.debtor.siret))
    ]


def held_since(rows: QuerySet[Objection], at: datetime) -> bool:
    """Tell whether one of these was filed or accepted after a moment, and still stands."""
    later = Q(filed_at__gt=at) | Q(answered_at__gt=at)
    return rows.filter(later, withdrawn_at=None).exclude(answer=Answer.REJECTED).exists()


def to_mend(rows: Iterable[Objection], current: Mapping[int, Facts]) -> list[Objection]:
    """Return the accepted ones that the data does not say yet, from the facts by key of debtor."""
    return [
        row
        for row in rows
        if row.answer == Answer.ACCEPTED and not is_mended(row, current.get(row.shown.debtor_id))
    ]


def of_year(schedule: Schedule, year: int) -> QuerySet[Objection]:
    """Return the objections of a schedule and school year with what tells them."""
    rows = Objection.objects.filter(shown__etat__schedule=schedule, shown__etat__school_year=year)
    return _whole(rows)


def of_etat(etat: EtatContradictoire) -> QuerySet[Objection]:
    """Return the objections of an état with what tells them."""
    return _whole(Objection.objects.filter(shown__etat=etat))


def with_standing(rows: QuerySet[MemberEtat]) -> QuerySet[MemberEtat]:
    """Give members how many objections they maintain (`filed`), and how many wait (`waiting`)."""
    return rows.annotate(
        waiting=Count("objections", filter=Q(objections__answer="", objections__withdrawn_at=None)),
        filed=Count("objections", filter=Q(objections__withdrawn_at=None)),
    )


def objected() -> Exists:
    """Match members that filed an objection and did not withdraw it."""
    return Exists(Objection.objects.filter(shown=OuterRef("pk"), withdrawn_at=None))


def waiting() -> Exists:
    """Match members one of whose objections waits for its answer."""
    return Exists(Objection.objects.filter(OPEN, shown=OuterRef("pk")))


def figures(etat: EtatContradictoire) -> dict[str, int]:
    """Return how many members agreed, objected or said nothing, and what is left to answer."""
    kept = Q(objections__withdrawn_at=None)
    answered = {
        name: Count("objections", filter=kept & Q(objections__answer=answer), distinct=True)
        for name, answer in (
            ("waiting", ""), ("accepted", Answer.ACCEPTED), ("rejected", Answer.REJECTED),
        )
    }  # fmt: skip
    return etat.members.annotate(has=objected()).aggregate(
        members=Count("pk", distinct=True),
        objected=Count("pk", filter=Q(has=True), distinct=True),
        agreed=Count("pk", filter=Q(has=False, agreed_at__isnull=False), distinct=True),
        silent=Count("pk", filter=Q(has=False, agreed_at__isnull=True), distinct=True),
        told=Count("pk", filter=Q(told_at__isnull=False), distinct=True),
        filed=Count("objections", filter=kept, distinct=True),
        **answered,
    )


def in_words(objection: Objection) -> str:
    """Return an objection in one line: « Nombre d'élèves, École du Lac : 118 demandés »."""
    claimed = "" if objection.claimed is None else f" : {objection.claimed} au lieu du nombre montré"
    return f"{objection}{claimed}"


def granted_words(objection: Objection) -> str:
    """Return what staff accepted, in words; nothing where there is nothing to mend."""
    if objection.kind in Objection.NUMBERS:
        of = "élève" if objection.kind == Kind.PUPILS else "élève actif"
        return plural(objection.granted, of, of.replace("élève", "élèves").replace("actif", "actifs"))
    if objection.kind == Kind.MISSING:
        return f"ajouter {objection.granted_school}"
    return f"retirer {objection.school}" if objection.kind == Kind.REMOVE else ""


def _whole(rows: QuerySet[Objection]) -> QuerySet[Objection]:
    return rows.select_related(
        "school", "granted_school", "shown__debtor", "shown__etat__schedule"
    ).order_by("filed_at", "pk")


def _of_nobody() -> Q:
    """Match what no call is held back by: a debtor without SIRET is not called."""
    return Q(shown__debtor__siret=None)


def _held(row: Objection) -> str:
    if row.is_open:
        return f"Contestation sans réponse ({row}) : répondez-y, puis calculez de nouveau."
    return (
        f"Contestation acceptée, à corriger ({row}, {granted_words(row)}) : corrigez la donnée, puis "
        "calculez de nouveau."
    )


def _check_day(etat: EtatContradictoire, at: datetime) -> None:
    if etats.is_over(etat, timezone.localdate(at)):
        whom = etat.schedule.issuer.email or etat.schedule.issuer.contact
        raise ObjectionRefused(
            f"Le délai pour contester a pris fin le {long_date(etat.objections_until)}. "
            f"Écrivez à {whom or etat.schedule.issuer}."
        )


def _check(objection: Objection) -> None:
    """Refuse what says nothing, what is not in the member's état, and what is filed already."""
    if not objection.words:
        raise ObjectionRefused("Dites ce que vous contestez, en quelques mots.")
    if len(objection.words) > LONGEST:
        raise ObjectionRefused(f"Votre texte est trop long : {LONGEST} caractères au plus.")
    named = etat_facts.schools(objection.shown.facts)
    uai = objection.school.uai if objection.school else ""
    if objection.kind in Objection.OF_A_SCHOOL and uai not in named:
        raise ObjectionRefused("Choisissez une école de votre état.")
    if objection.kind == Kind.ACTIVE and not objection.shown.facts["active"]:
        raise ObjectionRefused("Les élèves actifs n'entrent pas dans cet appel.")
    if objection.kind not in Objection.NUMBERS:
        objection.claimed = None
    mine = Objection.objects.filter(OPEN, shown=objection.shown)
    same = mine.filter(kind=objection.kind, school=objection.school)
    if objection.school is None:
        same = same.filter(words=objection.words)
    if same.exists():
        raise ObjectionRefused(
            "Cette contestation est déjà déposée : attendez sa réponse, ou retirez-la pour en déposer "
            "une autre."
        )
    if mine.count() >= MOST_OPEN:
        raise ObjectionRefused(
            f"Vous avez déjà {MOST_OPEN} contestations en cours : écrivez au service qui vous facture."
        )


def _locked(shown: MemberEtat) -> MemberEtat:
    rows = MemberEtat.objects.select_for_update(of=("self",))
    return rows.select_related("debtor", "etat__schedule__issuer").get(pk=shown.pk)


def _tell_member(objection: Objection) -> None:
    shown = objection.shown
    etat = shown.etat
    context = {
        "objection": objection,
        "granted": granted_words(objection) if objection.answer == Answer.ACCEPTED else "",
        "accepted": objection.answer == Answer.ACCEPTED,
        "member": str(shown.debtor),
        "year": etat.school_year_label,
        "issuer": etat.schedule.issuer,
        "link": mail.link("espace-conventions:etat", shown.pk),
    }
    mail.post(addressees([shown.debtor_id])[shown.debtor_id], "contestation_repondue", context)


def _record(objection: Objection, action: str, summary: str, actor: str) -> None:
    record(actor=actor, action=action, target=objection, summary=summary)


def _page(objection: Objection) -> str:
    return mail.link("conventions:objection", objection.pk)


def by_member(rows: Iterable[Objection]) -> dict[int, list[Objection]]:
    """Return objections by the key of the member's état."""
    found: dict[int, list[Objection]] = defaultdict(list)
    for row in rows:
        found[row.shown_id].append(row)
    return found

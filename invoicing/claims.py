"""What the titres of a school year ask of each debtor, net of what corrected them.

Frozen with the basis of a supplementary run, and read again before anything of it is issued.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from conventions.assessment import DELIVERED
from conventions.deliveries import key_of_proof, proofs
from conventions.models import Delivery
from invoicing import apart
from invoicing.gates import SKIPPED, left_out
from invoicing.models import Campaign, MandatRequest, Run, Titre, TitreLine
from invoicing.models.titres import Titres
from invoicing.numbering import all_closed
from tariffs.models import Schedule

FROZEN = "issued"  # among the facts of a basis
SETTLED = "settled"
CLOSED = "closed"
# What was taken off for these reasons is never called again.
FINAL = {Titre.Reason.COURT.value, Titre.Reason.DUPLICATE.value}


def issued_elsewhere(
    schedule: Schedule, year: int, *, rank: int | None = None, exercice: int | None = None
) -> list[dict[str, Any]]:
    """Return, by debtor's SIRET, what the titres in force of a school year ask, as JSON types.

    `rank` leaves out the campaign of that rank, `exercice` what a later exercice bears. Each debtor has
    `rows` (its lines), `off` (what réductions and requests of mandats took off), `due` by titre,
    `closed` (those past their exercice, which only a mandat offsets), and `settled`: what is not called
    again of its annulled titres (see FINAL).
    """
    titres = not_annulled(schedule, year, rank=rank, exercice=exercice)
    by_key = {titre.pk: titre for titre in _in_order(titres)}
    closed = all_closed(by_key.values(), timezone.localdate())
    debtors: dict[int, dict[str, Any]] = {}
    for titre in by_key.values():
        debtor = debtors.setdefault(titre.debtor_id, _debtor(titre.debtor, titre.siret))
        debtor["due"][titre.reference] = str(titre.total)
        if titre.pk in closed:
            debtor[CLOSED].append(titre.reference)
    lines = TitreLine.objects.filter(titre__in=titres.values("pk"))
    for line in lines.order_by("titre__number", "position"):
        titre = by_key[line.titre_id]
        debtors[titre.debtor_id]["rows"].append(_row(line, titre.reference))
    _take_off(debtors, by_key, titres.values("pk"))
    _add_settled(debtors, schedule, year, rank, exercice)
    _add_skipped(debtors, schedule, year, rank)
    return sorted(debtors.values(), key=lambda debtor: debtor["siret"])


def outdated(run: Run) -> dict[str, str]:
    """Return {SIRET: why in French} of the debtors whose call no longer follows what is issued.

    For a supplementary run, something was issued or corrected since. For a principal one, a
    supplementary campaign billed the debtor meanwhile. What is billed apart must still be so.
    """
    campaign = run.campaign
    if campaign.apart:
        return apart.outdated(run)
    return _overtaken(run) | _left_the_year(run)


def _overtaken(run: Run) -> dict[str, str]:
    campaign = run.campaign
    rows = issued_elsewhere(campaign.schedule, campaign.school_year, rank=campaign.rank)
    now = {debtor["siret"]: debtor for debtor in rows}
    if campaign.rank == 1:
        message = "Déjà appelé par une campagne complémentaire ({}) : complétez-la plutôt."
        return {
            siret: message.format(", ".join(in_force(debtor)))
            for siret, debtor in now.items()
            if in_force(debtor)
        }
    then = {debtor["siret"]: debtor for debtor in run.basis["facts"][FROZEN]}
    message = "Un titre ou une correction a été émis depuis ce calcul : recalculez cette campagne."
    return {
        siret: message
        for siret in {*now, *then}
        if _asked_of(now.get(siret)) != _asked_of(then.get(siret))
    }


def _left_the_year(run: Run) -> dict[str, str]:
    """Return why, by SIRET, where a delivery that the run read is no longer of the yearly call."""
    read = {_same(row): row["agreement"] for row in run.basis["facts"].get(DELIVERED, ())}
    if not read:
        return {}
    campaign = run.campaign
    yearly = Delivery.objects.yearly(campaign.school_year)
    today = proofs(yearly.filter(convention__schedule=campaign.schedule_id))
    gone = read.keys() - {_same(row) for row in today}
    lost = {read[key] for key in gone}
    message = "Une prestation de ce calcul a changé ou se facture à part : recalculez cette campagne."
    return {
        member["siret"]: message
        for member in run.basis["members"]
        if any(agreement["reference"] in lost for agreement in member["agreements"])
    }


def _same(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return *key_of_proof(row), row["quantity"]


def not_annulled(
    schedule: Schedule, year: int, *, rank: int | None = None, exercice: int | None = None
) -> QuerySet[Titre]:
    """Return the titres of a schedule and school year that nothing annulled (see `issued_elsewhere`)."""
    return _of_year(schedule, year, rank, exercice).in_force()


def in_force(debtor: Mapping[str, Any]) -> list[str]:
    """Return the references of the titres of which something is still asked."""
    return [reference for reference, amount in debtor["due"].items() if Decimal(amount)]


def _asked_of(debtor: Mapping[str, Any] | None) -> list[Any]:
    return [debtor[name] for name in ("due", "rows", "off")] if debtor else []


def _in_order(titres: QuerySet[Titre]) -> QuerySet[Titre]:
    whole = titres.select_related("debtor", "issuer").defer("payload")
    return whole.order_by("exercice", "number", "pk")


def _of_year(schedule: Schedule, year: int, rank: int | None, exercice: int | None) -> Titres:
    """Return titres and corrections of a schedule and school year (see `issued_elsewhere`)."""
    titres = Titre.objects.filter(campaign__in=Campaign.objects.of_year(schedule, year).values("pk"))
    if rank is not None:
        titres = titres.exclude(campaign__rank=rank)
    if exercice is not None:
        titres = titres.filter(exercice__lte=exercice)
    return titres


def _debtor(debtor: Any, siret: str) -> dict[str, Any]:
    return {
        "debtor": debtor.pk,
        "siret": debtor.siret or siret,
        "name": str(debtor),
        "due": {},
        "rows": [],
        "off": [],
        SETTLED: [],
        CLOSED: [],
    }


def _row(line: Any, reference: str) -> dict[str, Any]:
    names = ("charge", "charge_label", "agreement", "uai", "school", "commune", "unit")
    facts = {name: getattr(line, name) for name in names}
    return {**facts, "amount": str(line.amount), "titre": reference}


def _take_off(
    debtors: Mapping[int, dict[str, Any]], titres: Mapping[Any, Titre], keys: QuerySet
) -> None:
    """Take réductions off the titres, and what a mandat was asked for: nobody corrects it twice."""
    lines = TitreLine.objects.filter(
        titre__kind=Titre.Kind.REDUCTION, titre__original__in=keys
    ).select_related("titre")
    for line in lines.defer("titre__payload").order_by("titre__number", "position"):
        final = line.titre.reason_code in FINAL
        _off(debtors, titres[line.titre.original_id], line.amount, _row(line, ""), final)
    requests = MandatRequest.objects.filter(titre__in=keys).order_by("requested_at", "pk")
    for request in requests:
        _off(debtors, titres[request.titre_id], request.amount, {}, request.reason_code in FINAL)


def _off(
    debtors: Mapping[int, dict], titre: Titre, amount: Decimal, row: Mapping[str, Any], final: bool
) -> None:
    debtor = debtors[titre.debtor_id]
    debtor["due"][titre.reference] = str(Decimal(debtor["due"][titre.reference]) - amount)
    where = {name: row.get(name, "") for name in ("charge", "charge_label", "agreement", "uai")}
    taken = {**where, "amount": str(amount), "titre": titre.reference}
    debtor["off"].append({**taken, SETTLED: True} if final else taken)


def _add_settled(
    debtors: dict[int, dict[str, Any]],
    schedule: Schedule,
    year: int,
    rank: int | None,
    exercice: int | None,
) -> None:
    """Count as settled what was taken off annulled titres for good, but of those issued again."""
    annulled = _of_year(schedule, year, rank, exercice).annulled()
    originals = annulled.filter(replaced_by__isnull=True)
    lines = TitreLine.objects.filter(titre__original__in=originals, titre__reason_code__in=FINAL)
    lines = lines.select_related("titre__original__debtor")
    lines = lines.defer("titre__payload", "titre__original__payload")
    for line in lines.order_by("titre__number", "titre_id", "position"):
        original = line.titre.original
        debtor = debtors.setdefault(original.debtor_id, _debtor(original.debtor, original.siret))
        debtor[SETTLED].append(_row(line, original.reference))


def _add_skipped(
    debtors: dict[int, dict[str, Any]], schedule: Schedule, year: int, rank: int | None
) -> None:
    """Count as issued what staff chose not to call, under the threshold: no titre asks for it."""
    campaigns = Campaign.objects.of_year(schedule, year).exclude(rank=rank or 0)
    for _, call in left_out(campaigns.order_by("rank"), SKIPPED):
        debtor = debtors.setdefault(call.debtor_id, _debtor(call.debtor, call.siret))
        debtor["rows"] += [_row(line, "") for line in call.lines.order_by("position")]

"""How an annulled titre is issued again, to the debtor that owes it, in the same transaction.

The new titre comes from a call of the latest run of the campaign that no titre was made of: mended data
are computed first. It names the titre that it replaces, which the database accepts once, and only of a
titre of which nothing is due any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from invoicing import claims, corrections, gates
from invoicing.called_twice import called_from_others
from invoicing.correction_payload import mention_of
from invoicing.corrections import Correction
from invoicing.issuing import (
    Draft,
    blocking_reasons,
    check_ledger,
    draft_of,
    head_of,
    in_force,
    lock,
    refused_by_channel,
    write_titres,
)
from invoicing.models import Call, CallLine, Campaign, Run, Titre
from invoicing.numbering import IssueRefused, exercice_for
from invoicing.payload import Letterhead
from members import successions
from members.models import Member, Signatory


@dataclass(frozen=True)
class Reissued:
    """The new titre, and the annulation; None where the titre was annulled before."""

    titre: Titre
    annulation: Titre | None


@dataclass(frozen=True)
class Candidate:
    """A call of the latest run from which a titre may be issued again, or why it can't be."""

    call: Call
    reasons: Sequence[str]


def annul_and_reissue(
    *,
    titre: Titre,
    debtor: Member,
    reason_code: str,
    reason: str,
    on: date,
    signatory: Signatory,
    actor: str,
) -> Reissued:
    """Annul a titre and issue another in its place to `debtor`, or neither.

    A titre annulled before is only issued again. Raises IssueRefused when one can't be done: see
    `corrections.correct`, and no clean call of the debtor in the latest run.
    """
    check_ledger()
    run = latest_run(titre.campaign)
    gates.check_duties(run, actor)
    gates.check_day(run, on)
    head = head_of(run, signatory, on)
    exercice = _exercice(titre, on)
    try:
        with transaction.atomic():
            lock(run.campaign)
            original = Titre.objects.select_for_update(of=("self",)).get(pk=titre.pk)
            _check_not_replaced(original)
            call = _call_for(original, debtor, run)
            annulation = _annul(original, reason_code, reason, on, signatory, actor)
            replaced = Titre.objects.get(pk=titre.pk)
            row, lines, payload = drafted = draft_of(call, run, head)
            _check_channel(drafted, run, head, exercice, on)
            _, [new] = write_titres(
                drafts=[(row, lines, {**payload, "replaces": mention_of(replaced)})],
                run=run,
                head=head,
                exercice=exercice,
                signatory=signatory,
                on=on,
                actor=actor,
                replaces=replaced,
            )
    except IntegrityError as error:
        raise IssueRefused(
            "Un autre poste vient de corriger ou de ré-émettre ce titre : rouvrez sa page."
        ) from error
    return Reissued(new, annulation)


def _exercice(titre: Titre, on: date) -> int:
    """Return the exercice of the new titre: that of the titre it annuls, or of the day.

    Nothing is taken off a titre annulled before: where its exercice is over, the new one bears that of
    its own day. Raises IssueRefused where something is still to annul in an exercice that is over.
    """
    if corrections.due(titre):
        corrections.check_exercice(titre, on)
        return titre.exercice
    over = corrections.why_closed(titre, on)
    return exercice_for(on, None, titre.issuer.complementary_days) if over else titre.exercice


def _check_channel(drafted: Draft, run: Run, head: Letterhead, exercice: int, on: date) -> None:
    """Raise IssueRefused for what the issuer's channel would refuse of the new titre."""
    for reasons in refused_by_channel([drafted], run, head, exercice, on).values():
        raise IssueRefused(*reasons)


def latest_run(campaign: Campaign) -> Run:
    """Return the last calculation of a campaign."""
    return campaign.runs.select_related("campaign__schedule__issuer").latest("number")


def candidates(titre: Titre) -> list[Candidate]:
    """Return, by SIRET, the calls of the latest run from which a titre may be issued again.

    Those of the debtor itself, of who took it over, and of those who are now asked to pay for an
    agreement that the titre named; a debtor that has another titre in force is no candidate.
    """
    run = latest_run(titre.campaign)
    stands = successions.last_successor(titre.debtor_id, successions.known_successors())
    agreements = set(titre.lines.exclude(agreement="").order_by().values_list("agreement", flat=True))
    sharing = CallLine.objects.filter(call__run=run, agreement__in=agreements).values("call")
    others = _others_in_force(titre).values("debtor")
    calls = run.calls.filter(titre__isnull=True).exclude(debtor__in=others)
    asked = calls.filter(debtor__in={titre.debtor_id, stands}) | calls.filter(pk__in=sharing)
    found = list(asked.select_related("debtor").order_by("siret"))
    reasons, outdated = blocking_reasons(run, found), claims.outdated(run)
    twice = called_from_others(run, found, replaced=titre)
    for call in found:
        if call.siret in outdated:
            reasons[call.pk].append(outdated[call.siret])
        reasons[call.pk] += twice.get(call.pk, [])
    return [Candidate(call, reasons[call.pk]) for call in found]


def why_replaced(titre: Titre) -> str:
    """Say which titre replaces this one already; nothing where none does."""
    new = Titre.objects.filter(replaces=titre).defer("payload").first()
    return "" if new is None else f"Le titre {titre.reference} est déjà remplacé par {new.reference}."


def _others_in_force(titre: Titre) -> QuerySet[Titre]:
    """Return the other titres with which a new one could bill twice.

    Those of the campaign, and of the supplementary ones after it: they billed what this one had not.
    """
    later = titre.campaign.together.filter(rank__gte=titre.campaign.rank)
    return in_force(later.order_by("rank")).exclude(pk=titre.pk)


def _check_not_replaced(titre: Titre) -> None:
    if titre.kind != Titre.Kind.TITRE:
        raise IssueRefused(
            f"{titre.reference} n'est pas un titre mais une correction : partez du titre d'origine."
        )
    why = why_replaced(titre)
    if why:
        raise IssueRefused(why)


def _call_for(titre: Titre, debtor: Member, run: Run) -> Call:
    """Return the clean call of a debtor; say what to do when there is none."""
    found = next((item for item in candidates(titre) if item.call.debtor_id == debtor.pk), None)
    if found is not None and not found.reasons:
        return found.call
    if found is not None:
        raise IssueRefused(f"L'appel de {debtor} est bloqué.", *found.reasons)
    other = _others_in_force(titre).filter(debtor=debtor).order_by("pk").first()
    if other is not None:
        raise IssueRefused(
            f"{debtor} a déjà le titre {other.reference} dans cette campagne : annulez ce titre-ci, "
            "puis appelez la différence par une campagne complémentaire."
        )
    if run.calls.filter(debtor=debtor, titre__isnull=False).exists():
        raise IssueRefused(
            f"L'appel de {debtor} au calcul n° {run.number} a déjà servi : relancez le calcul de la "
            "campagne, puis recommencez."
        )
    raise IssueRefused(
        f"Le calcul n° {run.number} n'appelle rien de {debtor} pour ce titre : corrigez sa convention "
        "ou son payeur, relancez le calcul, puis recommencez."
    )


def _annul(
    titre: Titre, reason_code: str, reason: str, on: date, signatory: Signatory, actor: str
) -> Titre | None:
    if not corrections.due(titre):
        return None
    asked = Correction(titre, Titre.Kind.ANNULATION, reason_code, reason)
    done = corrections.write_corrections(corrections=[asked], on=on, signatory=signatory, actor=actor)
    return done.titres[0]

"""What an amendment may ask for: each refusal is a French sentence saying what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from conventions import states
from conventions.amendments import Filing, out_of_order
from conventions.applying import payer_for
from conventions.assessment import covering
from conventions.models import AmendedCommune, Amendment, Convention, Enrolment, Termination
from conventions.policies import years_beyond
from conventions.school_lists import NoWindow, covers, during, enrolled, policy_of
from entsvc import school_year
from entsvc.french import long_date
from members.models import Member, Membership, School

SHOWN = 5  # schools named in a refusal


class AmendmentRefused(Exception):
    """The amendment can't be opened, sent, filed or decided so; a French message says what to do."""


@dataclass(frozen=True)
class Wish:
    """What a member asks for: the whole list of schools, communes that move, other bodies."""

    schools: tuple[School, ...]
    joining: tuple[Member, ...] = ()
    leaving: tuple[Member, ...] = ()
    new_party: Member | None = None
    new_debtor: Member | None = None
    uais: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Read the list by UAI once."""
        object.__setattr__(self, "uais", frozenset(school.uai for school in self.schools))

    @property
    def others(self) -> bool:
        """Tell whether it asks for more than another list."""
        return bool(self.joining or self.leaving or self.new_party or self.new_debtor)

    @property
    def moves(self) -> list[str]:
        """Return « Turenne rejoint le RPI » for each commune that moves."""
        joining = [f"{commune} rejoint le RPI" for commune in self.joining]
        return [*joining, *(f"{commune} quitte le RPI" for commune in self.leaving)]


def wish(
    convention: Convention,
    schools: Iterable[School],
    joining: Iterable[Member] = (),
    leaving: Iterable[Member] = (),
    new_party: Member | None = None,
    new_debtor: Member | None = None,
) -> Wish:
    """Return what is asked for, each thing once; a body that is already there is no change."""
    return Wish(
        tuple({school.pk: school for school in schools}.values()),
        tuple({member.pk: member for member in joining}.values()),
        tuple({member.pk: member for member in leaving}.values()),
        new_party if new_party and new_party.pk != convention.party_id else None,
        new_debtor if new_debtor and new_debtor.pk != convention.debtor_id else None,
    )


def wish_of(amendment: Amendment) -> Wish:
    """Return what a stored amendment asks for."""
    rows = list(amendment.communes.select_related("commune").order_by("pk"))
    schools = amendment.schools.select_related("school").order_by("school__uai")
    return wish(
        amendment.convention,
        [row.school for row in schools],
        [row.commune for row in rows if row.change == AmendedCommune.Change.JOINS],
        [row.commune for row in rows if row.change == AmendedCommune.Change.LEAVES],
        amendment.new_party,
        amendment.new_debtor,
    )


def check_opening(convention: Convention, year: int) -> None:
    """Refuse an amendment that the agreement can't take for a school year."""
    try:
        policy_of(convention)
    except NoWindow as error:
        raise AmendmentRefused(str(error)) from error
    if convention.status != states.IN_FORCE:
        raise AmendmentRefused(
            f"La convention {convention.reference} est « {convention.get_status_display().lower()} » : "
            "seule une convention en vigueur prend un avenant."
        )
    check_year(convention, year)
    _refuse(_earlier_year(convention, year))


def check_year(convention: Convention, year: int) -> None:
    """Refuse a school year that the agreement, or its text, does not cover."""
    if covers(convention, year):
        _refuse(years_beyond(convention.policy, year, year))
        return
    last = school_year.label(convention.last_year) if convention.last_year is not None else ""
    until = f" à {last}" if last else ""
    raise AmendmentRefused(
        f"La convention {convention.reference} ne couvre pas {school_year.label(year)} : choisissez une "
        f"année de {school_year.label(convention.first_year)}{until}."
    )


def check_wish(convention: Convention, year: int, asked: Wish) -> None:
    """Refuse a wish that changes nothing, or that the agreement can't hold."""
    for message in _problems(convention, year, asked):
        raise AmendmentRefused(message)


def check_filing(convention: Convention, counts_on: date | None, comment: str) -> None:
    """Refuse a filing after the end of the agreement; once it is over, ask staff why they still file.

    `counts_on` is the day that counts. A member gives no comment: it files while the agreement runs.
    """
    _refuse(_over(convention, counts_on))
    if convention.status != states.IN_FORCE and not comment.strip():
        raise AmendmentRefused(
            f"La convention {convention.reference} est « {convention.get_status_display().lower()} » : "
            "seul le service qui l'a établie peut encore enregistrer cet avenant, en disant pourquoi en "
            "commentaire."
        )


def check_decision(amendment: Amendment, filing: Filing, asked: Wish) -> None:
    """Refuse to accept what an earlier acceptance, or another agreement, no longer lets in."""
    convention, year = amendment.convention, amendment.school_year
    over = _over(convention, filing.filed_on)
    if over:
        raise AmendmentRefused(f"{over} Renvoyez l'avenant, puis abandonnez-le.")
    check_year(convention, year)
    accepted = convention.amendments.filter(status=states.ACCEPTED).order_by("school_year", "number")
    by_filing = {row.filing_of(frozenset(), False): row for row in accepted}
    earlier = out_of_order(filing, by_filing)
    if earlier:
        other = by_filing[earlier]
        raise AmendmentRefused(
            f"L'avenant n° {other.number}, accepté pour {school_year.label(other.school_year)}, vient "
            "après celui-ci et sa liste fait foi : renvoyez celui-ci au membre pour qu'il dépose un "
            "nouvel avenant."
        )
    _refuse(_elsewhere(convention, year, asked.uais))
    if asked.new_party or asked.new_debtor:
        _refuse(_bodies(convention, year, asked))


def named_elsewhere(convention: Convention, year: int, uais: Iterable[str]) -> list[Enrolment]:
    """Return the rows by which other agreements of the schedule name these schools in that year."""
    rows = Enrolment.objects.filter(
        covering(year),
        covering(year, "convention__"),
        convention__schedule=convention.schedule_id,
        convention__status__in=states.OWING,
        school__uai__in=list(uais),
    ).exclude(convention=convention)
    return list(rows.select_related("school", "convention").order_by("school__uai", "pk"))


def _over(convention: Convention, counts_on: date | None) -> str:
    """Return why an agreement no longer takes an amendment that counts from a day."""
    if convention.status not in states.OWING:
        state = convention.get_status_display().lower()
        return f"La convention {convention.reference} est « {state} » : elle ne prend plus d'avenant."
    last = convention.last_day
    if last is None or counts_on is None or counts_on <= last:
        return ""
    return (
        f"La convention {convention.reference} a pris fin le {long_date(last)} : un avenant du "
        f"{long_date(counts_on)} ne la change plus."
    )


def _refuse(message: str) -> None:
    if message:
        raise AmendmentRefused(message)


def _earlier_year(convention: Convention, year: int) -> str:
    later = convention.amendments.filter(status=states.ACCEPTED, school_year__gt=year)
    other = later.order_by("school_year", "number").first()
    if other is None:
        return ""
    return (
        f"L'avenant n° {other.number}, accepté, fixe déjà la liste à partir de "
        f"{school_year.label(other.school_year)} : les avenants se prennent dans l'ordre des années. "
        f"Déposez celui-ci pour {school_year.label(other.school_year)} ou une année suivante."
    )


def _problems(convention: Convention, year: int, asked: Wish) -> Iterator[str]:
    """Yield what is wrong with a wish, the plainest first."""
    if not asked.schools:
        yield (
            "Un avenant garde au moins une école : pour les retirer toutes, mettez fin à la convention."
        )
    yield from _wrong_schools(convention, asked)
    yield from _wrong_communes(convention, year, asked)
    bodies = _bodies(convention, year, asked)
    if bodies:
        yield bodies
    current = frozenset(school.uai for school in enrolled(convention, year))
    if not Filing(year, asked.uais, others=asked.others).changes(current):
        yield (
            f"Cette liste est déjà celle de {school_year.label(year)} : rien ne change, aucun avenant "
            "n'est nécessaire."
        )


def _wrong_schools(convention: Convention, asked: Wish) -> Iterator[str]:
    private = [school for school in asked.schools if school.sector == School.Sector.PRIVATE]
    if private and not convention.private_included:
        yield (
            f"La convention ne comprend que des écoles publiques : retirez {_shown(private)} de la "
            "liste."
        )
    left = {commune.insee_code for commune in asked.leaving} - {""}
    kept = [school for school in asked.schools if school.commune_code in left]
    if kept:
        yield f"Leur commune quitte le RPI : retirez {_shown(kept)} de la liste."


def _wrong_communes(convention: Convention, year: int, asked: Wish) -> Iterator[str]:
    if not asked.joining and not asked.leaving:
        return
    body = convention.party
    if body.kind != Member.Kind.RPI:
        yield (
            "Le signataire n'est pas un RPI : une commune qui rejoint ou quitte un RPI où chacune signe "
            "a sa propre convention."
        )
        return
    wrong = [m for m in (*asked.joining, *asked.leaving) if m.kind != Member.Kind.COMMUNE]
    if wrong:
        yield f"Un RPI réunit des communes : {wrong[0]} n'en est pas une."
    held = Membership.objects.filter(body=body, valid_to=None)
    inside = set(held.order_by("pk").values_list("commune_id", flat=True))
    past = Membership.objects.filter(during(year), body=body)
    inside_this_year = set(past.order_by("pk").values_list("commune_id", flat=True))
    for commune in asked.joining:
        if commune.pk in inside:
            yield f"{commune} est déjà dans ce RPI."
    for commune in asked.leaving:
        if commune.pk not in inside | inside_this_year:
            yield f"{commune} n'est pas dans ce RPI : elle ne peut pas le quitter."
    gone = {commune.pk for commune in asked.leaving}
    if {commune.pk for commune in asked.joining} & gone:
        yield "Une même commune ne peut pas rejoindre et quitter le RPI par un seul avenant."
    if convention.debtor_id in gone and asked.new_debtor is None:
        yield f"{convention.debtor} paie pour le RPI et le quitte : désignez le nouveau payeur."


def _bodies(convention: Convention, year: int, asked: Wish) -> str:
    """Return what prevents another body from signing or paying from that year on."""
    if not (asked.new_party or asked.new_debtor):
        return ""
    if year <= convention.first_year:
        return (
            f"Un nouveau signataire ou payeur dès {school_year.label(year)}, première année de la "
            "convention, ne fait pas l'objet d'un avenant : établissez une autre convention."
        )
    if asked.new_debtor and not asked.new_debtor.siret:
        return f"{asked.new_debtor} n'a pas de SIRET : saisissez-le, qui paie en a un."
    if asked.new_party and not asked.new_debtor and payer_for(asked.new_party) is None:
        return f"{asked.new_party} n'a pas de SIRET et ne peut pas payer : désignez le nouveau payeur."
    if Convention.objects.filter(succeeds=convention).exists():
        return "Une autre convention prend déjà la suite de celle-ci : ouvrez l'avenant sur elle."
    open_ones = Termination.objects.filter(convention=convention, status=Termination.Status.OPEN)
    if convention.status == states.IN_FORCE and not open_ones.exists():
        return ""
    return (
        "La convention prend fin ou a pris fin : un nouvel organisme signe alors une autre convention."
    )


def _elsewhere(convention: Convention, year: int, uais: frozenset[str]) -> str:
    found = named_elsewhere(convention, year, uais)
    if not found:
        return ""
    row = found[0]
    return (
        f"{row.school} est déjà nommée en {school_year.label(year)} par la convention "
        f"{row.convention.reference} : retirez-la d'abord de celle-là, ou renvoyez cet avenant."
    )


def _shown(schools: Iterable[School]) -> str:
    names = [str(school) for school in schools]
    more = f" et {len(names) - SHOWN} autres" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def wrong_dates(
    received_on: date | None,
    transmitted_on: date | None,
    proved: bool,
    today: date,
    signed_on: date | None = None,
) -> str:
    """Return what is wrong with the dates of a filing."""
    for day in (received_on, transmitted_on, signed_on):
        if day and day > today:
            return f"Le {long_date(day)} est à venir : donnez la date réelle."
    if received_on and transmitted_on and transmitted_on > received_on:
        return "Un avenant est transmis avant d'être reçu : corrigez l'une des deux dates."
    for day, how in ((transmitted_on, "transmis"), (received_on, "reçu")):
        if signed_on and day and day < signed_on:
            return (
                f"Un avenant signé le {long_date(signed_on)} n'a pas été {how} le {long_date(day)} : "
                "corrigez l'une des deux dates."
            )
    if proved and not transmitted_on:
        return "Donnez la date de transmission que cette preuve établit."
    if not received_on and not (transmitted_on and proved):
        return "Donnez la date de réception, ou celle de la transmission avec sa preuve."
    return ""

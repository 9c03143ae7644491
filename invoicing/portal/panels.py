"""What the home page of a member shows of its titres: the latest, and those still to pay."""

from collections.abc import Iterable

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from conventions.portal.own import conventions_of
from entsvc.french import euros
from entsvc.once import asked_once
from invoicing.evolution import evolution
from invoicing.models import Titre
from invoicing.portal import own
from members.models import Member
from members.portal import expectations, panels, reach
from members.portal.expectations import Expectation
from members.portal.panels import Panel

SHOWN = 5


def titres_panel(request: HttpRequest, member: Member) -> str:
    """Draw the titres that remain to pay and the latest ones."""
    rows = _rows(request, member)
    shown = [row for rank, row in enumerate(rows) if row.to_pay or rank < SHOWN]
    more = len(rows) - len(shown)
    context = {"member": member, "rows": shown, "more": more, "successor": own.reads_too(member)}
    return render_to_string("espace/titres/panel.html", context)


def expected(request: HttpRequest, member: Member) -> Iterable[Expectation]:
    """Tell the titres that remain to pay."""
    for row in _rows(request, member):
        if row.to_pay:
            titre = row.titre
            former = f" (au nom de {row.former})" if row.former else ""
            yield Expectation(
                title=f"Payer le titre {titre.reference} : {euros(row.standing.remaining)}",
                url=reverse("espace-titres:titre", args=[titre.pk]),
                action=f"Voir comment payer le titre {titre.reference}",
                words=f"{titre.subject}{former}",
                when=_when(row),
                # A day not known here can't come before the titre: it is put there, not to be forgotten.
                by=row.deadline.day or titre.issued_on,
            )


def evolution_panel(request: HttpRequest, member: Member) -> str:
    """Draw how the schools, the pupils and the amounts of a member went, once there are two years."""
    one = Member.objects.filter(pk=member.pk)
    found = evolution(Titre.objects.filter(debtor=member), conventions_of(one))
    if len(found.years) < 2:
        return ""
    return render_to_string("espace/titres/evolution.html", {"evolution": found})


def register() -> None:
    """Give these parts to the home page."""
    expectations.register("titres", expected)
    reach.register("titres", own.issuers_of)
    panels.register(Panel("titres", 40, titres_panel))
    panels.register(Panel("evolution", 50, evolution_panel))


def _rows(request: HttpRequest, member: Member) -> list[own.Row]:
    return asked_once(request, ("titres", member.pk), lambda: own.rows_of(member))


def _when(row: own.Row) -> str:
    if row.late:
        return f"En retard : à payer {row.deadline.short}."
    return row.deadline.short[:1].upper() + row.deadline.short[1:]

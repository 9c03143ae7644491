"""`python -m tests.benchmarks.pages`: the server time of every main page, on the base of DATABASE_URL.

`python -m tests.benchmarks --pages` makes that base first, and removes it. Each page is asked for by
Django's own test client, in this process, with the settings of production: once to warm up, once with
its queries counted and timed, then several times; the median is told.
Nothing is written, but the session of each account.
"""

import argparse
import json
import logging
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import django

if __name__ == "__main__":
    django.setup()

from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.test import Client, override_settings
from django.urls import get_resolver, reverse

from conventions.models import Convention
from entsvc import school_year, serving
from invoicing.models import Call, Run, Titre
from invoicing.navigation import MENU
from members.models import Member, School, User
from members.portal import access
from tests.benchmarks.datasets import FORMER, YEAR

GOAL_MS = 200
PART = "Partie : "  # how the name begins of what a page asks for by itself, once it is open
ROUNDS = 5
UNHASHED = "django.contrib.staticfiles.storage.StaticFilesStorage"  # no collectstatic is needed


@dataclass
class Page:
    """What a page costs: its queries, the milliseconds spent in them, and all of its milliseconds.

    `total_ms` is the median of several requests, `best_ms` the shortest, `cpu_ms` the least that this
    process computed: it says the same on a machine that does something else too.
    """

    name: str
    address: str
    status: int = 0
    queries: int = 0
    sql_ms: float = 0
    total_ms: float = 0
    best_ms: float = 0
    cpu_ms: float = 0
    kilobytes: float = 0


class _Clock:
    """Counts the queries of a request, and the seconds spent in them."""

    def __init__(self) -> None:
        self.queries, self.seconds = 0, 0.0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.queries += 1
            self.seconds += time.perf_counter() - start


def measure(only: str = "", rounds: int = ROUNDS) -> list[Page]:
    """Measure the pages whose name contains some words, all by default, the staff's then the mayors'."""
    staff, mayor = _staff(), _mayor()
    found = [(staff, name, address) for name, address in staff_pages()]
    found += [(mayor, name, address) for name, address in mayor_pages()]
    return [
        _measured(client, Page(name, address), rounds)
        for client, name, address in found
        if only.lower() in name.lower()
    ]


def staff_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and address of each page of the menu, then of the pages of some rows."""
    run = _run(YEAR)
    scope = f"?emetteur={run.campaign.schedule.issuer.code}&annee={YEAR}"
    yield "Accueil", reverse("admin:index") + scope
    yield f"{PART}données de l'accueil", reverse("collection:home-data") + scope
    yield "Recherche", reverse("collection:search") + "?q=saint"
    for _, entries in MENU:
        for title, _, label in entries:
            app, model = label.split(".")
            yield f"Liste : {title}", reverse(f"admin:{app}_{model}_changelist")
    for title, page in (
        ("Qualité des données", "conventions:readiness"),
        ("Payeurs proposés", "conventions:debtors"),
        ("Ouvertures", "conventions:openings"),
        ("Produire les documents", "conventions:productions"),
        ("Formulaires vierges", "conventions:blank-papers"),
        ("Simuler un tarif", "conventions:what-if"),
    ):
        yield title, reverse(page) + scope
    simulated = urlencode({"version": run.adoption.version_id, "annee": YEAR, "prix-ECOLE": "50"})
    yield "Simuler un tarif : 50 €", f"{reverse('conventions:what-if')}?{simulated}"
    issuer = urlencode({"emetteur": run.campaign.schedule.issuer.code, "le": "31/12/2025"})
    yield "Reste à recouvrer", f"{reverse('collection:balance')}?{issuer}"
    yield "Écrire les relances", f"{reverse('collection:reminders')}?{issuer}"
    yield "Travaux", reverse("collection:works")
    yield from _rows(run)


def _rows(run: Run) -> Iterator[tuple[str, str]]:
    call = run.calls.annotate(number=Count("lines")).order_by("-number", "pk")[0]
    titre = Titre.objects.filter(debtor=call.debtor_id, campaign=run.campaign).order_by("pk")[0]
    for row in (
        Member.objects.get(pk=call.debtor_id),
        School.objects.get(uai=call.lines.order_by("position")[0].uai),
        Convention.objects.filter(debtor=call.debtor_id).order_by("pk")[0],
        titre,
        titre.bordereau,
        run.campaign,
        run,
        call,
        run.campaign.schedule,
    ):
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        yield f"Fiche : {row._meta.verbose_name}", reverse(name, args=[row.pk])
    yield "Campagne : appel", reverse("collection:campaign", args=[run.campaign.pk])
    yield "Annoncer les titres", reverse("collection:campaign-announce", args=[run.campaign.pk])
    yield "Documents d'un bordereau", reverse("collection:documents", args=[titre.bordereau_id])
    former = _run(FORMER)
    review = reverse("collection:review", args=[run.pk])
    yield "Revue du calcul", review
    yield f"{PART}avant d'émettre, sur la revue", reverse("collection:preflight", args=[run.pk])
    yield "Revue, avec un autre calcul", f"{review}?avec={former.pk}"
    yield "Revue, cherchée et triée", f"{review}?q=saint&tri=-ecart&etat=change"
    yield "Revue : un membre", reverse("collection:review-member", args=[run.pk, call.pk])
    line = call.lines.order_by("position")[0].position
    yield "Explication d'un montant", reverse("collection:explanation", args=[run.pk, call.pk, line])


def mayor_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and address of each page of the member with the most schools."""
    member = _largest()
    agreement = Convention.objects.filter(debtor=member).order_by("pk")[0]
    titre = Titre.objects.filter(debtor=member).order_by("-issued_on", "pk")[0]
    yield "Espace : accueil", reverse("espace:home")
    yield "Espace : membre", reverse("espace:member", args=[member.pk])
    yield "Espace : convention", reverse("espace-conventions:convention", args=[agreement.pk])
    yield "Espace : demander un avenant", reverse("espace-conventions:ask", args=[agreement.pk])
    yield "Espace : titres", reverse("espace-titres:list", args=[member.pk])
    yield "Espace : titre", reverse("espace-titres:titre", args=[titre.pk])
    yield "Espace : connexions", reverse("espace:accesses")


def table(pages: list[Page]) -> str:
    """Return the measures as a table of text, the pages beyond the goal marked."""
    width = max(len(page.name) for page in pages)
    lines = [f"{'Page':{width}}  Requêtes  SQL (ms)  Total (ms)  Au mieux  Calcul     ko"]
    for page in pages:
        late = " *" if page.total_ms > GOAL_MS else ""
        answer = f"  [{page.status}]" if page.status != 200 else ""
        lines.append(
            f"{page.name:{width}}  {page.queries:8}  {page.sql_ms:8.0f}  {page.total_ms:10.0f}  "
            f"{page.best_ms:8.0f}  {page.cpu_ms:6.0f}  {page.kilobytes:5.0f}{late}{answer}"
        )
    over = sum(page.total_ms > GOAL_MS for page in pages)
    return "\n".join([*lines, f"{over} page(s) sur {len(pages)} au-delà de {GOAL_MS} ms (*)."])


def _measured(client: Client, page: Page, rounds: int) -> Page:
    headers = {"HX-Request": "true"} if page.name.startswith(PART) else {}
    client.get(page.address, secure=True, headers=headers)
    clock = _Clock()
    with connection.execute_wrapper(clock):
        answer = client.get(page.address, secure=True, headers=headers)
    page.status, page.queries, page.sql_ms = answer.status_code, clock.queries, 1000 * clock.seconds
    page.kilobytes = len(answer.content) / 1000
    spent, worked = [], []
    for _ in range(rounds):
        start, busy = time.perf_counter(), time.process_time()
        client.get(page.address, secure=True, headers=headers)
        spent.append(1000 * (time.perf_counter() - start))
        worked.append(1000 * (time.process_time() - busy))
    page.total_ms, page.best_ms, page.cpu_ms = statistics.median(spent), min(spent), min(worked)
    return page


def _staff() -> Client:
    """Return a browser of an administrator, who sees everything."""
    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    return _signed_in(user)


def _mayor() -> Client:
    client = _signed_in(access.account_of(_largest().email))
    session = client.session
    session[access.SINCE] = session[access.SEEN] = int(time.time())
    session.save()
    return client


def _signed_in(user: User) -> Client:
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _largest() -> Member:
    """Return the member whose call has the most lines."""
    calls = Call.objects.filter(run=_run(YEAR)).annotate(number=Count("lines"))
    return calls.select_related("debtor").order_by("-number", "pk")[0].debtor


def _run(year: str) -> Run:
    """Return the first run of the principal campaign of a year."""
    runs = Run.objects.filter(campaign__school_year=school_year.parse(year), campaign__rank=1)
    return runs.select_related("campaign__schedule__issuer", "adoption").order_by("pk")[0]


def main() -> None:
    """Measure what is asked, and print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seulement", default="", metavar="MOTS", help="Les pages ainsi nommées.")
    parser.add_argument("--fois", type=int, default=ROUNDS, help="Demandes dont la médiane est dite.")
    parser.add_argument("--json", action="store_true", help="Les mesures en JSON.")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    assert get_resolver().url_patterns  # all the code is read
    serving.post_worker_init(None)
    with override_settings(STORAGES=settings.STORAGES | {"staticfiles": {"BACKEND": UNHASHED}}):
        pages = measure(options.seulement, options.fois)
    print(json.dumps([asdict(page) for page in pages]) if options.json else table(pages))


if __name__ == "__main__":
    main()

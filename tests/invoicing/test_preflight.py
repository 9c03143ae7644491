"""Before a number is spent: what the issuer's channel would refuse, found in drafts by its own rules."""

import datetime as dt
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from entsvc.models import DatedText
from invoicing import issuing, preflight
from invoicing.models import Channel, Counter, NumberingPolicy, Run, Series, Titre
from invoicing.numbering import IssueRefused
from invoicing.pes.facts import STATE_SIRET
from invoicing.pes.sending import prepare
from invoicing.reissue import annul_and_reissue
from invoicing.rendering import render_missing
from invoicing.roles import create_groups
from members.models import Accountant, Issuer, Member
from tariffs.models import Schedule
from tests.factories import valid_siret
from tests.invoicing.pes.conftest import DAY, a_local_world
from tests.invoicing.pes.conftest import day as day
from tests.invoicing.test_admin import account
from tests.invoicing.test_review_pages import text_of as words
from tests.tariffs.bases import spoken

pytestmark = pytest.mark.django_db

# What is wrong with a debtor, and the rule of the PES that says so.
OF_DEBTORS = [
    ({"siret": "21310001900010"}, "siret-debiteur"),
    ({"name": "Commune " * 20}, "nom-debiteur"),
    ({"address": "Place de l'Hôtel de ville et des Libertés\n" * 3}, "adresse-debiteur"),
    ({"city": "Saint-Remy-en-Bouzemont-Saint-Genest-et-Isson"}, "ville"),
    ({"postal_code": "00000"}, "code-postal"),
    ({"kind": "autre"}, "categorie-tiers"),
    ({"engagement_number": "000"}, "engagement"),
]
# What is wrong with the issuer, whoever owes: where, and the rule.
OF_ISSUERS = [
    (Accountant, {"codique": "12"}, "codique"),
    (Channel, {"body_code": "000"}, "code-collectivite"),
    (Issuer, {"siret": "21310001900010"}, "siret-emetteur"),
    (Issuer, {"address": "Un étage\n" * 4}, "adresse-emetteur"),
    (Schedule, {"account": "74A"}, "nature"),
    (Schedule, {"local_product": "EN-1"}, "code-produit"),
    (DatedText, {"body": "x" * 421}, "modalites-contestation"),
]


@pytest.fixture
def local(db, blank_pdf):
    return a_local_world()


def changed(model, facts):
    rows = model.objects.all()
    if model is DatedText:
        rows = rows.filter(code="asap-contestation")
    rows.update(**facts)


def checked(world, run=None):
    run = run or world.compute()
    head = issuing.head_of(run, world.signatory, DAY)
    drafts = issuing.claims_of(run, list(issuing.unissued(run)), head)
    channel = Channel.objects.first()
    return preflight.check(drafts, run=run, channel=channel, head=head, exercice=2025, on=DAY)


def rules(found):
    return {
        "": {finding.rule for finding in found.common},
        **{key: {finding.rule for finding in findings} for key, findings in found.by_call.items()},
    }


def channel(world, kind, **facts):
    Channel.objects.all().delete()
    return Channel.objects.create(issuer=world.issuer, kind=kind, **facts)


def test_it_works(local, day):
    assert rules(checked(local)) == {"": set()}
    issued = local.issue()
    assert (len(issued.titres), issued.blocked) == (3, [])


@pytest.mark.parametrize(("facts", "rule"), OF_DEBTORS)
def test_a_debtor_that_helios_would_refuse_is_blocked_and_spends_no_number(local, day, facts, rule):
    Member.objects.filter(pk=local.members[1].pk).update(**facts)
    run = local.compute()
    call = run.calls.get(debtor=local.members[1])
    assert rules(checked(local, run)) == {"": set(), call.pk: {rule}}

    issued = local.issue(run)

    assert [titre.number for titre in issued.titres] == [1, 2]
    [blocked] = issued.blocked
    assert (blocked.siret, blocked.name) == (call.siret, call.name)
    assert "« Membres »" in blocked.messages[0]
    assert "déjà émis" not in blocked.messages[0]
    assert Counter.objects.get(kind=Series.TITRE).last_number == 2


@pytest.mark.parametrize(("facts", "rule"), OF_DEBTORS)
def test_the_drafts_are_told_what_the_file_would_be_told(local, day, facts, rule):
    """Issued without a channel, the same titres meet the same rules when their file is made."""
    Member.objects.filter(pk=local.members[1].pk).update(**facts)
    before = rules(checked(local))
    kept = Channel.objects.get()
    facts = {name: getattr(kept, name) for name in ("kind", "body_code", "bank_reference")}
    kept.delete()
    bordereau = local.issue().bordereau
    list(render_missing(bordereau.titres.all()))
    channel(local, **facts)
    after = {(finding.rule, bool(finding.key)) for finding in prepare(bordereau).findings}
    assert after == {(rule, True)}
    assert set().union(*before.values()) == {rule}


@pytest.mark.parametrize(("model", "facts", "rule"), OF_ISSUERS)
def test_what_stands_against_every_titre_refuses_the_issue_before_any_number(
    local, day, model, facts, rule
):
    local.compute()
    changed(model, facts)
    assert rules(checked(local, Run.objects.get())) == {"": {rule}}
    with pytest.raises(IssueRefused) as refused:
        local.issue(Run.objects.get())
    assert len(refused.value.messages) == 1
    assert not Titre.objects.exists()
    assert not Counter.objects.exists()


def test_a_debtor_mended_is_issued_by_the_next_call(local, day):
    member = local.members[1]
    Member.objects.filter(pk=member.pk).update(kind="autre")
    run = local.compute()
    assert len(local.issue(run).titres) == 2
    Member.objects.filter(pk=member.pk).update(kind="commune")
    issued = local.issue(run)
    assert [(titre.number, titre.debtor_id) for titre in issued.titres] == [(3, member.pk)]
    assert issued.blocked == []


def test_without_a_channel_nothing_more_is_asked(local, day):
    Channel.objects.all().delete()
    Member.objects.update(kind="autre")
    assert rules(checked(local)) == {"": set()}
    assert len(local.issue().titres) == 3


def test_by_hand_nothing_more_is_asked(local, day):
    channel(local, "pdf")
    Member.objects.update(kind="autre")
    assert len(local.issue().titres) == 3


def test_chorus_pro_asks_what_its_invoice_says(local, day):
    channel(local, "chorus_pro", invoice_frame="A1")
    first, second, third = local.members
    Member.objects.filter(pk=first.pk).update(siret="21310001900010")
    Member.objects.filter(pk=second.pk).update(siret=STATE_SIRET)
    run = local.compute()
    keys = {call.debtor_id: call.pk for call in run.calls.order_by("pk")}
    assert rules(checked(local, run)) == {
        "": set(), keys[first.pk]: {"siret-member"}, keys[second.pk]: {"engagement-etat"},
    }  # fmt: skip
    assert [titre.debtor_id for titre in local.issue(run).titres] == [third.pk]
    Accountant.objects.update(iban="FR7612345678901234567890123")
    Schedule.objects.update(vat="TVA à 20 %")
    local.join(1)
    local.schedule.refresh_from_db()
    assert rules(checked(local))[""] == {"iban", "tva"}


def test_the_chain_of_the_state_asks_a_true_siret_and_its_imputation(world, day):
    channel(world, "etat_liquidatif")
    assert rules(checked(world)) == {"": set()}
    Member.objects.filter(pk=world.members[0].pk).update(siret="21310001900010")
    run = world.compute()
    call = run.calls.get(debtor=world.members[0])
    assert rules(checked(world, run)) == {"": set(), call.pk: {"siret-debiteur"}}
    assert len(world.issue(run).titres) == 2


def test_a_local_issuer_says_to_the_chain_of_the_state_what_its_own_titres_do_not(local, day):
    channel(local, "etat_liquidatif")
    assert rules(checked(local)) == {"": {"centre-de-couts", "programme"}}


def external(world):
    NumberingPolicy.objects.create(
        issuer=world.issuer, budget="00", exercice=2025, kind=Series.TITRE, mode="externe"
    )


def test_numbers_of_the_accountant_enter_neither_a_pes_nor_a_deposit(local, day):
    external(local)
    assert rules(checked(local)) == {"": {"numero-externe"}}
    channel(local, "chorus_pro", invoice_frame="S1")
    assert rules(checked(local)) == {"": {"numero-externe"}}


def test_under_the_accountants_numbers_no_invoice_is_asked_for(world, day):
    external(world)
    channel(world, "etat_liquidatif", invoice_frame="S1")
    Schedule.objects.update(vat="TVA à 20 %")
    assert rules(checked(world)) == {"": set()}
    assert world.issue().bordereau.invoice_frame == ""


def test_a_frame_asks_for_its_invoice_whatever_the_channel(local, day):
    channel(local, "pdf", invoice_frame="S1")
    Schedule.objects.update(vat="TVA à 20 %")
    assert rules(checked(local)) == {"": {"tva"}}
    with pytest.raises(IssueRefused, match="hors du champ"):
        local.issue()


def test_a_titre_issued_again_is_looked_at_too(local, day):
    run = local.compute()
    titre = local.issue(run).titres[0]
    local.compute()
    Member.objects.filter(pk=titre.debtor_id).update(kind="autre")
    asked = {
        "titre": titre, "debtor": titre.debtor, "reason_code": "liquidation", "reason": "Erreur.",
        "on": DAY, "signatory": local.signatory, "actor": "essai",
    }  # fmt: skip
    with pytest.raises(IssueRefused, match="catégorie du débiteur"):
        annul_and_reissue(**asked)
    assert Titre.objects.count() == 3
    Member.objects.filter(pk=titre.debtor_id).update(kind="commune")
    assert annul_and_reissue(**asked).titre.replaces == titre


@given(budget=st.sampled_from(["00", "01", "A0"]), count=st.integers(1, 30))
def test_the_numbers_that_stand_in_are_the_longest_and_differ(budget, count):
    issuer = Issuer(code="SOMMES", budget_code=budget)
    bordereau = preflight.Bordereau(
        issuer=issuer, budget=budget, exercice=2025, number=999_999, issued_on=dt.date(2025, 3, 3)
    )
    head = issuing.Letterhead("LOCAL", False, {}, {"delai": ""}, "")
    drafts = [(rank, [], {}) for rank in range(count)]
    given_ = list(preflight._as_issued(drafts, bordereau, head, external=False))
    references = {payload["document"]["reference"] for _, _, payload in given_}
    assert len(references) == count
    assert {len(reference) for reference in references} == {18 if budget == "00" else 20}


def test_the_command_says_the_same(local, day):
    Member.objects.filter(pk=local.members[0].pk).update(kind="autre")
    run = local.compute()

    def issued():
        out = StringIO()
        call_command(
            "issue_titres", run=run.pk, date=DAY, signatory=local.signatory.pk, json=True, stdout=out
        )
        return json.loads(out.getvalue())

    report = issued()
    assert [item["number"] for item in report["titres"]] == [1, 2]
    [blocked] = report["blocked"]
    assert "catégorie du débiteur" in blocked["messages"][0]
    Channel.objects.update(body_code="000")
    Member.objects.update(kind="commune")
    with pytest.raises(CommandError, match="code de la collectivité"):
        issued()


# --- The page ---------------------------------------------------------------------------------


@pytest.fixture
def finances(client, local, day):
    create_groups()
    client.force_login(account("finances", issuers=[local.issuer]))
    return client


def page(client, run, **headers):
    return client.get(reverse("collection:preflight", args=[run.pk]), headers=headers)


def test_the_review_and_the_issue_ask_for_the_part_once_open(finances, local):
    run = local.compute()
    address = reverse("collection:preflight", args=[run.pk])
    for name in ("collection:review", "admin:invoicing_run_issue_titres"):
        assert f'hx-get="{address}"' in finances.get(reverse(name, args=[run.pk])).content.decode()
    part = page(finances, run, HX_Request="true").content.decode()
    assert "<html" not in part
    assert "3 appels contrôlés" in spoken(part)


def test_the_page_groups_what_to_mend_and_leads_there(finances, local):
    run = local.compute()
    first, second, _ = local.members
    Member.objects.filter(pk__in=[first.pk, second.pk]).update(kind="autre")
    Member.objects.filter(pk=first.pk).update(address="")
    Channel.objects.update(body_code="000")
    answer = page(finances, run)
    told = words(answer)
    groups = {group.rule: len(group.calls) for group in answer.context["ready"].debtors}
    assert groups == {"categorie-tiers": 2, "mention": 1, "adresse-debiteur": 1}
    assert "2 débiteurs seront bloqués" in told
    assert reverse("admin:members_member_change", args=[first.pk]) in told
    assert reverse("admin:invoicing_channel_change", args=[Channel.objects.get().pk]) in told
    assert "Aucun titre ne s'émet" in told


def test_what_is_issued_is_no_longer_looked_at(finances, local):
    run = local.compute()
    local.issue(run)
    Member.objects.update(kind="autre")
    assert "Rien à émettre de ce calcul." in words(page(finances, run))


def test_a_mention_that_lacks_is_told_in_place_of_the_channel(finances, local):
    run = local.compute()
    Accountant.objects.update(bic="")
    assert "Mentions obligatoires à compléter : Comptable assignataire : BIC." in words(
        page(finances, run)
    )
    local.signatory.delete()
    assert "Aucun signataire n'est en fonction" in words(page(finances, run))


def test_an_issuer_without_a_channel_is_told_so(finances, local):
    Channel.objects.all().delete()
    assert "Aucun canal choisi" in words(page(finances, local.compute()))


@pytest.mark.parametrize("role", ["gestionnaire", "lecture"])
def test_who_reads_a_run_reads_it_and_follows_every_link(client, local, day, role):
    create_groups()
    client.force_login(account(role, issuers=[local.issuer]))
    run = local.compute()
    Member.objects.update(kind="autre")
    for model, facts, _ in OF_ISSUERS:
        changed(model, facts)
    answer = page(client, run)
    ready = answer.context["ready"]
    assert len(ready.common) == len(OF_ISSUERS)
    links = [group.link[0] for group in ready.common if group.link]
    links += [reverse("admin:members_member_change", args=[local.members[0].pk])]
    assert [client.get(link).status_code for link in links] == [200] * len(links)


def test_the_run_of_another_issuer_is_not_there(client, local, day):
    create_groups()
    client.force_login(account("finances", issuers=[]))
    assert page(client, local.compute()).status_code == 404


def test_its_queries_do_not_depend_on_the_number_of_calls(finances, local):
    def asked():
        run = local.compute()
        page(finances, run)
        with CaptureQueriesContext(connection) as queries:
            assert page(finances, run).status_code == 200
        return len(queries)

    few = asked()
    for rank in range(20):
        local.join(1, name=f"Commune de plus {rank}", siret=valid_siret(500 + rank))
    assert asked() == few <= 20

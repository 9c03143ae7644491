"""From an unsigned commune to a signed amendment and its new call, all by the pages.

The office has no JavaScript; staff do.
"""

import datetime as dt

from django.core import mail
from django.urls import reverse

from conventions import states
from conventions.models import Amendment
from invoicing.models import Call, Campaign
from tests.browser.conftest import PHONE
from tests.browser.people import as_staff, come_in_by_link
from tests.browser.town import OFFICE, a_town
from tests.conventions.amending import a_scan
from tests.invoicing.scratch import until

SENT_ON, ASKED_ON = dt.date(2020, 9, 2), dt.date(2020, 10, 10)


def pdf(mark):
    return {"name": f"{mark}.pdf", "mimeType": "application/pdf", "buffer": a_scan(mark)}


def admin(name, row):
    return reverse(f"admin:{name}", args=[row.pk])


def call(staff, campaign):
    """Compute the calls of a campaign by its page; return the only one."""
    staff.go(admin("invoicing_campaign_compute", campaign))
    staff.press("Calculer")
    staff.page.wait_for_url("**/calculs/*/revue/")
    [found] = Call.objects.filter(run__number=Campaign.objects.get(pk=campaign.pk).runs.count())
    return found


def test_from_an_unsigned_commune_to_a_signed_amendment_and_its_new_call(visitor, clock):
    clock.noon(SENT_ON)
    town = a_town()
    convention, issuer = town.convention, town.convention.schedule.issuer
    campaign = Campaign.objects.create(schedule=convention.schedule, school_year=2020)

    # Staff send the agreement.
    staff = as_staff(visitor(), "gestionnaire", issuer)
    staff.go(admin("conventions_convention_send", convention))
    staff.press("Envoyer pour signature")
    staff.reads("À signer")

    # The office comes in by its link, takes the paper, sends it back signed.
    office = visitor(PHONE, java_script_enabled=False)
    come_in_by_link(office, OFFICE)
    office.reads("Signer et renvoyer la convention ENT-2020-001", "Nous attendons votre signature.")
    name, content = office.download("Télécharger la convention telle qu'envoyée")
    assert name.startswith("convention-ENT-2020-001")
    assert content.startswith(b"%PDF-")
    office.press("Ouvrir la convention ENT-2020-001")
    office.page.get_by_label("Le document signé, en PDF").set_input_files(pdf("convention"))
    office.press("Déposer la convention signée")
    office.reads("Nous avons bien reçu votre convention signée.", "nous la vérifions")
    until(lambda: any(sent.to == ["ent@academie.example"] for sent in mail.outbox), seconds=60)

    # Staff record the signature and put it in force: three schools are called.
    staff.go(admin("conventions_convention_sign", convention))
    staff.page.locator("input[name=on]").fill("02/09/2020")
    staff.press("Enregistrer la convention signée")
    staff.reads("Signée")
    staff.go(admin("conventions_convention_put_in_force", convention))
    staff.press("Mettre en vigueur")
    staff.reads("En vigueur")
    assert call(staff, campaign).total == 150

    # Within the window the office adds a school, sees the amount, signs.
    clock.noon(ASKED_ON)
    come_in_by_link(office, OFFICE)
    office.reads("Elle court depuis le 2 septembre 2020, jusqu'au 31 octobre 2021.")
    office.reads("Du 1er septembre 2020 au 15 octobre 2020.")
    office.press("Voir la liste et la changer")
    office.page.get_by_label("École Le Pré").check()
    office.press("Voir le nouveau montant")
    office.reads("150,00 € (cent cinquante euros)", "200,00 € (deux cents euros)")
    office.press("Demander cet avenant")
    office.reads("L'avenant est prêt", "jusqu'au 15 octobre 2020 inclus")
    name, content = office.download("Télécharger l'avenant à signer")
    assert name.startswith("avenant-1-ENT-2020-001")
    assert content.startswith(b"%PDF-")
    office.page.get_by_label("Signé le").fill("2020-10-10")
    office.page.get_by_label("Le document signé, en PDF").set_input_files(pdf("avenant"))
    office.press("Déposer l'avenant signé")
    office.reads("Nous avons bien reçu votre avenant signé.", "nous l'examinons")

    # Staff accept: both are told, and the call is new.
    amendment = Amendment.objects.get()
    as_staff_again(staff, issuer)
    staff.go(admin("conventions_amendment_decide", amendment))
    with staff.page.expect_navigation():
        staff.page.locator("form.max-w-2xl button[type=submit]").first.click()
    staff.reads("Accepté")
    amendment.refresh_from_db()
    assert amendment.status == states.ACCEPTED
    until(lambda: any("accepté" in sent.subject.lower() for sent in mail.outbox), seconds=60)
    found = call(staff, campaign)
    assert found.total == 200
    assert found.lines.count() == 4
    office.go("/espace/")
    office.reads("4 écoles inscrites en 2020-2021", "Rien n'est attendu de vous aujourd'hui.")


def as_staff_again(staff, issuer):
    """Come in once more: more than a month has gone by."""
    from members.models import User

    User.objects.filter(username="gestionnaire").delete()
    as_staff(staff, "gestionnaire", issuer)

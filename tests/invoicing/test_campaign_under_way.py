"""The page and the files of a campaign whose titres are not all issued and drawn."""

from django.urls import reverse

from invoicing.exports import campaign_documents
from invoicing.models import Titre
from invoicing.rendering import render_missing
from tests.conventions.world import account
from tests.invoicing.campaigns import campaign_of, issued
from tests.invoicing.test_campaign_pages import address, archive_of, manifest_of, words


def test_a_campaign_without_titre_says_so(client, world):
    run = world.compute()
    account(client, "finances", world.issuer)
    url = reverse("collection:campaign", args=[run.campaign_id])
    text = words(client.get(url))
    assert "Aucun titre n'est encore émis" in text
    assert "3 appels prêts à émettre, 270,00 €" in text
    zipped = reverse("collection:campaign-pdf", args=[run.campaign_id])
    assert client.get(zipped).status_code == 404
    assert client.get(reverse("collection:campaign-workbook", args=[run.campaign_id])).status_code == 200


def test_a_pdf_still_to_draw_is_named_and_the_file_says_it_is_not_whole(client, world, blank_pdf):
    titres = issued(world)
    for _ in render_missing(Titre.objects.filter(pk=titres[0].pk)):
        pass
    assert campaign_documents.lacking(campaign_of(titres[0])) == 3
    archive = archive_of(titres[0])
    rows = manifest_of(archive)
    missing = {row["pièce"] for row in rows if row["remarque"].startswith("PDF à produire")}
    assert missing == {titres[1].reference, titres[2].reference, "TST 2025, bordereau 1"}
    assert archive.namelist() == [f"titres/{titres[0].reference}.pdf", "manifeste.csv"]
    account(client, "finances", world.issuer)
    assert "3 PDF manquent" in words(client.get(address("campaign", titres[0])))
    assert "-incomplet.zip" in client.get(address("campaign-pdf", titres[0]))["Content-Disposition"]

"""Pages of this room beside its lists, behind the same sign-in."""

from django.contrib import admin
from django.urls import path

from conventions import (
    amendment_pages,
    etat_pages,
    opening_pages,
    pages,
    production_pages,
    what_if_pages,
)
from conventions.forecasts import pages as forecasts
from conventions.papers import pages as papers

app_name = "conventions"

urlpatterns = [
    path("qualite/", admin.site.admin_view(pages.readiness_page), name="readiness"),
    path("ouvertures/", admin.site.admin_view(opening_pages.openings_page), name="openings"),
    path("documents-de-convention/<uuid:pk>/", admin.site.admin_view(papers.paper_file), name="paper"),
    path("conventions/vierges/", admin.site.admin_view(papers.blank_page), name="blank-papers"),
    path(
        "conventions/vierges/<slug:issuer>/<slug:policy>/<slug:kind>/",
        admin.site.admin_view(papers.blank_file),
        name="blank-paper",
    ),
    path(
        "conventions/<int:pk>/projet/<slug:kind>/",
        admin.site.admin_view(papers.draft_file),
        name="draft",
    ),
    path(
        "conventions/<int:pk>/documents/produire/",
        admin.site.admin_view(papers.produce_page),
        name="produce-paper",
    ),
    path(
        "conventions/<int:pk>/documents/deposer/",
        admin.site.admin_view(papers.deposit_page),
        name="deposit-paper",
    ),
    path(
        "conventions/<int:pk>/avenant/", admin.site.admin_view(amendment_pages.open_page), name="amend"
    ),
    path(
        "avenants/<int:pk>/liste/",
        admin.site.admin_view(amendment_pages.list_page),
        name="amendment-list",
    ),
    path("produire/", admin.site.admin_view(production_pages.productions_page), name="productions"),
    path(
        "produire/<uuid:pk>/",
        admin.site.admin_view(production_pages.production_page),
        name="production",
    ),
    path(
        "produire/<uuid:pk>/continuer/",
        admin.site.admin_view(production_pages.go_on),
        name="production-continue",
    ),
    path(
        "produire/<uuid:pk>/reprendre/",
        admin.site.admin_view(production_pages.try_again),
        name="production-retry",
    ),
    path(
        "produire/<uuid:pk>/documents.zip",
        admin.site.admin_view(production_pages.download),
        name="production-zip",
    ),
    path("etats/", admin.site.admin_view(etat_pages.etats_page), name="etats"),
    path(
        "etats/ouvrir/<int:schedule>/<int:year>/",
        admin.site.admin_view(etat_pages.open_page),
        name="etat-open",
    ),
    path("etats/<int:pk>/", admin.site.admin_view(etat_pages.etat_page), name="etat"),
    path("etats/<int:pk>/prolonger/", admin.site.admin_view(etat_pages.extend_page), name="etat-extend"),
    path("etats/<int:pk>/membres/", admin.site.admin_view(etat_pages.members_page), name="etat-members"),
    path("etats/<int:pk>/etat.xlsx", admin.site.admin_view(etat_pages.workbook), name="etat-xlsx"),
    path("etats/membre/<int:pk>/", admin.site.admin_view(etat_pages.member_page), name="etat-member"),
    path(
        "etats/membre/<int:pk>/etat.pdf",
        admin.site.admin_view(etat_pages.member_pdf),
        name="etat-member-pdf",
    ),
    path("contestations/<int:pk>/", admin.site.admin_view(etat_pages.objection_page), name="objection"),
    path("simuler/", admin.site.admin_view(what_if_pages.what_if_page), name="what-if"),
    path(
        "simuler/<str:siret>/",
        admin.site.admin_view(what_if_pages.what_if_member_page),
        name="what-if-member",
    ),
    path("previsions/", admin.site.admin_view(forecasts.forecasts_page), name="forecasts"),
    path("previsions/preparer/", admin.site.admin_view(forecasts.new_page), name="forecast-new"),
    path("previsions/<uuid:pk>/", admin.site.admin_view(forecasts.forecast_page), name="forecast"),
    path(
        "previsions/<uuid:pk>/lettres/<uuid:amount>/",
        admin.site.admin_view(forecasts.letter_file),
        name="forecast-letter",
    ),
    path(
        "previsions/<uuid:pk>/lettres.zip",
        admin.site.admin_view(forecasts.zip_file),
        name="forecast-zip",
    ),
    path(
        "previsions/<uuid:pk>/lettres.pdf",
        admin.site.admin_view(forecasts.print_file),
        name="forecast-print",
    ),
    path(
        "previsions/<uuid:pk>/classeur.xlsx",
        admin.site.admin_view(forecasts.workbook_file),
        name="forecast-workbook",
    ),
    path(
        "previsions/<uuid:pk>/continuer/",
        admin.site.admin_view(forecasts.go_on),
        name="forecast-continue",
    ),
    path(
        "previsions/<uuid:pk>/reprendre/",
        admin.site.admin_view(forecasts.try_again),
        name="forecast-retry",
    ),
    path(
        "previsions/<uuid:pk>/envoyer/",
        admin.site.admin_view(forecasts.send_action),
        name="forecast-send",
    ),
    path(
        "previsions/<uuid:pk>/abandonner/",
        admin.site.admin_view(forecasts.drop_action),
        name="forecast-drop",
    ),
    path("payeurs/", admin.site.admin_view(pages.debtors_page), name="debtors"),
]

"""Pages of this room beside its lists, behind the same sign-in."""

from django.contrib import admin
from django.urls import path

from conventions import amendment_pages, opening_pages, pages, production_pages, what_if_pages
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
    path("simuler/", admin.site.admin_view(what_if_pages.what_if_page), name="what-if"),
    path(
        "simuler/<str:siret>/",
        admin.site.admin_view(what_if_pages.what_if_member_page),
        name="what-if-member",
    ),
    path("payeurs/", admin.site.admin_view(pages.debtors_page), name="debtors"),
]

"""Pages of this room beside its lists, behind the same sign-in."""

from django.contrib import admin
from django.urls import path

from invoicing import (
    campaign_pages,
    collection_pages,
    drawing_pages,
    explanation_pages,
    home_page,
    preflight_pages,
    review_pages,
    work_pages,
)
from invoicing.facturx import pages as facturx_pages

app_name = "collection"

urlpatterns = [
    path("reste-a-recouvrer/", admin.site.admin_view(collection_pages.balance_page), name="balance"),
    path("donnees/", admin.site.admin_view(home_page.data_part), name="home-data"),
    path("recherche/", admin.site.admin_view(home_page.search_page), name="search"),
    path("relances/", admin.site.admin_view(collection_pages.reminders_page), name="reminders"),
    path(
        "campagnes/<int:pk>/appel/",
        admin.site.admin_view(campaign_pages.campaign_page),
        name="campaign",
    ),
    path(
        "campagnes/<int:pk>/appel/classeur.xlsx",
        admin.site.admin_view(campaign_pages.workbook),
        name="campaign-workbook",
    ),
    path(
        "campagnes/<int:pk>/appel/<int:layout>.csv",
        admin.site.admin_view(campaign_pages.accounting_file),
        name="campaign-csv",
    ),
    path(
        "campagnes/<int:pk>/appel/documents.zip",
        admin.site.admin_view(campaign_pages.documents_file),
        name="campaign-pdf",
    ),
    path(
        "campagnes/<int:pk>/appel/annonce/",
        admin.site.admin_view(campaign_pages.announce_page),
        name="campaign-announce",
    ),
    path("calculs/<int:run>/revue/", admin.site.admin_view(review_pages.review_page), name="review"),
    path(
        "calculs/<int:run>/avant-emission/",
        admin.site.admin_view(preflight_pages.preflight_page),
        name="preflight",
    ),
    path(
        "calculs/<int:run>/revue/<int:call>/",
        admin.site.admin_view(review_pages.member_page),
        name="review-member",
    ),
    path(
        "calculs/<int:run>/revue/<int:call>/lignes/<int:position>/",
        admin.site.admin_view(explanation_pages.explanation_page),
        name="explanation",
    ),
    path("travaux/", admin.site.admin_view(work_pages.works_page), name="works"),
    path(
        "bordereaux/<uuid:pk>/documents/",
        admin.site.admin_view(drawing_pages.documents_page),
        name="documents",
    ),
    path(
        "bordereaux/<uuid:pk>/documents/continuer/",
        admin.site.admin_view(drawing_pages.go_on),
        name="documents-continue",
    ),
    path(
        "bordereaux/<uuid:pk>/documents/reprendre/",
        admin.site.admin_view(drawing_pages.try_again),
        name="documents-retry",
    ),
    path(
        "bordereaux/<uuid:pk>/factures-electroniques.zip",
        admin.site.admin_view(facturx_pages.bordereau_file),
        name="facturx-zip",
    ),
]

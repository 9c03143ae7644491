"""Pages of this room beside its lists, behind the same sign-in."""

from django.contrib import admin
from django.urls import path

from invoicing import collection_pages, home_page

app_name = "collection"

urlpatterns = [
    path("reste-a-recouvrer/", admin.site.admin_view(collection_pages.balance_page), name="balance"),
    path("recherche/", admin.site.admin_view(home_page.search_page), name="search"),
    path("relances/", admin.site.admin_view(collection_pages.reminders_page), name="reminders"),
]

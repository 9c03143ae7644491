"""Pages of this room beside its lists, behind the same sign-in."""

from django.contrib import admin
from django.urls import path

from conventions import pages

app_name = "conventions"

urlpatterns = [
    path("qualite/", admin.site.admin_view(pages.readiness_page), name="readiness"),
    path("payeurs/", admin.site.admin_view(pages.debtors_page), name="debtors"),
]

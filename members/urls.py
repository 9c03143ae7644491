"""Pages of this room beside its lists, behind the same sign-in."""

from django.contrib import admin
from django.urls import path

from members import filter_pages

app_name = "members"

urlpatterns = [
    path("filtres/", admin.site.admin_view(filter_pages.keep_filter), name="keep-filter"),
    path(
        "filtres/<int:pk>/retirer/",
        admin.site.admin_view(filter_pages.forget_filter),
        name="forget-filter",
    ),
]

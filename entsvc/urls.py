"""The front door: each room's pages are included by name."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", include("conventions.urls")),
    path("admin/", admin.site.urls),
]

"""The front door: each room's pages are included by name."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from entsvc import work_pages

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/travaux/<uuid:pk>/", admin.site.admin_view(work_pages.work_page), name="work"),
    path(
        "admin/travaux/<uuid:pk>/continuer/",
        admin.site.admin_view(work_pages.go_on),
        name="work-continue",
    ),
    path(
        "admin/travaux/<uuid:pk>/recommencer/",
        admin.site.admin_view(work_pages.again),
        name="work-again",
    ),
    path(
        "admin/travaux/<uuid:pk>/fichier/", admin.site.admin_view(work_pages.download), name="work-file"
    ),
    path("admin/", include("members.urls")),
    path("admin/", include("conventions.urls")),
    path("admin/", include("invoicing.urls")),
    path("admin/", admin.site.urls),
    path("espace/", include("members.portal.urls")),
    path("espace/", include("conventions.portal.urls")),
    path("espace/", include("invoicing.portal.urls")),
]

handler400 = "members.portal.errors.bad_request"
handler403 = "members.portal.errors.forbidden"
handler404 = "members.portal.errors.not_found"
handler500 = "members.portal.errors.server_error"

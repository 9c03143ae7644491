"""The addresses of agreements under /espace/."""

from django.urls import path

from conventions.portal import agreements, forecasts, requests

app_name = "espace-conventions"
urlpatterns = [
    path("conventions/<int:pk>/", agreements.convention_page, name="convention"),
    path("conventions/<int:pk>/deliberation/", agreements.deliberation, name="deliberation"),
    path("conventions/<int:pk>/attestation/<int:year>/", agreements.certificate, name="certificate"),
    path("conventions/<int:pk>/avenant/", requests.ask_page, name="ask"),
    path("avenants/<int:pk>/", requests.amendment_page, name="amendment"),
    path("avenants/<int:pk>/ecoles/", requests.change_page, name="change"),
    path("avenants/<int:pk>/produire/", requests.send, name="send"),
    path("avenants/<int:pk>/abandonner/", requests.drop_page, name="drop"),
    path("previsions/<uuid:pk>/", forecasts.letter, name="forecast-letter"),
    path("previsions/<uuid:pk>/detail/", forecasts.detail, name="forecast-detail"),
    path("documents/<uuid:pk>/", agreements.paper, name="paper"),
]

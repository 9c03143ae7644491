"""The addresses of agreements under /espace/."""

from django.urls import path

from conventions.portal import agreements, etats, forecasts, requests

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
    path("etats/<int:pk>/", etats.etat_page, name="etat"),
    path("etats/<int:pk>/contester/", etats.object_page, name="object"),
    path("etats/<int:pk>/accord/", etats.agree, name="agree"),
    path("etats/<int:pk>/etat.pdf", etats.etat_pdf, name="etat-pdf"),
    path("contestations/<int:pk>/retirer/", etats.withdraw_page, name="withdraw"),
    path("documents/<uuid:pk>/", agreements.paper, name="paper"),
]

"""The addresses of the door and of the first page, under /espace/."""

from django.urls import path

from members.portal import views

app_name = "espace"
urlpatterns = [
    path("", views.home, name="home"),
    path("membre/<int:pk>/", views.member, name="member"),
    path("acces/", views.accesses, name="accesses"),
    path("connexion/", views.sign_in, name="sign-in"),
    path("connexion/envoye/", views.link_sent, name="link-sent"),
    path("connexion/lien/", views.link, name="link"),
    path("connexion/fournisseur/", views.to_provider, name="provider"),
    path("connexion/fournisseur/retour/", views.provider_back, name="provider-back"),
    path("deconnexion/", views.sign_out, name="sign-out"),
    path("deconnexion/faite/", views.signed_out, name="signed-out"),
]

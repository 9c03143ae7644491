"""The addresses of titres under /espace/."""

from django.urls import path

from invoicing.portal import views

app_name = "espace-titres"
urlpatterns = [
    path("membre/<int:pk>/titres/", views.titres, name="list"),
    path("titres/<uuid:pk>/", views.titre, name="titre"),
    path("titres/<uuid:pk>/pdf/", views.pdf, name="pdf"),
]

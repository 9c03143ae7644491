"""Who came in by /espace/, and how often a link was asked for."""

from django.db import models

from members.models.territory import Member


class PortalAccess(models.Model):
    """Somebody opened the pages of a member; kept for a year, for the member to see."""

    class Way(models.TextChoices):
        LINK = "lien", "Lien reçu par courriel"
        PROVIDER = "oidc", "Fournisseur d'identité"

    member = models.ForeignKey(Member, models.CASCADE, verbose_name="membre", related_name="accesses")
    email = models.EmailField("adresse utilisée")
    at = models.DateTimeField("date", auto_now_add=True, db_index=True)
    network = models.CharField("adresse IP abrégée", max_length=45, blank=True)
    device = models.CharField("appareil", max_length=60, blank=True)
    way = models.CharField("moyen", max_length=4, choices=Way, default=Way.LINK)

    class Meta:
        verbose_name = "connexion à l'espace"
        verbose_name_plural = "connexions à l'espace"
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.email}, {self.at:%d/%m/%Y}"


class LinkRequest(models.Model):
    """A link was asked for: only what limits their number, addresses are kept as keyed digests."""

    address_key = models.CharField("empreinte de l'adresse", max_length=64)
    network_key = models.CharField("empreinte du réseau", max_length=64)
    at = models.DateTimeField("date", auto_now_add=True, db_index=True)
    refused = models.BooleanField("refusée", default=False)

    class Meta:
        verbose_name = "demande de lien"
        verbose_name_plural = "demandes de lien"
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["address_key", "at"], name="link_asked_for_address"),
            models.Index(fields=["network_key", "at"], name="link_asked_from_network"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%d/%m/%Y %H:%M}"

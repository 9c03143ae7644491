"""The filters that an account keeps under a name, for itself or for all who read the same list."""

from django.db import models
from django.db.models import Q


class SavedFilter(models.Model):
    """What a list of the staff was asked, as its address asks it; no row is named here."""

    user = models.ForeignKey(
        "members.User", models.CASCADE, verbose_name="compte", related_name="saved_filters"
    )
    page = models.CharField("liste", max_length=80)
    name = models.CharField("nom", max_length=60)
    query = models.TextField("critères")
    shared = models.BooleanField("pour tous", default=False)

    class Meta:
        verbose_name = "filtre enregistré"
        verbose_name_plural = "filtres enregistrés"
        ordering = ["name", "pk"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["user", "page", "name"],
                name="saved_filter_once_per_name",
                violation_error_message="Vous avez déjà un filtre de ce nom sur cette liste.",
            ),
            models.CheckConstraint(
                condition=~Q(query="") & ~Q(name=""),
                name="saved_filter_is_named_and_asks",
                violation_error_message="Un filtre a un nom et des critères.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

"""Who pays, who bills, which schools, how many pupils."""

from django.apps import AppConfig


class MembersConfig(AppConfig):
    """The room of members and schools."""

    name = "members"
    verbose_name = "Membres et écoles"

"""Which commune of today a code stands for: arrondissements, merged communes and former codes."""

from members.models import Commune


def communes_of_today() -> dict[str, str]:
    """Return {code of a former or partial commune: code of the commune it is part of today}."""
    parts = Commune.objects.filter(today__isnull=False).order_by("code")
    return dict(parts.values_list("code", "today_id"))

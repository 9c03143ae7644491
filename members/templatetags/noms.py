"""How templates write the name of a public body in a sentence (see `members.naming`)."""

from django import template
from django.template.defaultfilters import stringfilter

from members import naming

register = template.Library()


@register.filter
@stringfilter
def after_de(name: str) -> str:
    """``Commune de Saubens`` → ``de la commune de Saubens``."""
    return naming.after_de(name)

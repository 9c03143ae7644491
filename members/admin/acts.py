"""The staff page of acts; a room above says which of them no longer change."""

from unfold.decorators import display

from members import votes
from members.access import ScopedAdmin


class ActPage(ScopedAdmin):
    """An act, the vote that adopted it, and its transmission."""

    list_display = ["__str__", "subject", "issuer", "member", "approves", "transmitted_on"]
    list_filter = ["kind", "approves", "issuer"]
    list_select_related = ["issuer", "member"]
    search_fields = ["number", "authority", "subject", "actes_id"]
    autocomplete_fields = ["member"]
    readonly_fields = ["vote_in_words"]
    fieldsets = [
        ("Acte", {
            "fields": ["kind", "number", "date", "authority", "issuer", "member", "subject", "approves"],
            "description": "L'acte d'un émetteur ou celui d'un membre : l'un des deux, jamais les deux.",
        }),
        ("Séance et vote", {
            "fields": [
                "convened_on", "in_office", "present", "proxies", "votes_for", "votes_against",
                "abstentions", "vote_in_words",
            ],
            "description": "Les abstentions ne sont pas des suffrages exprimés ; sans voix contre, "
            "écrivez 0. Une case vide veut dire que l'acte n'en dit rien.",
        }),
        ("Contrôle de légalité", {
            "fields": ["transmitted_on", "actes_id"],
            "description": "L'identifiant de l'accusé de réception s'écrit comme "
            "031-213105331-20240620-202436-DE : département, SIREN, date, numéro, nature.",
        }),
    ]  # fmt: skip

    @display(description="résultat")
    def vote_in_words(self, act):
        return votes.in_words(act.vote)

"""Which states an agreement and its amendments go through, and by which named actions.

An action that is not declared here from a state does not exist there: it is refused.
"""

from dataclasses import dataclass

# States of an agreement.
DRAFT = "projet"
SENT = "envoyee"
SIGNED = "signee"
IN_FORCE = "en_vigueur"
TERMINATED = "resiliee"
EXPIRED = "echue"
ABANDONED = "abandonnee"

AGREEMENT_STATES = {
    DRAFT: "Projet",
    SENT: "À signer",
    SIGNED: "Signée",
    IN_FORCE: "En vigueur",
    TERMINATED: "Résiliée",
    EXPIRED: "Arrivée à terme",
    ABANDONED: "Abandonnée",
}
# What a state of these owes: the school years begun while it was in force.
OWING = (IN_FORCE, TERMINATED, EXPIRED)

# States of an amendment.
TO_SIGN = "a_signer"
FILED = "depose"
SENT_BACK = "renvoye"
ACCEPTED = "accepte"
WITHOUT_EFFECT = "sans_effet"
DROPPED = "abandonne"

AMENDMENT_STATES = {
    DRAFT: "Projet",
    TO_SIGN: "À signer",
    FILED: "Déposé",
    SENT_BACK: "À reprendre",
    ACCEPTED: "Accepté",
    WITHOUT_EFFECT: "Sans effet",
    DROPPED: "Abandonné",
}
OPEN_AMENDMENT = (DRAFT, TO_SIGN, FILED, SENT_BACK)


class IllegalTransition(Exception):
    """The action does not exist from the state where the row is; the message says so in French."""


@dataclass(frozen=True)
class Action:
    """A named step: from which states, to which one, and how people call it."""

    code: str
    label: str
    before: tuple[str, ...]
    after: str


def _declared(*actions: Action) -> dict[str, Action]:
    return {action.code: action for action in actions}


AGREEMENT_ACTIONS = _declared(
    Action("envoyer", "Envoyer pour signature", (DRAFT,), SENT),
    Action("reprendre", "Reprendre le projet", (SENT, ABANDONED), DRAFT),
    Action("signer", "Enregistrer la convention signée", (SENT,), SIGNED),
    Action("mettre_en_vigueur", "Mettre en vigueur", (SIGNED,), IN_FORCE),
    Action("reprise", "Reprendre une convention déjà signée", (DRAFT,), IN_FORCE),
    Action("resilier", "Résilier", (IN_FORCE,), TERMINATED),
    Action("resilier_avant", "Résilier avant la première année", (IN_FORCE,), ABANDONED),
    Action("echoir", "Constater le terme", (IN_FORCE,), EXPIRED),
    Action("abandonner", "Abandonner", (DRAFT, SENT, SIGNED), ABANDONED),
)
AMENDMENT_ACTIONS = _declared(
    Action("envoyer", "Produire l'avenant à signer", (DRAFT, SENT_BACK), TO_SIGN),
    Action("deposer", "Déposer l'avenant signé", (TO_SIGN,), FILED),
    Action("renvoyer", "Renvoyer au membre", (FILED,), SENT_BACK),
    Action("modifier", "Modifier la demande", (TO_SIGN, SENT_BACK), DRAFT),
    Action("accepter", "Accepter", (FILED,), ACCEPTED),
    Action("constater_sans_effet", "Constater qu'il est sans effet", (FILED,), WITHOUT_EFFECT),
    Action("abandonner", "Abandonner", (DRAFT, TO_SIGN, SENT_BACK), DROPPED),
)


def after(actions: dict[str, Action], code: str, state: str, labels: dict[str, str]) -> str:
    """Return the state an action leads to; raise IllegalTransition where it does not exist."""
    action = actions[code]
    if state not in action.before:
        places = " ou ".join(f"« {labels[name]} »" for name in action.before)
        raise IllegalTransition(
            f"« {action.label} » n'est possible que depuis l'état {places} ; "
            f"l'état est « {labels[state]} »."
        )
    return action.after


def possible(actions: dict[str, Action], state: str) -> list[Action]:
    """Return the actions that exist from a state, in the order of a life."""
    return [action for action in actions.values() if state in action.before]

"""Where the list of an agreement's schools is written: in the agreement, or in a paper of its own.

It goes out once. The text of an agreement that prints it has it as its annex 1 or in an article; beyond
the rows of that annex the list is drawn up with the IEN and goes beside the agreement (Montpellier,
annex 1, decision D7), as it does where the text of the agreement prints no list.
"""

from conventions.papers.placeholders import names
from conventions.policies import Policy

LIST = "tableau_ecoles"


def is_too_long(policy: Policy | None, schools: int) -> bool:
    """Tell whether a list has more schools than an agreement of this kind prints."""
    return bool(policy and policy.annex_rows is not None and schools > policy.annex_rows)


def has_own_paper(policy: Policy | None, body: str, schools: int) -> bool:
    """Tell whether the list is sent to be signed beside the agreement whose text is `body`."""
    if policy is None or not policy.annex:
        return False
    return is_too_long(policy, schools) or LIST not in names(body)

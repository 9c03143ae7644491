"""Which bands make a tariff: integer, both bounds included, without gap or overlap."""

from collections.abc import Sequence


def band_problems(bounds: Sequence[tuple[int, int]]) -> dict[int, str]:
    """Return {index: French message} for the bands that can't stand, in the order given.

    `bounds` holds (lower, upper); a band is judged against the one before it by lower bound.
    """
    problems: dict[int, str] = {}
    ranked = sorted(range(len(bounds)), key=lambda index: bounds[index])
    for position, index in enumerate(ranked):
        lower, upper = bounds[index]
        if upper < lower:
            problems[index] = f"La tranche {lower} à {upper} finit avant de commencer."
        elif position:
            before = bounds[ranked[position - 1]]
            if lower <= before[1]:
                problems[index] = (
                    f"La tranche {lower} à {upper} recouvre la tranche {before[0]} à {before[1]}."
                )
            elif lower > before[1] + 1:
                problems[index] = (
                    f"Aucune tranche pour {before[1] + 1} à {lower - 1} : "
                    f"faites commencer celle-ci à {before[1] + 1}."
                )
    return problems

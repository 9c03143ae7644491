"""The pages of series name the budget, not its code."""

import pytest

from invoicing.admin.numbering import budget_in_words
from invoicing.models import Counter
from members.models import Issuer


@pytest.mark.parametrize(
    ("budget", "label", "told"),
    [
        ("00", "Budget du syndicat", "Budget du syndicat"),
        ("00", "", "Budget principal"),
        ("02", "Budget du syndicat", "Budget annexe 02"),
    ],
)
def test_a_budget_is_named_as_its_issuer_names_it(budget, label, told):
    issuer = Issuer(budget_code="00", budget_label=label)
    assert budget_in_words(Counter(issuer=issuer, budget=budget)) == told

"""A debtor whose SIRET was only proposed is issued, with a warning that names it."""

import pytest

from members.models import Member

pytestmark = pytest.mark.django_db


def test_it_works(world):
    run = world.compute()
    doubtful = world.members[0]
    Member.objects.filter(pk=doubtful.pk).update(siret_to_verify=True)
    issued = world.issue(run)
    assert issued.warnings == [f"SIRET à vérifier : {doubtful.name} ({doubtful.siret})."]
    assert len(issued.titres) == 3


def test_sure_sirets_warn_of_nothing(world):
    assert world.issue().warnings == []


def test_a_debtor_already_issued_is_not_named_again(world):
    run = world.compute()
    Member.objects.filter(pk=world.members[0].pk).update(siret_to_verify=True)
    world.issue(run)
    assert world.issue(run).warnings == []

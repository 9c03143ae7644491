"""What the files of agreements to take over name."""

import pytest

from tests.conventions.take_over import members_and_schools_of_the_files, schedules_of_the_files


@pytest.fixture
def schedules(db):
    """The schedules that the files name."""
    schedules_of_the_files()


@pytest.fixture
def known(db):
    """The members and schools that the files name, so that nothing is pending."""
    members_and_schools_of_the_files()

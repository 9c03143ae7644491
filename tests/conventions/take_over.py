"""Files of agreements already signed, and what their import writes."""

from django.db import transaction

from conventions.models import Convention, DeliveredUnits, Enrolment, Subscription
from tests.factories import MemberFactory, ScheduleFactory, SchoolFactory, valid_siret
from tests.members import files
from tests.members.files import run, write_csv

HEADER = (
    "siret_membre;bareme;reference;date_signature;premiere_annee;derniere_annee;date_fin;"
    "ecoles;options;unites;siret_debiteur"
)
SAUBENS = "21310533100010;OCC-ENT-ECOLE;ENT-1;2024-09-02;2024-2025;2024-2025;2025-09-05;0310891A;;;"
EPCI = (
    f"{valid_siret(1)};NPDC-ENT;ENT-2;15/06/2023;2023-2024;;;0310891A 0312522Y;"
    "ACCOMPAGNEMENT;DEMIJOURNEE=3;"
)


def schedules_of_the_files():
    """Make the schedules that the files name."""
    ScheduleFactory(code="OCC-ENT-ECOLE")
    ScheduleFactory(code="NPDC-ENT")


def members_and_schools_of_the_files():
    """Make those that the files name, so that nothing is pending."""
    for uai in ("0310891A", "0312522Y", "0341301E"):
        SchoolFactory(uai=uai)
    for siret in ("21310533100010", valid_siret(1), valid_siret(2)):
        MemberFactory(siret=siret)


def conventions(tmp_path, *rows, header=HEADER, **form):
    return write_csv(tmp_path / "conventions.csv", header, *rows, **form)


def changed(row, column, value):
    cells = row.split(";")
    cells[HEADER.split(";").index(column)] = value
    return ";".join(cells)


def snapshot():
    """Return all that the import of agreements writes, but keys."""
    return {
        **files.snapshot(),
        "conventions": sorted(
            map(
                str,
                Convention.objects.values_list(
                    "schedule__code",
                    "reference",
                    "status",
                    "party__siret",
                    "debtor__siret",
                    "signed_on",
                    "ends_on",
                    "first_year",
                    "last_year",
                    "private_included",
                    "search",
                ),
            )
        ),
        "enrolments": sorted(
            map(
                str,
                Enrolment.objects.values_list(
                    "convention__reference", "school__uai", "first_year", "last_year", "opened_on"
                ),
            )
        ),
        "subscriptions": sorted(
            map(str, Subscription.objects.values_list("convention__reference", "code", "first_year"))
        ),
        "units": sorted(
            DeliveredUnits.objects.values_list(
                "convention__reference", "school_year", "code", "quantity"
            )
        ),
    }


def what_it_writes(path):
    """Import a file, look, and undo it: what was put in force can't be deleted."""
    with transaction.atomic():
        run("import_conventions", path)
        found = snapshot()
        transaction.set_rollback(True)
    return found

"""Small valid rows: each test says only what matters to it."""

import datetime as dt
from decimal import Decimal

import factory
from stdnum import luhn

from conventions import states
from conventions.models import (
    Amendment,
    Conditions,
    ConditionsNotice,
    Convention,
    DeliveredUnits,
    Enrolment,
    Paper,
    PaperKind,
    PaperText,
    Subscription,
    Termination,
    Transition,
)
from entsvc.models import DatedText, StoredDocument
from invoicing.models import Payment
from members.identifiers import uai_letter
from members.models import (
    Accountant,
    Act,
    Headcount,
    HeadcountSource,
    Issuer,
    Member,
    School,
    Signatory,
    Usage,
)
from tariffs.models import Adoption, Band, Charge, Schedule, Version


def valid_siret(number: int) -> str:
    """Return a SIRET with both keys right, different for each number."""
    siren = f"21{number:06d}"
    siren += luhn.calc_check_digit(siren)
    nic = f"{siren}0001"
    return nic + luhn.calc_check_digit(nic)


def valid_uai(number: int) -> str:
    """Return a UAI with its key right, different for each number."""
    digits = f"031{number:04d}"
    return digits + uai_letter(digits)


class IssuerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Issuer
        django_get_or_create = ("code",)

    code = "TST"
    name = "Région académique d'essai"
    regime = Issuer.Regime.STATE
    siret = factory.Sequence(lambda n: valid_siret(900000 + n))
    ministry = "Ministère d'essai"
    service = "Service d'essai"
    cost_centre = "CC1"
    address = "1 rue de l'Essai"
    postal_code = "34000"
    city = "Montpellier"
    contact = "Bureau d'essai"
    tribunal = "de Montpellier"


class LocalIssuerFactory(IssuerFactory):
    code = "LOC"
    name = "Syndicat mixte d'essai"
    regime = Issuer.Regime.LOCAL
    ministry = service = cost_centre = ""
    budget_label = "Budget principal"


class AccountantFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Accountant

    issuer = factory.SubFactory(IssuerFactory)
    name = "Comptable d'essai"
    codique = "031000"
    address = "2 rue du Trésor"
    postal_code = "31000"
    city = "Toulouse"
    phone = "05 00 00 00 00"
    email = "comptable@example.org"
    hours = "du lundi au vendredi"
    payment_url = "https://www.payfip.gouv.fr/"
    iban = "FR1420041010050500013M02606"
    bic = "BDFEFRPPCCT"
    valid_from = dt.date(2020, 1, 1)


class SignatoryFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Signatory

    issuer = factory.SubFactory(IssuerFactory)
    first_name = "Camille"
    last_name = "ESSAI"
    quality = "ordonnatrice d'essai"
    valid_from = dt.date(2020, 1, 1)


class DatedTextFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = DatedText
        django_get_or_create = ("scope", "code", "valid_from")

    scope = Issuer.Regime.STATE
    code = "recours"
    valid_from = dt.date(2020, 1, 1)
    body = factory.LazyAttribute(lambda text: f"Texte « {text.code} » d'essai.")


class MemberFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Member

    siret = factory.Sequence(lambda n: valid_siret(1000 + n))
    name = factory.Sequence(lambda n: f"Commune {n}")
    kind = Member.Kind.COMMUNE
    address = "Hôtel de ville"
    postal_code = "31600"
    city = "Saubens"


class SchoolFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = School

    uai = factory.Sequence(lambda n: valid_uai(1 + n))
    name = factory.Sequence(lambda n: f"École {n}")
    degree = School.Degree.FIRST
    sector = School.Sector.PUBLIC
    commune_name = "Saubens"
    commune_code = "31533"


class ScheduleFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Schedule

    issuer = factory.SubFactory(IssuerFactory)
    code = factory.Sequence(lambda n: f"TST-{n}")
    name = "Barème d'essai"
    subject = "Participation d'essai"
    programme = "PRG"
    account = "7000"


class VersionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Version

    schedule = factory.SubFactory(ScheduleFactory)
    label = "v1"


class ChargeFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Charge

    version = factory.SubFactory(VersionFactory)
    code = "ECOLE"
    label = "Participation par école"
    unit_label = "école"
    unit_plural = "écoles"
    metric = Charge.Metric.SCHOOLS
    model = Charge.Model.UNIT
    unit_price = Decimal("45.00")
    degree = School.Degree.FIRST
    sector = School.Sector.PUBLIC


class ActFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Act

    kind = Act.Kind.DELIBERATION
    number = factory.Sequence(lambda n: str(n))
    authority = "comité"
    issuer = factory.SubFactory(IssuerFactory)
    date = dt.date(2024, 6, 1)
    subject = "Tarif"


class AdoptionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Adoption

    schedule = factory.SelfAttribute("version.schedule")
    version = factory.SubFactory(VersionFactory)
    act = factory.SubFactory(ActFactory)
    school_year = 2024


class ConventionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Convention

    schedule = factory.SubFactory(ScheduleFactory)
    reference = factory.Sequence(lambda n: f"CONV-{n}")
    status = Convention.Status.IN_FORCE
    party = factory.SubFactory(MemberFactory)
    debtor = factory.SelfAttribute("party")
    signed_on = dt.date(2024, 9, 2)
    first_year = 2024
    last_year = 2024


class EnrolmentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Enrolment

    convention = factory.SubFactory(ConventionFactory)
    school = factory.SubFactory(SchoolFactory)
    first_year = factory.SelfAttribute("convention.first_year")


class HeadcountSourceFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = HeadcountSource
        django_get_or_create = ("code",)

    code = "DEPP"
    label = "Constat de rentrée"
    rank = 1
    billable = True


class HeadcountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Headcount

    school = factory.SubFactory(SchoolFactory)
    school_year = 2024
    source = factory.SubFactory(HeadcountSourceFactory)
    pupils = 100


class BandFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Band

    charge = factory.SubFactory(ChargeFactory)
    lower = 1
    upper = 200
    price = Decimal("187.62")


class UsageFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Usage

    school = factory.SubFactory(SchoolFactory)
    school_year = 2024
    source = factory.SubFactory(HeadcountSourceFactory)
    active_pupils = 90


class SubscriptionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Subscription

    convention = factory.SubFactory(ConventionFactory)
    code = "OPTION"
    first_year = factory.SelfAttribute("convention.first_year")


class DeliveredUnitsFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = DeliveredUnits

    convention = factory.SubFactory(ConventionFactory)
    school_year = factory.SelfAttribute("convention.first_year")
    code = "DEMIJOURNEE"
    quantity = 1


class StoredDocumentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = StoredDocument

    sha256 = factory.Sequence(lambda n: f"{n:064x}")
    path = factory.LazyAttribute(lambda row: f"documents/{row.sha256}.pdf")
    size = 1
    content_type = "application/pdf"


class AmendmentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Amendment

    convention = factory.SubFactory(ConventionFactory)
    number = factory.Sequence(lambda n: n + 1)
    school_year = 2024
    requested_by = "essai"


class TerminationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Termination

    convention = factory.SubFactory(ConventionFactory)
    ending = "breach"
    author = Termination.Author.MEMBER


class ConditionsFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Conditions

    issuer = factory.SubFactory(IssuerFactory)
    label = factory.Sequence(lambda n: f"version {n}")
    act = factory.SubFactory(ActFactory, issuer=factory.SelfAttribute("..issuer"))


class ConditionsNoticeFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ConditionsNotice

    conditions = factory.SubFactory(ConditionsFactory)
    convention = factory.SubFactory(ConventionFactory)
    notified_on = dt.date(2024, 9, 2)
    actor = "essai"


class PaperTextFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = PaperText

    kind = PaperKind.AGREEMENT
    version = factory.Sequence(lambda n: n + 1000)
    title = "Convention d'essai"
    body = "Un texte d'essai."
    created_by = "essai"


class PaperFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Paper

    convention = factory.SubFactory(ConventionFactory)
    kind = PaperKind.AGREEMENT
    role = Paper.Role.SENT
    text = factory.SubFactory(PaperTextFactory)
    document = factory.SubFactory(StoredDocumentFactory)
    name = "convention.pdf"
    actor = "essai"


class TransitionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Transition

    convention = factory.SubFactory(ConventionFactory)
    action = "envoyer"
    before = states.DRAFT
    after = states.SENT
    actor = "essai"


class PaymentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Payment

    amount = Decimal("45.00")
    received_on = dt.date(2025, 4, 1)
    reference = factory.Sequence(lambda n: f"VIR-{n}")
    recorded_by = "essai"

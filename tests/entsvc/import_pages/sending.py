"""A file sent by somebody, and the pages that answer."""

import io

import openpyxl
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from invoicing.roles import create_groups
from members.models import User
from tests.factories import IssuerFactory, valid_siret

ONE, TWO = valid_siret(1), valid_siret(2)
LIST = "admin:entsvc_importrecord_changelist"
MEMBERS = ["membres"]


def url(name, *args):
    return reverse(f"admin:entsvc_importrecord_{name}", args=args)


def account(role, name=None):
    create_groups()
    user = User.objects.create(username=name or role, is_staff=True, is_superuser=role == "admin")
    user.groups.set(Group.objects.filter(name=role))
    user.issuers.add(IssuerFactory())
    return user


def file_of(*lines, name="membres.csv", encoding="utf-8"):
    content = ("\n".join(["siret;nom;type", *lines]) + "\n").encode(encoding)
    return SimpleUploadedFile(name, content)


def send(client, *lines, **kwargs):
    return client.post(url("try", *MEMBERS), {"file": file_of(*lines, **kwargs)})


def imported(client, *lines):
    sent = send(client, *lines)
    return client.post(sent.url)


def words(response):
    return " ".join(response.content.decode().split())


def cells(response):
    sheet = openpyxl.load_workbook(io.BytesIO(response.getvalue())).active
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def try_options(client, **options):
    file = SimpleUploadedFile("a.csv", b"siret\n1\n")
    return client.post(url("try", "essai"), {"file": file, **options})

"""Which imports are too long for a click, and how they are tried and confirmed in the background."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from entsvc import uploads, works
from entsvc.documents import CorruptDocument
from entsvc.importing import IMPORTERS, Importer
from entsvc.models import Upload, Work
from entsvc.tabular import UnreadableFile

LARGE = 5_000  # rows: what takes about two seconds
LARGE_XLSX = 300_000  # bytes of as many rows, compressed


def is_large_file(file: UploadedFile) -> bool:
    """Tell whether trying a file that was just sent is too long for a click."""
    if Path(file.name).suffix.lower() == ".xlsx":
        return file.size > LARGE_XLSX
    return sum(chunk.count(b"\n") for chunk in file.chunks()) > LARGE


def try_later(importer: Importer, file: UploadedFile, *, given: Mapping[str, Any], user: Any) -> Work:
    """Keep a file and ask for what importing it would do; raises WrongOption, and keeps nothing then."""
    uploads.read_options(importer, given)
    name = uploads.base_name(file.name)
    path = default_storage.save(f"uploads/{uuid.uuid4()}", file)
    return works.ask(
        kind=TRY,
        once=path,
        title=f"Essai de {name}",
        arguments={"importer": importer.name, "name": name, "path": path, "given": dict(given)},
        actor=user.get_username(),
    )


def is_large(upload: Upload) -> bool:
    """Tell whether importing a tried file is too long for a click."""
    return Upload.objects.filter(pk=upload.pk, report__rows__gt=LARGE).exists()


def confirm_later(upload: Upload, *, user: Any) -> Work:
    """Ask for a tried file to be imported; asked twice, it is imported once."""
    return works.ask(
        kind=CONFIRM,
        once=str(upload.pk),
        title=f"Import de {upload.file_name}",
        arguments={"upload": upload.pk},
        actor=user.get_username(),
    )


def _try(work: Work) -> works.Outcome:
    user, path = _author(work), work.arguments["path"]
    importer = IMPORTERS.get(work.arguments["importer"])
    if importer not in uploads.offered(user):
        raise works.WorkFailed(f"Le compte {work.actor} n'a plus le droit de faire cet import.")
    if not default_storage.exists(path):
        raise works.WorkFailed("Ce fichier n'est plus là : envoyez-le de nouveau.")
    transaction.on_commit(lambda: default_storage.delete(path))
    name, given = work.arguments["name"], work.arguments["given"]
    try:
        with default_storage.open(path) as stream:
            upload = uploads.try_file(importer, stream.chunks(), name=name, given=given, user=user)
    except (uploads.WrongOption, UnreadableFile) as error:
        return works.Outcome(
            failure=str(error), page="admin:entsvc_importrecord_try", page_key=importer.name
        )
    return works.Outcome(
        told=f"{name} est lu : relisez ce qu'il ferait, puis confirmez.",
        page="admin:entsvc_importrecord_preview",
        page_key=str(upload.pk),
    )


def _confirm(work: Work) -> works.Outcome:
    user = _author(work)
    upload = uploads.waiting_for(user).filter(pk=work.arguments["upload"]).first()
    try:
        if upload is None:
            raise uploads.NotWaiting
        record = uploads.confirm(upload, user=user)
    except uploads.PlanChanged as change:
        # Its new plan is kept: to be read, then confirmed again.
        return works.Outcome(
            failure=str(change), page="admin:entsvc_importrecord_preview", page_key=str(upload.pk)
        )
    except (uploads.NotWaiting, uploads.WrongOption, UnreadableFile, CorruptDocument) as error:
        raise works.WorkFailed(str(error)) from error
    if record is None:
        return works.Outcome(told=f"{upload.file_name} était déjà importé : rien n'a changé.")
    return works.Outcome(
        told=f"{upload.file_name} est importé.",
        page="admin:entsvc_importrecord_change",
        page_key=str(record.pk),
    )


def _author(work: Work) -> AbstractBaseUser:
    """Return the account that asked for a work; its rights may have changed meanwhile."""
    user = get_user_model().objects.filter(username=work.actor, is_active=True).first()
    if user is None:
        raise works.WorkFailed(
            f"Le compte {work.actor} n'est plus actif : rien n'est importé. Envoyez de nouveau le "
            "fichier avec un autre compte."
        )
    return user


TRY = works.register(
    works.Kind("essai-import", _try, seen_with="entsvc.add_upload", asked_with="entsvc.add_upload")
)
CONFIRM = works.register(
    works.Kind("import", _confirm, seen_with="entsvc.add_upload", asked_with="entsvc.add_upload")
)

"""Staff pages of imports: their history, and the way from a file to its confirmed import."""

from io import BytesIO
from pathlib import Path
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import F, Func, IntegerField
from django.http import FileResponse, Http404, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from unfold.decorators import action, display

from entsvc import documents, import_works, refusals, uploads
from entsvc.documents import CorruptDocument
from entsvc.forms import UploadForm
from entsvc.french import integer
from entsvc.importing import IMPORTERS, Report
from entsvc.models import ImportRecord, Upload
from entsvc.staff import ReadOnlyAdmin
from entsvc.tabular import UnreadableFile

SHOWN = 100
UNUSABLE = (UnreadableFile, uploads.WrongOption, CorruptDocument)


class JSONLength(Func):
    """The number of items of a list kept in a JSON column."""

    output_field = IntegerField()

    def as_sqlite(self, compiler, connection, **extra):
        return self.as_sql(compiler, connection, function="JSON_ARRAY_LENGTH", **extra)

    def as_postgresql(self, compiler, connection, **extra):
        return self.as_sql(compiler, connection, function="JSONB_ARRAY_LENGTH", **extra)


class KindFilter(admin.SimpleListFilter):
    """Imports of one kind, by its French title."""

    title = "type d'import"
    parameter_name = "importer"

    def lookups(self, request, model_admin):
        return sorted(((i.name, i.title) for i in IMPORTERS.values()), key=lambda pair: pair[1])

    def queryset(self, request, queryset):
        return queryset.filter(importer=self.value()) if self.value() else queryset


def title_of(name: str) -> str:
    """Return the French title of an importer, or its name when it is no more."""
    return IMPORTERS[name].title if name in IMPORTERS else name


@admin.register(ImportRecord)
class ImportRecordAdmin(ReadOnlyAdmin):
    """The history; its rows are written by imports only."""

    list_display = [
        "file_name", "kind", "at", "actor", "n_rows", "n_created", "n_updated", "n_unchanged",
        "n_refused",
    ]  # fmt: skip
    list_filter = [KindFilter]
    search_fields = ["file_name", "actor", "document__sha256"]
    actions_list = ["send"]

    def get_queryset(self, request):
        records = uploads.readable_by(request.user, super().get_queryset(request))
        counts = {name: F(f"report__{name}") for name in ("rows", "created", "updated", "unchanged")}
        return records.defer("report").annotate(
            **{f"count_{name}": count for name, count in counts.items()},
            count_refused=JSONLength(F("report__refused")),
        )

    @display(description="type", ordering="importer")
    def kind(self, record):
        return title_of(record.importer)

    @display(description="lignes", ordering="count_rows")
    def n_rows(self, record):
        return integer(record.count_rows)

    @display(description="créées", ordering="count_created")
    def n_created(self, record):
        return integer(record.count_created)

    @display(description="modifiées", ordering="count_updated")
    def n_updated(self, record):
        return integer(record.count_updated)

    @display(description="inchangées", ordering="count_unchanged")
    def n_unchanged(self, record):
        return integer(record.count_unchanged)

    @display(description="refusées", ordering="count_refused")
    def n_refused(self, record):
        return integer(record.count_refused)

    def has_send_permission(self, request):
        return bool(uploads.offered(request.user))

    def get_urls(self):
        def page(route, view, name):
            return path(route, self.admin_site.admin_view(view), name=f"entsvc_importrecord_{name}")

        return [
            page("send/<slug:name>/", self.try_file, "try"),
            page("waiting/<int:pk>/", self.preview, "preview"),
            page("waiting/<int:pk>/abandon/", self.abandon, "abandon"),
            page("waiting/<int:pk>/refused/", self.refused_of_upload, "preview_refused"),
            page("waiting/<int:pk>/flagged/", self.flagged_of_upload, "preview_flagged"),
            page("<uuid:pk>/refused/", self.refused_of_record, "refused"),
            page("<uuid:pk>/flagged/", self.flagged_of_record, "flagged"),
            page("<uuid:pk>/file/", self.file, "file"),
            *super().get_urls(),
        ]

    # The way in: what to import, the file, what it would do, confirmed or abandoned.

    @action(description="Importer un fichier", url_path="send", icon="upload_file", permissions=["send"])
    def send(self, request):
        waiting = uploads.waiting_for(request.user).defer("report").order_by("-at", "-pk")
        for upload in waiting:
            upload.kind = title_of(upload.importer)
        context = {"importers": uploads.offered(request.user), "waiting": waiting}
        return self._page(request, "send", "Importer un fichier", **context)

    def try_file(self, request, name):
        if name not in IMPORTERS:
            raise Http404
        importer = IMPORTERS[name]
        if importer not in uploads.offered(request.user):
            raise PermissionDenied
        sent = (request.POST, request.FILES) if request.method == "POST" else ()
        form = UploadForm(
            *sent,
            importer=importer,
            issuers=uploads.issuers_of(request.user),
            initial={name: text for name, text in request.GET.items() if name.startswith("option_")},
        )
        if request.method == "POST":
            uploads.forget_old(timezone.now())
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                if import_works.is_large_file(file):
                    asked = {"given": form.given(), "user": request.user}
                    return redirect("work", import_works.try_later(importer, file, **asked).pk)
                upload = uploads.try_file(
                    importer, file.chunks(), name=file.name, given=form.given(), user=request.user
                )
            except UNUSABLE as error:
                form.add_error("file", str(error))
            else:
                return redirect("admin:entsvc_importrecord_preview", upload.pk)
        return self._page(request, "try", importer.title, form=form, importer=importer)

    def preview(self, request, pk):
        upload = self._waiting(request, pk)
        if upload is None:
            return self._gone(request)
        if request.method == "POST":
            return self._confirm(request, upload)
        context = {**_shown(_read(request, upload)), **_asked(upload), "upload": upload}
        return self._page(request, "preview", f"À confirmer : {upload.file_name}", **context)

    def abandon(self, request, pk):
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        upload = self._waiting(request, pk)
        try:
            if upload is None:
                raise uploads.NotWaiting
            uploads.abandon(upload)
        except uploads.NotWaiting:
            return self._gone(request)
        messages.success(request, f"{upload.file_name} est abandonné : rien n'a été écrit.")
        return redirect("admin:entsvc_importrecord_send")

    def _waiting(self, request, pk) -> Upload | None:
        if not self.has_send_permission(request):
            raise PermissionDenied
        return uploads.waiting_for(request.user).filter(pk=pk).first()

    def _gone(self, request):
        messages.error(request, str(uploads.NotWaiting()))
        return redirect("admin:entsvc_importrecord_changelist")

    def _confirm(self, request, upload):
        if import_works.is_large(upload):
            return redirect("work", import_works.confirm_later(upload, user=request.user).pk)
        try:
            record = uploads.confirm(upload, user=request.user)
        except uploads.NotWaiting:
            return self._gone(request)
        except uploads.PlanChanged as change:
            messages.warning(request, str(change))
            return redirect("admin:entsvc_importrecord_preview", upload.pk)
        except UNUSABLE as error:
            messages.error(request, str(error))
            return redirect("admin:entsvc_importrecord_preview", upload.pk)
        if record is None:
            messages.info(request, f"{upload.file_name} était déjà importé : rien n'a changé.")
            return redirect("admin:entsvc_importrecord_changelist")
        messages.success(request, f"{upload.file_name} est importé.")
        return redirect("admin:entsvc_importrecord_change", record.pk)

    # The history.

    def change_view(self, request, object_id, form_url="", extra_context=None):
        if not self.has_view_permission(request):
            raise PermissionDenied
        record = self.get_object(request, unquote(object_id))
        if record is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {**_shown(_read(request, record)), **_asked(record), "record": record}
        return self._page(request, "record", record.file_name, **context)

    def refused_of_upload(self, request, pk):
        upload = self._waiting(request, pk)
        return self._gone(request) if upload is None else self._refused_rows(request, upload)

    def flagged_of_upload(self, request, pk):
        upload = self._waiting(request, pk)
        return self._gone(request) if upload is None else self._flagged_rows(request, upload)

    def refused_of_record(self, request, pk):
        return self._refused_rows(request, self._readable(request, pk))

    def flagged_of_record(self, request, pk):
        return self._flagged_rows(request, self._readable(request, pk))

    def _refused_rows(self, request, source: Upload | ImportRecord):
        refused = _read(request, source).refused
        return self._rows(request, source, refused, refusals.REFUSED, "refus")

    def _flagged_rows(self, request, source: Upload | ImportRecord):
        flagged = _read(request, source).flagged
        return self._rows(request, source, flagged, refusals.FLAGGED, "a_verifier")

    def _rows(self, request, source: Upload | ImportRecord, findings, verdict, prefix):
        kept = source if isinstance(source, Upload) else source.document
        stream = BytesIO()
        try:
            with uploads.file_of(kept, source.file_name) as path:
                refusals.write_rows(path, findings, stream, verdict)
        except UNUSABLE as error:
            return self._unusable(request, error)
        stream.seek(0)
        name = f"{prefix}_{Path(source.file_name).stem}.xlsx"
        return FileResponse(
            stream, as_attachment=True, filename=name, content_type=refusals.CONTENT_TYPE
        )

    def file(self, request, pk):
        record = self._readable(request, pk)
        try:
            content = BytesIO(documents.read(record.document))
        except CorruptDocument as error:
            return self._unusable(request, error)
        return FileResponse(
            content,
            as_attachment=True,
            filename=record.file_name,
            content_type="application/octet-stream",
        )

    def _unusable(self, request, error):
        messages.error(request, str(error))
        return redirect("admin:entsvc_importrecord_changelist")

    def _readable(self, request, pk) -> ImportRecord:
        if not self.has_view_permission(request):
            raise PermissionDenied
        records = uploads.readable_by(request.user, ImportRecord.objects.select_related("document"))
        return get_object_or_404(records, pk=pk)

    def _page(self, request, name: str, title: str, **context: Any) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            **context,
        }
        return TemplateResponse(request, f"admin/entsvc/import_{name}.html", context)


def _read(request, source: Upload | ImportRecord) -> Report:
    """Return what the account may read of a report: nothing of the issuers of others."""
    return Report.from_json(source.report).seen_by(uploads.issuers_of(request.user))


def _shown(report: Report) -> dict[str, Any]:
    """Return what a page shows of a report."""
    return {
        "counts": [(name, integer(number)) for name, number in report.counts()],
        "refused": report.refused[:SHOWN],
        "more_refused": len(report.refused) - SHOWN,
        "flagged": report.flagged[:SHOWN],
        "more_flagged": len(report.flagged) - SHOWN,
        "changes_nothing": not report.changes,
    }


def _asked(source: Upload | ImportRecord) -> dict[str, Any]:
    """Return what was imported and with which options, by the words of the importer."""
    importer = IMPORTERS.get(source.importer)
    labels = {option.name: option.label for option in importer.options} if importer else {}
    options = [(labels.get(name, name), _said(value)) for name, value in source.options.items()]
    return {"kind": title_of(source.importer), "options": options}


def _said(value: Any) -> str:
    return {"True": "oui", "False": "non"}.get(str(value), str(value))

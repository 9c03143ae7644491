"""The electronic invoices of a bordereau, given together."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from entsvc import journal
from invoicing.exports.campaign_documents import name_of
from invoicing.facturx import archive
from invoicing.facturx.production import FACTURX
from invoicing.models import Bordereau, TitreDocument
from members.access import visible


@require_safe
def bordereau_file(request: HttpRequest, pk: UUID) -> StreamingHttpResponse:
    """Send the ZIP of the electronic invoices of a bordereau as it is made; the journal says to whom."""
    if not request.user.has_perm("invoicing.view_bordereau"):
        raise PermissionDenied
    seen = visible(Bordereau.objects.select_related("issuer"), request.user)
    bordereau = get_object_or_404(seen, pk=pk)
    if not TitreDocument.objects.filter(titre__bordereau=bordereau, role=FACTURX).exists():
        raise Http404("Aucune facture électronique n'est encore produite.")
    name = f"factur-x-{name_of(bordereau).removesuffix('.pdf')}.zip"
    journal.record(
        actor=request.user.get_username(),
        action="download",
        target=bordereau,
        summary=f"Téléchargé : {name}",
    )
    stream = archive.stream(bordereau, timezone.now())
    answer = StreamingHttpResponse(stream, content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer

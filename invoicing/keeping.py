"""How a document of a titre is kept: once for each role, whoever draws it first."""

from django.db import IntegrityError, transaction

from entsvc import documents
from invoicing.models import Titre, TitreDocument

PDF = TitreDocument.Role.PDF


def keep(titre: Titre, content: bytes, role: TitreDocument.Role) -> None:
    """Store a document of a titre, once for each role."""
    document = documents.store(content, content_type="application/pdf", suffix=".pdf")
    try:
        with transaction.atomic():
            TitreDocument.objects.create(titre=titre, role=role, document=document)
    except IntegrityError:
        # Another process drew it meanwhile: its document is the one that counts.
        if not TitreDocument.objects.filter(titre=titre, role=role).exists():
            raise

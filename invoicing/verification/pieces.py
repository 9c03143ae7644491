"""Whether each titre or correction says in its frozen content what its columns and lines say."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db.models import Count, DecimalField, Exists, F, OuterRef, Sum, Value
from django.db.models.functions import Coalesce

from entsvc.canonical import fingerprint
from entsvc.french import euros
from invoicing.models import CallLine, LineFacts, Titre, TitreLine
from invoicing.numbering import correction_reference, payment_reference, reference_of
from invoicing.verification.figures import ZERO
from invoicing.verification.findings import Deviation, Scope, batches

COLUMNS = (
    "pk", "issuer__code", "budget", "exercice", "kind", "number", "reference", "issued_on", "siret",
    "debtor_name", "subject", "total", "payload", "sha256", "bordereau__number",
)  # fmt: skip
LINE_FACTS = [field.name for field in LineFacts._meta.local_fields]


def deviations(scope: Scope) -> Iterator[Deviation]:
    """Read the pieces a few hundred at a time, each batch with the sums of its lines."""
    rows = scope.of(Titre.objects.order_by("issuer", "budget", "exercice", "kind", "number", "pk"))
    for batch in batches(rows.values(*COLUMNS).iterator(chunk_size=500)):
        sums = _sums([row["pk"] for row in batch])
        for row in batch:
            for message in _of_piece(row, sums[row["pk"]]):
                yield Deviation(row["reference"], message)
    yield from _of_lines(scope)


def _sums(keys: list[UUID]) -> dict[UUID, dict[str, tuple[int, Decimal]]]:
    """Return the count and the euros of the lines of some pieces, by charge."""
    found: dict[UUID, dict[str, tuple[int, Decimal]]] = defaultdict(dict)
    lines = TitreLine.objects.filter(titre__in=keys).order_by("titre", "charge")
    for line in lines.values("titre", "charge").annotate(n=Count("pk"), euros=Sum("amount")):
        found[line["titre"]][line["charge"]] = (line["n"], line["euros"])
    return found


def _of_piece(row: dict[str, Any], lines: dict[str, tuple[int, Decimal]]) -> Iterator[str]:
    expected = _reference(row)
    if row["reference"] != expected:
        yield f"référence mal formée : {expected} est attendue"
    total = sum((amount for _, amount in lines.values()), ZERO)
    if total != row["total"]:
        yield f"ses lignes font {euros(total)} et son total {euros(row['total'])}"
    payload = row["payload"]
    if row["sha256"] and fingerprint(payload) != row["sha256"]:
        yield "son contenu figé a été modifié : il n'a plus son empreinte"
    if not isinstance(payload, dict):
        yield "son contenu figé est illisible"
        return
    for label, told, known in _compared(row, payload):
        if told != known:
            yield f"son contenu figé dit {label} « {told} », sa colonne « {known} »"
    yield from _of_charges(payload, lines)


def _reference(row: dict[str, Any]) -> str:
    name = reference_of if row["kind"] == Titre.Kind.TITRE else correction_reference
    return name(row["issuer__code"], row["exercice"], row["number"], row["budget"])


def _compared(row: dict[str, Any], payload: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Give what the frozen content and the columns both tell."""
    document, debtor = payload.get("document") or {}, payload.get("debtor") or {}
    yield "le numéro", document.get("number"), row["number"]
    yield "la nature", document.get("kind"), row["kind"]
    yield "la référence", document.get("reference"), row["reference"]
    yield "l'exercice", document.get("exercice"), row["exercice"]
    yield "la date", document.get("issued_on"), row["issued_on"].isoformat()
    yield "le bordereau", document.get("bordereau"), row["bordereau__number"]
    yield "le total", payload.get("total"), str(row["total"])
    yield "le SIRET", debtor.get("siret"), row["siret"]
    yield "le débiteur", debtor.get("name"), row["debtor_name"]
    yield "l'objet", payload.get("subject"), row["subject"]
    yield "l'émetteur", (payload.get("issuer") or {}).get("code"), row["issuer__code"]
    if row["kind"] == Titre.Kind.TITRE:
        expected = payment_reference(row["reference"])
        yield "la référence de paiement", document.get("payment_reference"), expected


def _of_charges(payload: dict[str, Any], lines: dict[str, tuple[int, Decimal]]) -> Iterator[str]:
    """Compare the sums by charge that the document prints with those of its lines."""
    told: dict[str, Decimal] = defaultdict(lambda: ZERO)
    try:
        for charge in payload.get("charges") or []:
            told[charge["code"]] += Decimal(charge["amount"])
    except (KeyError, TypeError, InvalidOperation):
        yield "ses montants par ligne tarifaire sont illisibles"
        return
    for code in sorted(told.keys() | lines.keys()):
        known = lines[code][1] if code in lines else ZERO
        if told[code] != known:
            yield (f"son contenu figé dit {euros(told[code])} pour {code}, ses lignes {euros(known)}")


def _of_lines(scope: Scope) -> Iterator[Deviation]:
    """Name the lines that belong to no piece, or that are not those of the call they come from."""
    if scope.is_whole:
        piece = Titre.objects.filter(pk=OuterRef("titre_id"))
        orphans = TitreLine.objects.filter(~Exists(piece)).order_by("pk")
        for line in orphans.values("pk", "explanation").iterator():
            yield Deviation("Lignes", f"la ligne {line['pk']} ({line['explanation']}) est sans titre")
    same = {name: OuterRef(name) for name in LINE_FACTS if name != "unit_price"}
    # A price that neither has is the same price, which SQL would not say.
    own, none = OuterRef("unit_price"), Value(Decimal(-1), output_field=DecimalField())
    same["price"] = Coalesce(own, none)
    twins = CallLine.objects.annotate(price=Coalesce("unit_price", none))
    twin = twins.filter(call=OuterRef("titre__call"), **same)
    lines = scope.of(TitreLine.objects.filter(~Exists(twin), titre__call__isnull=False), "titre__")
    rows = lines.order_by("titre__reference", "position").annotate(reference=F("titre__reference"))
    for line in rows.values("reference", "position", "explanation").iterator():
        yield Deviation(
            line["reference"],
            f"sa ligne {line['position']} (« {line['explanation']} ») n'est pas celle de son appel",
        )

"""Which version of a text a paper is drawn from, and how the next version is written."""

from collections.abc import Collection

from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from conventions.models import Convention, PaperKind, PaperText
from conventions.papers import placeholders
from conventions.papers.losses import Loss, losses
from conventions.policies import POLICIES
from entsvc import journal
from entsvc.french import lower_first
from members.models import Issuer

AT_ONCE = (
    "La version {version} de ce texte, enregistrée par {author}, n'est pas celle que vous aviez sous "
    "les yeux : relisez-la, puis reprenez vos changements sur elle."
)


class NoText(Exception):
    """No text of this paper exists yet; the message says where to write it."""


class TextRefused(Exception):
    """The version can't be kept; the message says why."""


class LossesToAccept(TextRefused):
    """The version lacks facts that the one in force states, and its author has not said he wants it."""

    def __init__(self, losses: list[Loss]) -> None:
        self.losses = losses
        super().__init__(
            "Rien n'est enregistré : ce texte ne dit plus ce que dit la version en usage "
            f"({' ; '.join(loss.words for loss in losses)}). Remettez ces champs, ou cochez chaque "
            "perte voulue, puis enregistrez de nouveau."
        )


def text_for(
    convention_or_policy: Convention | str, kind: str, issuer: Issuer | None = None
) -> PaperText:
    """Return the version in use of a paper's text, raise NoText (French message) when there is none.

    The text of the issuer for this kind of agreement wins, then that of the kind for all issuers, then
    the issuer's own for all its agreements, then the one for all. `issuer` is that of the agreement
    unless said otherwise.
    """
    if isinstance(convention_or_policy, Convention):
        policy = convention_or_policy.policy
        issuer = issuer or convention_or_policy.schedule.issuer
    else:
        policy = convention_or_policy
    rows = PaperText.objects.filter(
        Q(issuer=issuer) | Q(issuer__isnull=True), kind=kind, policy__in={policy, ""}
    )
    found = max(rows.order_by("pk"), key=_rank, default=None)
    if found is None:
        name = f" pour « {POLICIES[policy].name} »" if policy else ""
        raise NoText(
            f"Aucun texte « {PaperKind(kind).label} »{name} : écrivez-le dans « Textes des documents »."
        )
    return found


def save_version(
    *,
    kind: str,
    title: str,
    body: str,
    actor: str,
    policy: str = "",
    issuer: Issuer | None = None,
    note: str = "",
    after: int | None = None,
    accepted: Collection[str] = (),
) -> PaperText:
    """Add the next version of a text and return it.

    `after` is the version its author had in front of him, 0 for none: when another one came meanwhile,
    it is refused. `accepted` are the codes of the facts it may lose (`losses.TO_KEEP`). Raises
    TextRefused and, for another loss, LossesToAccept (French messages), and ValidationError for an
    unknown placeholder.
    """
    title, body = title.strip(), _lines(body)
    placeholders.check_title(title)
    placeholders.check(body)
    with transaction.atomic():
        latest = latest_of(kind, policy, issuer)
        version = latest.version if latest else 0
        if after is not None and after != version:
            raise TextRefused(_at_once(latest))
        if latest and (latest.title, latest.body) == (title, body):
            raise TextRefused("Ce texte est le même que la version en usage : rien n'est à enregistrer.")
        lost = _lost(kind, policy, issuer, f"{title}\n{body}")
        if not {loss.code for loss in lost} <= set(accepted):
            raise LossesToAccept(lost)
        text = PaperText(
            kind=kind,
            policy=policy,
            issuer=issuer,
            version=version + 1,
            title=title,
            body=body,
            note=note.strip(),
            created_by=actor,
        )
        try:
            with transaction.atomic():
                text.save(force_insert=True)
        except IntegrityError:
            raise TextRefused(_at_once(latest_of(kind, policy, issuer))) from None
        journal.record(
            actor=actor,
            action="texte-de-document",
            target=text,
            summary=f"{text.get_kind_display()} : {lower_first(str(text))}",
            data={
                "kind": kind,
                "policy": policy,
                "version": text.version,
                "note": text.note,
                "lost": [loss.code for loss in lost],
            },
        )
    return text


def latest_of(kind: str, policy: str, issuer: Issuer | None) -> PaperText | None:
    """Return the last version written for exactly this issuer and kind of agreement."""
    rows = PaperText.objects.filter(kind=kind, policy=policy, issuer=issuer)
    return rows.order_by("-version").first()


def previous(text: PaperText) -> PaperText | None:
    """Return the version that a version replaced: an issuer's first one replaced that of everyone."""
    rows = PaperText.objects.filter(kind=text.kind, policy=text.policy)
    own = rows.filter(issuer=text.issuer_id, version__lt=text.version).order_by("-version").first()
    if own or text.issuer_id is None:
        return own
    shared = rows.filter(issuer=None, created_at__lte=text.created_at)
    return shared.order_by("-version").first()


def in_use() -> list[int]:
    """Return the keys of the last version of each text."""
    latest = (
        PaperText.objects.order_by().values("kind", "policy", "issuer").annotate(last=Max("version"))
    )
    keys = {(row["kind"], row["policy"], row["issuer"], row["last"]) for row in latest}
    rows = PaperText.objects.order_by("pk").values_list("pk", "kind", "policy", "issuer", "version")
    return [pk for pk, *key in rows if tuple(key) in keys]


def _lost(kind: str, policy: str, issuer: Issuer | None, wanted: str) -> list[Loss]:
    """Compare a text with the one it would take the place of, perhaps one for all issuers."""
    try:
        now = text_for(policy, kind, issuer)
    except NoText:
        return []
    return losses(kind, f"{now.title}\n{now.body}", wanted)


def _rank(text: PaperText) -> tuple[bool, bool, int]:
    """Order texts: of this kind of agreement first, then of this issuer, then the latest."""
    return bool(text.policy), text.issuer_id is not None, text.version


def _lines(body: str) -> str:
    return "\n".join(line.rstrip() for line in body.strip().splitlines()) + "\n"


def _at_once(latest: PaperText | None) -> str:
    if latest is None:
        return "Ce texte n'existe pas encore : partez d'un texte vide."
    return AT_ONCE.format(version=latest.version, author=latest.created_by)

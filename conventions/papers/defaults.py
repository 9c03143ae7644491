"""The texts shipped with the project: loaded once, replaced by nobody but their own next edition."""

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError

from conventions.models import PaperKind, PaperText
from conventions.papers import losses, texts
from conventions.policies import POLICIES

FOLDER = settings.BASE_DIR / "fixtures" / "textes"
AUTHOR = "entsvc"
FENCE = "+++"
NEW_EDITION = "Texte livré avec une nouvelle version d'entsvc."


class UnreadableText(Exception):
    """A file of default texts is not as it should be; the message names it and says why."""


@dataclass(frozen=True)
class DefaultText:
    """A text of the project, for all issuers; `policy` is empty when it suits every agreement."""

    kind: str
    policy: str
    title: str
    body: str


def load_default_texts(created: Counter | None = None, *, folder: Path = FOLDER) -> Counter:
    """Write the default texts that no version of the database says yet; return how many, by model.

    A text that somebody has taken over is left alone for ever. One that only the project wrote gets a
    new version when its file changed. Raises UnreadableText for a file that is not a text.
    """
    created = Counter() if created is None else created
    for default in read_all(folder):
        if _is_due(default):
            _write(default)
            created[PaperText.__name__] += 1
    return created


def read_all(folder: Path = FOLDER) -> list[DefaultText]:
    """Return the texts of a folder, in the order of their files."""
    return [read(path) for path in sorted(folder.glob("*.md"))]


def read(path: Path) -> DefaultText:
    """Return the text of a file: a heading in TOML between two lines of +++, then its Markdown."""
    before, _, rest = path.read_text(encoding="utf-8").partition(FENCE)
    heading, fence, body = rest.partition(f"\n{FENCE}\n")
    if before.strip() or not fence:
        raise UnreadableText(f"{path.name} : l'en-tête s'écrit entre deux lignes {FENCE}.")
    try:
        facts = tomllib.loads(heading)
        text = DefaultText(facts["kind"], facts.get("policy", ""), facts["title"], _tidied(body))
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise UnreadableText(f"{path.name} : en-tête incomplet ou illisible ({error}).") from error
    if text.kind not in PaperKind or (text.policy and text.policy not in POLICIES):
        raise UnreadableText(f"{path.name} : document ou texte de convention inconnu.")
    return text


def _tidied(body: str) -> str:
    """Return a text as its versions are kept, so that a file that says the same is no new one."""
    return "\n".join(line.rstrip() for line in body.strip().splitlines()) + "\n"


def _is_due(default: DefaultText) -> bool:
    versions = PaperText.objects.filter(kind=default.kind, policy=default.policy, issuer=None)
    if versions.exclude(created_by=AUTHOR).exists():
        return False
    latest = versions.order_by("-version").first()
    return latest is None or (latest.title, latest.body) != (default.title, default.body)


def _write(default: DefaultText) -> None:
    known = texts.latest_of(default.kind, default.policy, None)
    try:
        texts.save_version(
            kind=default.kind,
            policy=default.policy,
            title=default.title,
            body=default.body,
            actor=AUTHOR,
            note=NEW_EDITION if known else "",
            accepted=losses.CODES,
        )
    except ValidationError as error:
        name = f"{default.policy or 'commun'}.{default.kind}"
        raise UnreadableText(f"{name} : {' '.join(error.messages)}") from error

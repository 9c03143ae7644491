"""A text in Markdown made into the HTML of a paper, its placeholders filled with values that stay text.

Raw HTML, links and images are not read: what looks like them is printed as it is written. A value is put
in after the Markdown is understood, and escaped: nothing in it can become markup.
"""

import re
from collections.abc import Mapping
from functools import cache

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from conventions.papers.placeholders import PLACEHOLDERS
from entsvc.french import typography

# Nothing that fetches, runs or hides: what these rules would read stays plain text.
NOT_READ = (
    "html_block", "html_inline", "link", "image", "autolink", "reference", "entity",
    "code", "fence", "backticks",
)  # fmt: skip
# A line of dots may follow on the next line: without <wbr>, WeasyPrint breaks what stands before it.
DOTTED = '<wbr><span class="dotted">{}</span>'
DOTS = {"short": 24, "long": 60}
LONG = ("adresse", "liste", "motif", "communes", "decision")
DEEPEST = 5

_NAME = re.compile(r"\{([a-z_]+)\}")
_LINE = re.compile(r"\s*\{([a-z_]+)\}\s*\Z")


def to_html(body: str, values: Mapping[str, str], blocks: Mapping[str, SafeString]) -> SafeString:
    """Return the HTML of a text: its placeholders filled, and each part under a heading in a section.

    `values` are plain words, by name; one that lacks leaves a dotted line. `blocks` are the parts that
    our own templates drew.
    """
    tokens = _reader().parse(body, {})
    top = min((_depth(token) for token in tokens if token.type == "heading_open"), default=1)
    for token in tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{min(_depth(token) - top + 2, DEEPEST)}"
    env = {"values": values, "blocks": blocks}
    html = _reader().renderer.render(_in_sections(tokens), _reader().options, env)
    return mark_safe(typography(html.replace("&#x27;", "’")))  # noqa: S308 - built above, all escaped


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return one line of plain text with its placeholders filled, dotted where a value lacks."""
    filled = _NAME.sub(lambda match: values.get(match[1]) or dots(match[1]), text)
    return typography(filled)


def dots(name: str) -> str:
    """Return the dotted line that stands for a value to be written by hand."""
    long = any(part in name for part in LONG)
    return "." * DOTS["long" if long else "short"]


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(NOT_READ)
    reader.block.ruler.before(
        "paragraph",
        "paper_block",
        _block,
        {"alt": ["paragraph", "blockquote", "list", "table"]},
    )
    reader.inline.ruler.before("emphasis", "placeholder", _placeholder)
    reader.add_render_rule("placeholder", _render_value)
    reader.add_render_rule("paper_block", _render_block)
    return reader


def _placeholder(state: StateInline, silent: bool) -> bool:
    """Read a placeholder inside a sentence."""
    match = _NAME.match(state.src, state.pos, state.posMax)
    if not match or match[1] not in PLACEHOLDERS:
        return False
    if not silent:
        state.push("placeholder", "", 0).meta = {"name": match[1]}
    state.pos = match.end()
    return True


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read a block placeholder, alone on its line."""
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    match = _LINE.match(line)
    if not match or match[1] not in PLACEHOLDERS or not PLACEHOLDERS[match[1]].block:
        return False
    if not silent:
        token = state.push("paper_block", "", 0)
        token.meta = {"name": match[1]}
        token.map = [start, start + 1]
        state.line = start + 1
    return True


def _render_value(renderer, tokens: list[Token], index: int, options, env) -> str:  # noqa: ANN001
    name = tokens[index].meta["name"]
    value = env["values"].get(name)
    return escape(value) if value else DOTTED.format(dots(name))


def _render_block(renderer, tokens: list[Token], index: int, options, env) -> str:  # noqa: ANN001
    return env["blocks"].get(tokens[index].meta["name"], "")


def _depth(token: Token) -> int:
    return int(token.markup.count("#")) or (1 if token.markup == "=" else 2)


def _in_sections(tokens: list[Token]) -> list[Token]:
    """Put each heading of the first level, with all that follows it, in a section of its own."""
    wrapped: list[Token] = []
    opened = False
    for token in tokens:
        if token.type == "heading_open" and token.tag == "h2":
            if opened:
                wrapped.append(_section(-1))
            wrapped.append(_section(1))
            opened = True
        wrapped.append(token)
    return [*wrapped, _section(-1)] if opened else wrapped


def _section(nesting: int) -> Token:
    token = Token("section_open" if nesting == 1 else "section_close", "section", nesting, block=True)
    if nesting == 1:
        token.attrSet("class", "article")
    return token

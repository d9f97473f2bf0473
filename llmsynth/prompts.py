"""Prompt files: Jinja templates that people read, edit and override.

A file renders to one user message. Lines holding `[system]`, `[user]` or `[assistant]` alone divide it
into several. The division is made on the template, before anything is filled in, so that no data
can open a turn of its own.
"""

from __future__ import annotations

import functools
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from llmsynth.errors import PromptError
from llmsynth.request import Message, Role
from llmsynth.text import fingerprint

if TYPE_CHECKING:
    import jinja2.sandbox

log = logging.getLogger(__name__)

_ROLE_LINE = re.compile(r"^\[(system|user|assistant)\][ \t]*\n", re.MULTILINE | re.IGNORECASE)
_SUFFIX = ".jinja"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file, ready to render.

    id: name and a hash of the file's text, such as "self_instruct/instructions@1f0c9a2b", so that a
        record tells exactly which wording it came from.
    """

    id: str
    path: Path
    parts: tuple[tuple[Role, jinja2.Template], ...]

    def render(self, **variables: Any) -> tuple[Message, ...]:
        """The messages with the variables filled in. Raises `PromptError` if one is undefined."""
        try:
            return tuple(Message(role=role, content=part.render(variables).strip()) for role, part in self.parts)
        except _render_errors() as error:
            raise PromptError(f"{self.path}: {error}", "compare it with `llmsynth prompts show`") from error


@dataclass(frozen=True, slots=True)
class Prompts:
    """The shipped prompt files, and a folder that may override any of them."""

    override: Path | None = None

    def __post_init__(self) -> None:
        if self.override is None:
            return
        if not self.override.is_dir():
            raise PromptError(f"no prompt folder at {self.override}", "`llmsynth prompts copy` makes one")
        for path in sorted(self.override.rglob("*")):
            name = path.relative_to(self.override).as_posix()
            if path.is_file() and path.suffix in (_SUFFIX, ".yaml") and not (shipped_folder() / name).exists():
                raise PromptError(
                    f"{path} overrides nothing: there is no prompt {name}", "`llmsynth prompts ls` lists the names"
                )

    def path(self, name: str) -> Path:
        """Where a file such as `self_instruct/instructions.jinja` is taken from."""
        if self.override is not None and (self.override / name).exists():
            return self.override / name
        path = shipped_folder() / name
        if not path.is_file():
            raise PromptError(f"there is no prompt {name}", "`llmsynth prompts ls` lists the names")
        return path

    def load(self, name: str, variables: set[str]) -> Prompt:
        """Read and check a prompt, named without its suffix.

        Raises `PromptError` if it is malformed or uses a variable that is not in `variables`. One of the user's that
        leaves out a variable which the shipped prompt uses is told of: without the task in it, all requests are alike.
        """
        import jinja2.meta

        path, environment = self.path(name + _SUFFIX), _environment()
        try:
            source = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise PromptError(f"{path} cannot be read: {error}", "a prompt is a UTF-8 text file") from error
        parts: list[tuple[Role, jinja2.Template]] = []
        used: set[str] = set()
        for role, text, line in _split(source):
            try:
                found = jinja2.meta.find_undeclared_variables(environment.parse(text))
                unknown = found - variables
                used |= found
                template = environment.from_string(text)
            except jinja2.TemplateSyntaxError as error:
                raise PromptError(
                    f"{path}, line {line + error.lineno - 1}: {error.message}",
                    "it is a Jinja template: check the braces",
                ) from error
            if unknown:
                raise PromptError(
                    f"{path}: undefined variable {', '.join(sorted(unknown))}",
                    f"this prompt may use {', '.join(sorted(variables))}",
                )
            parts.append((role, template))
        if not parts:
            raise PromptError(f"{path} is empty", "compare it with `llmsynth prompts show`")
        if path != (shipped := shipped_folder() / (name + _SUFFIX)):
            _tell_left_out(path, tuple(sorted(_variables_of(shipped) - used)))
        return Prompt(f"{name}@{fingerprint(source)[:8]}", path, tuple(parts))

    def data(self, name: str) -> dict[str, Any]:
        """A YAML file that stands beside the prompts, such as demonstrations."""
        path = self.path(name)
        try:
            value = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise PromptError(f"{path} cannot be read: {error}", "it is a UTF-8 YAML file") from error
        if not isinstance(value, dict):
            raise PromptError(f"{path} holds no mapping", "compare it with `llmsynth prompts show`")
        return value


def shipped_folder() -> Path:
    """Where the shipped prompts are: inside the installed package, or at the top of a checkout."""
    installed = Path(__file__).parent / "data" / "prompts"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "prompts"


def shipped_names() -> list[str]:
    """The names of the shipped files, relative to their folder."""
    folder = shipped_folder()
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (_SUFFIX, ".yaml"))


@functools.cache
def _tell_left_out(path: Path, variables: tuple[str, ...]) -> None:
    """Say, once, which variables of the shipped prompt one of the user's does without."""
    if variables:
        named = ", ".join(f"{{{{ {name} }}}}" for name in variables)
        log.warning("%s does not use %s, as the shipped prompt does: if that is a slip, put it back", path, named)


@functools.cache
def _variables_of(path: Path) -> set[str]:
    import jinja2.meta

    return set(jinja2.meta.find_undeclared_variables(_environment().parse(path.read_text(encoding="utf-8"))))


def _split(source: str) -> list[tuple[Role, str, int]]:
    """Role, text and first line number of each part."""
    marks = list(_ROLE_LINE.finditer(source))
    head = source[: marks[0].start()] if marks else source
    parts: list[tuple[Role, str, int]] = []
    if not marks:
        return [("user", source, 1)] if source.strip() else []
    if re.sub(r"\{#.*?#\}", "", head, flags=re.DOTALL).strip():
        parts.append(("user", head, 1))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        role: Role = mark.group(1).lower()  # type: ignore[assignment]  # the pattern admits the three roles only
        end = following.start() if following else len(source)
        parts.append((role, source[mark.end() : end], source.count("\n", 0, mark.end()) + 1))
    return parts


@functools.cache
def _environment() -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    import jinja2.sandbox

    return jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)


def _render_errors() -> tuple[type[Exception], ...]:
    """What an expression in a template can raise: jinja2 wraps its own errors only."""
    import jinja2

    return jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError

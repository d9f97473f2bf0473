"""Every error a user can meet.

    LlmsynthError
    ├── RecipeError           a recipe, an option or an override that cannot be used
    ├── PromptError           a prompt file that is missing, malformed or lacks a variable
    ├── SourceError           seeds or data that cannot be read
    ├── RunError              a run directory that cannot be used as asked
    │   └── StorageError      the disk refused to keep what was made
    ├── BudgetError           a cap on cost, tokens or requests is reached: ends the run, resumably
    ├── PublishError          the Hub cannot be published to as asked
    └── BackendError          the model cannot be used at all: ends the run
        ├── MissingExtraError
        ├── AuthenticationError
        ├── ModelNotFoundError
        └── UnavailableError

The failure of a single request is data (`Completion.failure`), never an exception.
"""

from __future__ import annotations


class LlmsynthError(Exception):
    """Something the user can put right.

    `message` names the place and what is wrong; `hint` says what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class RecipeError(LlmsynthError):
    """A recipe, an option or an override that cannot be used."""


class PromptError(LlmsynthError):
    """A prompt file that is missing, malformed or lacks a variable."""


class SourceError(LlmsynthError):
    """Seeds or data that cannot be read."""


class RunError(LlmsynthError):
    """A run directory that cannot be used as asked."""


class StorageError(RunError):
    """The disk refused to keep what was made."""


class BudgetError(LlmsynthError):
    """A cap on cost, tokens or requests is reached; the run ends, resumably."""


class PublishError(LlmsynthError):
    """The Hub cannot be published to as asked; what was sent need not be sent again."""


class BackendError(LlmsynthError):
    """The model cannot be used at all; the run ends, resumably."""


class MissingExtraError(BackendError):
    """A backend whose optional dependencies are not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed", f"pip install 'llmsynth[{extra}]'")


class AuthenticationError(BackendError):
    """The endpoint refused the key, or there is none."""


class ModelNotFoundError(BackendError):
    """The endpoint or the file system has no such model."""


class UnavailableError(BackendError):
    """The endpoint does not answer at all."""


def holds_key(what: str, variable: str, done: str) -> BackendError:
    """The error for a text that holds the key in an environment variable: the corpus would hold it too."""
    return BackendError(
        f"{what} holds the key that {variable} names; {done}",
        "find it in the seeds, prompts or options of the recipe, take it out, and have the key replaced",
    )

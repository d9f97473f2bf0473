"""`Expression`: a condition on a record, as people write it, and nothing more than that.

    len(output) > 20 and "as requested" not in output and (judge >= 4 or has(meta.reviewed))

Names are fields; where no field has the name, scores. `scores.name`, `meta.name` and `fields.name` say which, and
`fields["a name with blanks"]` takes any. Values are numbers, texts, True, False, None and lists of them in brackets.
There are `and`, `or`, `not`, `x if c else y`, the comparisons (`<`, `<=`, `>`, `>=`, `==`, `!=`, in
chains too), `in` and `not in`, the arithmetic `+ - * / %`, subscripts, and the functions

    len(x)      characters of a text, items of a list       words(x)    white-space separated words of a text
    has(x)      there is a value, and it is not empty       lower(x)    a text in small letters
    abs(x), min(x, y, ...), max(x, y, ...), round(x)        starts(x, y), ends(x, y)   how a text starts or ends

Nothing is ever evaluated as Python: the text is parsed, and every part that is not listed here is refused with its
place. A name without a value is None. None is equal to None alone, is contained in nothing, and compares as false
either way.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmsynth.errors import RecipeError
from llmsynth.record import Record

_MOST = 10_000  # characters of an expression; items of a repeated text or list
_DEPTH = 50


class UndecidableError(Exception):
    """The values of a record do not fit the expression, such as a text where a number is compared."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression. Raises `RecipeError` naming the place for what is none."""

    text: str
    _body: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_body", _parsed(self.text))

    def __call__(self, record: Record) -> Any:
        """Its value for a record. Raises `UndecidableError` naming the place."""
        return _value(self._body, record, self.text)

    def holds(self, record: Record) -> bool:
        """Whether its value for a record counts as true."""
        return bool(self(record))

    def names(self) -> frozenset[str]:
        """The names it looks up: `output`, `scores.judge`, ..."""
        return frozenset(name for node in ast.walk(self._body) if (name := _dotted(node)))


def _parsed(text: str) -> ast.expr:
    if len(text) > _MOST:
        raise RecipeError(f"the expression has {len(text)} characters", f"{_MOST} are the most")
    source = text.strip().replace("\n", " ")
    try:
        body = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise _refusal(text, max((error.offset or 1) - 1, 0), error.msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(f"not an expression: {error or 'nested too deeply'}: {text[:80]!r}", _HINT) from error
    _check(body, text, 0)
    return body


_HINT = "such as len(output) > 20 and judge >= 4; help(llmsynth.expression) lists all there is"


def _refusal(text: str, column: int, what: str) -> RecipeError:
    line = text.strip().replace("\n", " ")
    start = max(0, column - 60)
    return RecipeError(
        f"{what}, at character {column + 1}\n  {line[start : column + 40]}\n  {' ' * (column - start)}^", _HINT
    )


_LOGIC = (ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.IfExp)
_SHAPE = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Compare, ast.BinOp)
_ALLOWED = (*_LOGIC, *_SHAPE, ast.Call, ast.Load, ast.operator, ast.cmpop)
_SPACES = ("fields", "scores", "meta")


def _check(node: ast.AST, text: str, depth: int) -> None:
    """Refuse every part that is not of the language, at its place."""
    column = getattr(node, "col_offset", 0)
    what = ""
    if not isinstance(node, _ALLOWED):
        what = f"{type(node).__name__.lower()} is not part of an expression"
    elif depth > _DEPTH:
        what = "nested too deeply"
    elif isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | bool | None):
        what = f"{node.value!r} is no number, text, True, False or None"
    elif isinstance(node, ast.operator | ast.cmpop) and type(node) not in (*_ARITHMETIC, *_COMPARISONS):
        what = f"the operator {type(node).__name__.lower()} is not part of an expression"
    elif isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS:
            what = f"there is no function {ast.unparse(node.func)!r}; there are {', '.join(_FUNCTIONS)}"
        elif node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            what = "a function takes plain values"
        elif not _FUNCTIONS[node.func.id][0] <= len(node.args) <= _FUNCTIONS[node.func.id][1]:
            what = f"{node.func.id} takes {_FUNCTIONS[node.func.id][0]} value(s), not {len(node.args)}"
    elif isinstance(node, ast.Attribute) and not _dotted(node):
        what = f"{ast.unparse(node)!r}: a dot follows {', '.join(_SPACES)} alone"
    elif isinstance(node, ast.Name) and node.id in _SPACES:
        what = f"{node.id} is not a value; write {node.id}.name"
    elif isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        what = f"there is no {node.id}; write {dict(true=True, false=False, null=None)[node.id]}"
    if what:
        raise _refusal(text, column, what)
    for child in _parts(node):
        _check(child, text, depth + 1)


def _parts(node: ast.AST) -> list[ast.AST]:
    """The parts to be looked at; the name of a function and of a space is part of what bears it."""
    if isinstance(node, ast.Call):
        return list(node.args)
    if isinstance(node, ast.Attribute):
        return []
    if isinstance(node, ast.Subscript):
        named = isinstance(node.value, ast.Name) and node.value.id in _SPACES
        return [node.slice] if named else [node.value, node.slice]
    return list(ast.iter_child_nodes(node))


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name) and node.id not in _FUNCTIONS and node.id not in _SPACES:
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _SPACES:
        return f"{node.value.id}.{node.attr}"
    return ""


# evaluation: each part's value, looked up in the record


def _value(node: ast.expr, record: Record, text: str) -> Any:
    try:
        return _EVALUATE[type(node)](node, record, text)
    except UndecidableError:
        raise
    except (TypeError, ZeroDivisionError, ValueError, OverflowError, IndexError, KeyError) as error:
        what = str(error) or type(error).__name__
        raise UndecidableError(f"{what}, at character {node.col_offset + 1} of {text.strip()!r}") from error


def _boolean(node: ast.BoolOp, record: Record, text: str) -> Any:
    value: Any = None
    for part in node.values:
        value = _value(part, record, text)
        if bool(value) is isinstance(node.op, ast.Or):
            break
    return value


def _unary(node: ast.UnaryOp, record: Record, text: str) -> Any:
    value = _value(node.operand, record, text)
    if isinstance(node.op, ast.Not):
        return not value
    return None if value is None else -value


def _compare(node: ast.Compare, record: Record, text: str) -> bool:
    left = _value(node.left, record, text)
    for operation, part in zip(node.ops, node.comparators, strict=True):
        right = _value(part, record, text)
        if not _COMPARISONS[type(operation)](left, right):
            return False
        left = right
    return True


def _binary(node: ast.BinOp, record: Record, text: str) -> Any:
    left, right = _value(node.left, record, text), _value(node.right, record, text)
    if left is None or right is None:
        return None
    if not all(isinstance(one, int | float) for one in (left, right)) and not (
        isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str)
    ):
        raise TypeError(f"cannot calculate with {_kind(left)} and {_kind(right)}")
    return _ARITHMETIC[type(node.op)](left, right)


def _name(node: ast.Name, record: Record, text: str) -> Any:
    return record.fields[node.id] if node.id in record.fields else record.scores.get(node.id)


def _attribute(node: ast.Attribute, record: Record, text: str) -> Any:
    assert isinstance(node.value, ast.Name)
    space: Mapping[str, Any] = getattr(record, node.value.id)
    return space.get(node.attr)


def _subscript(node: ast.Subscript, record: Record, text: str) -> Any:
    key = _value(node.slice, record, text)
    if isinstance(node.value, ast.Name) and node.value.id in _SPACES:
        return getattr(record, node.value.id).get(key)
    of = _value(node.value, record, text)
    if of is None:
        return None
    if isinstance(of, Mapping):
        return of.get(key)
    return of[key] if -len(of) <= key < len(of) else None


def _conditional(node: ast.IfExp, record: Record, text: str) -> Any:
    return _value(node.body if _value(node.test, record, text) else node.orelse, record, text)


def _call(node: ast.Call, record: Record, text: str) -> Any:
    assert isinstance(node.func, ast.Name)
    values = [_value(argument, record, text) for argument in node.args]
    if node.func.id != "has" and any(value is None for value in values):
        return None
    return _FUNCTIONS[node.func.id][2](*values)


_EVALUATE: dict[type[ast.expr], Callable[[Any, Record, str], Any]] = {
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BinOp: _binary,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.IfExp: _conditional,
    ast.Call: _call,
    ast.Constant: lambda node, record, text: node.value,
    ast.List: lambda node, record, text: [_value(one, record, text) for one in node.elts],
    ast.Tuple: lambda node, record, text: [_value(one, record, text) for one in node.elts],
    ast.Set: lambda node, record, text: [_value(one, record, text) for one in node.elts],
}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "True or False"
    names: dict[type, str] = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        try:
            return compare(left, right)
        except TypeError:
            raise TypeError(f"cannot compare {_kind(left)} with {_kind(right)}") from None

    return ordered


def _within(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if isinstance(right, str) and not isinstance(left, str):
        raise TypeError(f"cannot look for {_kind(left)} in a text")
    if not isinstance(right, str | list | tuple | Mapping):
        raise TypeError(f"cannot look into {_kind(right)}")
    return left in right


def _length(value: Any) -> int:
    if not isinstance(value, str | list | tuple | Mapping):
        raise TypeError(f"len of {_kind(value)}")
    return len(value)


def _text(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def of_text(*values: Any) -> Any:
        if not all(isinstance(value, str) for value in values):
            raise TypeError(f"{name} of {_kind(next(value for value in values if not isinstance(value, str)))}")
        return function(*values)

    return of_text


_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.Eq: lambda left, right: bool(left == right),
    ast.NotEq: lambda left, right: bool(left != right),
    ast.In: _within,
    ast.NotIn: lambda left, right: not _within(left, right),
    ast.Is: lambda left, right: left is right or (left == right and type(left) is type(right)),
    ast.IsNot: lambda left, right: not (left is right or (left == right and type(left) is type(right))),
}
# name: least and most number of values, what it does
_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "len": (1, 1, _length),
    "words": (1, 1, _text("words", lambda text: len(text.split()))),
    "has": (1, 1, lambda value: value is not None and value != "" and value != [] and value != {}),
    "lower": (1, 1, _text("lower", str.lower)),
    "starts": (2, 2, _text("starts", str.startswith)),
    "ends": (2, 2, _text("ends", str.endswith)),
    "abs": (1, 1, abs),
    "round": (1, 1, round),
    "min": (2, 20, min),
    "max": (2, 20, max),
}

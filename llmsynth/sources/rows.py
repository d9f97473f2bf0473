"""`read_rows`: any file or folder of data as a stream of located rows."""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from llmsynth.errors import SourceError
from llmsynth.lineage import SPLITS


class Row(NamedTuple):
    """One row, or the reason why it could not be read.

    file: the file's name, with the folder's in front when a folder was read; never
        an absolute path, so that it may be published.
    number: from 1. The line for JSON lines and CSV (where the row begins), the
        position for JSON arrays, Parquet and Arrow.
    problem: empty, or what is wrong; `values` is empty then.
    """

    file: str
    number: int
    values: dict[str, Any]
    problem: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"


EVERY = "*"
"""All splits of a folder, as a name for them."""


def read_rows(path: str | Path, split: str | None = None) -> Iterator[Row]:
    """The rows of a file, or of one split of a `datasets` folder, the train split if not said, in order and streaming.

    split: `EVERY` reads all of them.

    A row that cannot be read comes as a `Row` with a problem, and reading goes on
    where that is possible; SourceError is for a file that cannot be read at all.
    """
    path = Path(path)
    try:
        for name, file, read in data_files(path, split):
            yield from read(file, name)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror or error}", "Check the path and its permissions."
        ) from error


def holds_data(folder: Path) -> bool:
    """Whether a folder is one that `read_rows` reads."""
    marks = ("dataset_dict.json", "state.json")
    return any((folder / mark).is_file() for mark in marks) or bool(_tables(folder))


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object", bytes: "bytes"}
    return names.get(type(value), f"a {type(value).__name__}")


Reader = Callable[[Path, str], Iterator[Row]]


def splits_in(path: str | Path) -> list[str]:
    """The splits of a source, as its files are named: `train`, `validation`, `test`, others; else `train` alone."""
    path = Path(path)
    if (path / "dataset_dict.json").is_file():
        found = _strings(path / "dataset_dict.json", lambda content: content["splits"])
    else:
        names = [_SPLIT.fullmatch(file.stem) for file in (_tables(path) if path.is_dir() else ())]
        found = list(dict.fromkeys(name[1] for name in names if name)) if all(names) else []
    if wrong := [name for name in found if not re.fullmatch(r"\w+(?:[.-]\w+)*", name)]:  # they become names of files
        raise SourceError(
            f"{path}: {wrong[0]!r} is no name of a split", "Split names are words, such as train or test."
        )
    return [name for name in SPLITS if name in found] + [name for name in found if name not in SPLITS] or ["train"]


# behind the number of shards an older `datasets` library put a hash
_SPLIT = re.compile(r"(\w+?)(?:-\d{5}-of-\d{5}(?:-[0-9a-f]{16})?|-\d+)?")


def data_files(path: Path, split: str | None = None) -> Iterator[tuple[str, Path, Reader]]:
    """The files that the rows of a file or folder are read from: what rows call them, the path, and how.

    Raises `SourceError` where there are none.
    """
    if path.is_dir():
        for file in _files_of_folder(path, split):
            name = str(file.absolute().relative_to(path.absolute().parent))
            yield name, file, _arrow if file.suffix == ".arrow" else _parquet
        return
    if not path.exists():
        raise SourceError(f"{path} does not exist", _nearest(path))
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(
            f"{path}: the ending {path.suffix!r} is not known" if path.suffix else f"{path}: the name has no ending",
            f"Known endings: {', '.join(FORMATS)}; or a folder written by the datasets library.",
        )
    yield path.name, path, reader


def _nearest(path: Path) -> str:
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, sorted(siblings), n=1)
    return f"Did you mean {path.with_name(close[0])}?" if close else "Check the path."


def _files_of_folder(folder: Path, wanted: str | None) -> list[Path]:
    """The data files of what `save_to_disk` wrote, or else the Parquet files: of a split, by default the train's."""
    home = folder
    if (folder / "dataset_dict.json").is_file():
        splits = _strings(folder / "dataset_dict.json", lambda content: content["splits"])
        if wanted == EVERY:
            return [file for split in splits for file in _files_of_folder(folder / split, None)]
        split = wanted or ("train" if "train" in splits else splits[0] if len(splits) == 1 else None)
        if split is None:
            raise SourceError(
                f"{folder} has no train split: its splits are {', '.join(splits) or 'none'}",
                f"Name one of them: {folder}/<split>.",
            )
        home = folder / split
    if (home / "state.json").is_file():
        names = _strings(home / "state.json", lambda content: [entry["filename"] for entry in content["_data_files"]])
        return [home / name for name in names]
    files = _tables(folder)
    if not files:
        raise SourceError(
            f"{folder} is a folder without data",
            "A folder needs data/*.parquet, *.parquet, what Dataset.save_to_disk writes, or, for seeds, qna.yaml files"
            " in folders below; or name one file in it.",
        )
    if wanted == EVERY:
        return files
    own = [file for file in files if file.stem == wanted or file.name.startswith(f"{wanted or 'train'}-")]
    return own or [file for file in files if wanted is None and file.name.startswith("train")] or files


def _tables(folder: Path) -> list[Path]:
    return sorted((folder / "data").glob("*.parquet")) or sorted(folder.glob("*.parquet"))


def _strings(path: Path, pick: Callable[[Any], list[str]]) -> list[str]:
    """A list of names out of a JSON file that the datasets library wrote."""
    try:
        return [str(name) for name in pick(json.loads(path.read_bytes()))]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is not what the datasets library writes", "Save the dataset again.") from error


def _json(path: Path, name: str) -> Iterator[Row]:
    """JSON lines, or one array, or (in a .json file) one object: told apart by content."""
    head = _text_head(path).lstrip()
    if head.startswith(b"["):
        yield from _json_array(path, name)
        return
    if path.suffix.lower() == ".json" and head.startswith(b"{"):
        whole, problem = _parse(path.read_bytes().decode("utf-8-sig", "replace"))
        if not problem:
            yield _row(name, 1, whole)
            return
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                value = orjson.loads(raw)
                if not (type(value) is dict and _SIMPLE.issuperset(map(type, value.values()))) and _LONG.search(raw):
                    value = json.loads(raw)  # since orjson makes a float of a whole number of more than 64 bits
            except ValueError:
                yield from _unusual(raw, name, number)
            else:
                yield _row(name, number, value)


_SIMPLE = {str, int, bool, type(None)}
_LONG = re.compile(rb"\d{19}")


def _unusual(raw: bytes, name: str, number: int) -> Iterator[Row]:
    """The row of a line that is blank, wrong, or right only to Python's own parser."""
    line, problem = _decoded(raw, number)
    if problem:
        yield Row(name, number, {}, problem)
    elif line.strip():
        value, problem = _parse(line)
        yield Row(name, number, {}, problem) if problem else _row(name, number, value)


def _json_array(path: Path, name: str) -> Iterator[Row]:
    value, problem = _parse("".join(_all_lines(path)))
    if problem:
        raise SourceError(
            f"{path} {problem}",
            "If the file was cut off while it was written or copied, fetch it again; else correct that place.",
        )
    for number, element in enumerate(value, 1):
        yield _row(name, number, element)


def _parse(text: str) -> tuple[Any, str]:
    """A JSON value, or what is wrong with the text.

    Python's own parser, since it lets a lone surrogate through: the check of the
    field that holds it can then say more than "malformed".
    """
    try:
        return json.loads(text), ""
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.strip() else ""
        return None, f"is not valid JSON: {error.msg} at {line}column {error.colno}"
    except RecursionError:
        return None, "is not usable JSON: nested too deeply"
    except ValueError as error:
        return None, f"is not usable JSON: {error}"


def _row(name: str, number: int, value: Any) -> Row:
    if isinstance(value, dict):
        return Row(name, number, value)
    return Row(name, number, {}, f"is {kind_of(value)}, not an object with named fields")


def _csv(path: Path, name: str, delimiter: str = ",") -> Iterator[Row]:
    _text_head(path)
    csv.field_size_limit(1 << 30)  # what is too long is said of the row, like everything else about it
    reader = csv.reader(_all_lines(path), delimiter=delimiter, strict=True)
    begins = 1
    header: list[str] | None = None
    try:
        for cells in reader:
            number, begins = begins, reader.line_num + 1
            if not cells:
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if len(header) == 1 and (other := next((sign for sign in ";\t|" if sign in header[0]), "")):
                    raise SourceError(
                        f"{path}:{number}: the header is one column, {header[0]!r}",
                        f"Is {other!r} what separates its cells? Save it with commas, or with tabs as .tsv.",
                    )
                if repeated := sorted({cell for cell in header if header.count(cell) > 1}):
                    raise SourceError(
                        f"{path}:{number}: the header repeats {', '.join(map(repr, repeated))}", "Rename it."
                    )
            elif len(cells) == len(header):
                yield Row(name, number, dict(zip(header, cells, strict=True)))
            else:
                yield Row(name, number, {}, f"has {len(cells)} cells where the header has {len(header)}")
    except csv.Error as error:
        raise SourceError(
            f"{path}:{begins}: not valid CSV in the row that begins here: {error}",
            'Cells that hold a separator, a quote or a line break stand in "double quotes", with a quote doubled.',
        ) from error


def _tsv(path: Path, name: str) -> Iterator[Row]:
    return _csv(path, name, delimiter="\t")


def _parquet(path: Path, name: str) -> Iterator[Row]:
    import pyarrow.parquet as pq

    def batches() -> Iterator[Any]:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=1_000)

    return _table(batches(), path, name)


def _arrow(path: Path, name: str) -> Iterator[Row]:
    import pyarrow as pa

    def batches() -> Iterator[Any]:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream

    return _table(batches(), path, name)


def _table(batches: Iterator[Any], path: Path, name: str) -> Iterator[Row]:
    import pyarrow as pa

    number = 0
    try:
        for batch in batches:
            decode = _decoding(batch.schema)
            for values in _values(_readable(batch)):
                number += 1
                for column, kind in decode.items():
                    if values:
                        values[column] = kind.decoded(values[column])
                yield Row(name, number, values or {}, "" if values is not None else "holds text that is not UTF-8")
    except pa.ArrowException as error:
        raise SourceError(
            f"{path} cannot be read after row {number}: {error}",
            "The file is damaged or of another format: write it again.",
        ) from error


def _decoding(schema: Any) -> dict[str, Any]:
    """The types of the columns whose values are there as JSON text and are meant as they are."""
    from llmsynth.column_types import column_type, type_of_arrow

    names = {column.name: type_of_arrow(column.type) for column in schema}
    kinds = {name: column_type(kind) for name, kind in names.items() if kind is not None and "object" in kind}
    return {name: kind for name, kind in kinds.items() if kind.encoded}


def _readable(batch: Any) -> Any:
    """The batch with text for what JSON has no values of."""
    import pyarrow as pa

    from llmsynth.column_types import read_as_text

    for place, column in enumerate(batch.schema):
        if read_as_text(column.type):
            batch = batch.set_column(place, column.name, batch.column(place).cast(pa.string()))
    return batch


def _values(batch: Any) -> list[dict[str, Any] | None]:
    """The rows of a batch, None for those whose text cannot be decoded."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        return [values for index in range(batch.num_rows) for values in _values(batch.slice(index, 1))]


def _text_head(path: Path) -> bytes:
    """The first bytes of a text file without its byte order mark; SourceError for what is no UTF-8 text."""
    with path.open("rb") as file:
        head = file.read(8_192)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{path} is UTF-16, not UTF-8", "Save it again as UTF-8.")
    if b"\0" in head:
        line = head.count(b"\n", 0, head.index(b"\0")) + 1
        raise SourceError(
            f"{path}:{line}: a NUL byte: this is not a text file", "Check that the file is what its ending says."
        )
    return head.removeprefix(b"\xef\xbb\xbf")


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Number, text with its line end, and problem of every line; only a line feed ends one."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            yield number, *_decoded(raw, number)


def _decoded(raw: bytes, number: int) -> tuple[str, str]:
    """The text of a line, or what is wrong with it."""
    try:
        return (raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).decode(), ""
    except UnicodeDecodeError as error:
        return "", f"is not UTF-8: byte 0x{error.object[error.start]:02x}, the line's {error.start + 1}th"


def _all_lines(path: Path) -> Iterator[str]:
    for number, line, problem in _lines(path):
        if problem:
            raise SourceError(f"{path}:{number}: {problem}", "Save it again as UTF-8.")
        yield line


FORMATS: dict[str, Reader] = {
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}

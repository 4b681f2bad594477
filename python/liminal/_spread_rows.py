"""What a distributed training reads: files as rows of Ray Data, with the columns of a model's definition."""
from __future__ import annotations

import csv
import dataclasses
import itertools
import pathlib
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as json
import pyarrow.parquet as parquet
import ray.data

from liminal import _engine

TIME, USER = "timestamp", "user_id"
_MISSING = ("nan", "na", "n/a", "null", "none", "-")
_MISSING_IN_ANY_CASE = ["", *("".join(letters) for word in _MISSING for letters in
                              itertools.product(*({one.lower(), one.upper()} for one in word)))]
_READ_BYTES, _READ_ROWS = 16 * 2**20, 131_072
Columns = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is asked of a distributed training (src/server/training/spread.hpp); cpus: of each process."""

    files: list[str]
    features: list[str]
    target: str
    classes: bool
    workers: int
    sample_rows: int
    rounds_max: int
    budget_s: float
    seed: int
    cpus: float


def columns_of(wish: Wish) -> list[str]:
    """What of the files is read: of time and user what all of them have. Raises ValueError for what one lacks."""
    wanted, more = [*wish.features, wish.target], {TIME, USER}
    for file in map(pathlib.Path, wish.files):
        if file.suffix not in (".csv", ".parquet"):  # lines of JSON say for each row what it has
            continue
        try:
            names = parquet.read_schema(file).names if file.suffix == ".parquet" else _header(file)
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError, StopIteration) as wrong:
            raise ValueError(f"{file.name}: cannot be read: {wrong}") from None
        for one in wanted:
            if one not in names:
                raise ValueError(f"{file.name}: has no column {one}")
        for one in names:
            if names.count(one) > 1:
                raise ValueError(f"{file.name}: has the column {one} twice")
        more &= set(names)
    return list(dict.fromkeys([*wanted, *sorted(more)]))


def _header(file: pathlib.Path) -> list[str]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        return next(csv.reader(lines))


def read(wish: Wish) -> Any:
    """Rows as x (float32, a feature each), y (float32, NaN where there is none), t (seconds, NaN) and u (of the
    user, 0 where none is known): a dataset that is in the cluster's object store, and beyond its memory on disks."""
    names = columns_of(wish)
    files = ray.data.from_items(wish.files, override_num_blocks=len(wish.files))
    return _mapped(files, wish, _read, wish, names).materialize()


def _read(files: pa.Table, wish: Wish, names: list[str]) -> Iterator[pa.Table]:
    for file in map(pathlib.Path, files["item"].to_pylist()):
        try:
            for table in _FORMS[file.suffix](file, wish, names):
                yield _rows_of(table, wish)
        except (ValueError, OSError) as wrong:  # Arrow's are ValueErrors
            raise ValueError(f"{file.name}: {wrong}") from None


def _csv(file: pathlib.Path, wish: Wish, names: list[str]) -> Iterator[pa.Table]:
    types = {one: pa.float64() if one in wish.features else pa.string() for one in names}
    # One thread says in which row something is wrong; files are read beside each other.
    with pacsv.open_csv(file, pacsv.ReadOptions(use_threads=False, block_size=_READ_BYTES),
                        convert_options=pacsv.ConvertOptions(
                            column_types=types, include_columns=names, null_values=_MISSING_IN_ANY_CASE,
                            strings_can_be_null=True)) as batches:
        for batch in batches:
            yield pa.Table.from_batches([batch])


def _parquet(file: pathlib.Path, wish: Wish, names: list[str]) -> Iterator[pa.Table]:
    for batch in parquet.ParquetFile(file).iter_batches(_READ_ROWS, columns=names):
        yield pa.Table.from_batches([batch])


def _lines(file: pathlib.Path, wish: Wish, names: list[str]) -> Iterator[pa.Table]:
    with file.open("rb") as lines:
        while some := lines.readlines(_READ_BYTES):
            # What a field is, is seen anew each time: none must be in the first lines.
            if text := b"".join(one for one in some if not one.isspace()):
                yield json.read_json(pa.BufferReader(text), json.ReadOptions(use_threads=False, block_size=len(text)))


_FORMS = {".csv": _csv, ".parquet": _parquet, ".ndjson": _lines, ".jsonl": _lines}


def _mapped(rows: Any, wish: Wish, each: Any, *arguments: Any) -> Any:
    """Block by block, in the processes of the cluster."""
    return rows.map_batches(each, fn_args=arguments, batch_format="pyarrow", batch_size=None, num_cpus=wish.cpus)


def _packed(columns: Columns) -> pa.Table:
    """As Ray's blocks have them: also without a row, which Ray's own tensors of rows cannot be."""
    values = pa.FixedSizeListArray.from_arrays(pa.array(columns["x"].ravel()), columns["x"].shape[1])
    return pa.table({"x": values, **{key: pa.array(columns[key]) for key in columns if key != "x"}})


def unpacked(rows: pa.Table) -> Columns:
    """What `read` gives as arrays; x of shape (n, k)."""
    width = rows.schema.field("x").type.list_size
    chunks = [np.empty((0, width), np.float32)]
    chunks += [chunk.flatten().to_numpy().reshape(-1, width) for chunk in rows["x"].chunks]
    return {"x": np.concatenate(chunks), **{key: rows[key].to_numpy() for key in rows.column_names if key != "x"}}


def _rows_of(table: pa.Table, wish: Wish) -> pa.Table:
    values = np.empty((table.num_rows, len(wish.features)), np.float32)
    with np.errstate(over="ignore"):
        for place, name in enumerate(wish.features):
            values[:, place] = _numbers(table, name)
        labels = _numbers(table, wish.target).astype(np.float32)
    values[np.isinf(values)] = np.nan
    known = labels[~np.isnan(labels)]
    if not np.isfinite(known).all():
        raise ValueError(f"{wish.target}: is too large to be learnt")
    if wish.classes and not np.isin(known, (0, 1)).all():
        raise ValueError(f"{wish.target}: must be 0 or 1")
    return _packed({"x": values, "y": labels, "t": _times(table), "u": _users(table)})


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names or pa.types.is_null(table[name].type):
        return pa.chunked_array([pa.nulls(table.num_rows, pa.float64())])
    return table[name]


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _doubles(column: pa.ChunkedArray) -> np.ndarray:
    return pc.cast(column, pa.float64()).to_numpy()


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    column = _column(table, name)
    kind = column.type
    try:
        if pa.types.is_boolean(kind):
            return _doubles(pc.cast(column, pa.uint8()))
        if _is_text(kind):
            lower = pc.utf8_lower(column)
            lower = pc.if_else(pc.is_in(lower, pa.array(["", *_MISSING], kind)), pa.scalar(None, kind), lower)
            for word, digit in (("true", "1"), ("false", "0")):
                lower = pc.if_else(pc.equal(lower, word), pa.scalar(digit, kind), lower)
            column = lower
        return _doubles(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as wrong:
        raise ValueError(f"{name}: is no number: {wrong}") from None


def _times(table: pa.Table) -> np.ndarray:
    column = _column(table, TIME)
    try:
        if _is_text(column.type):
            try:
                return _doubles(column)
            except pa.ArrowInvalid:
                column = pc.cast(column, pa.timestamp("us", "UTC"))
        if pa.types.is_timestamp(column.type):
            return _doubles(pc.cast(pc.cast(column, pa.timestamp("us", column.type.tz)), pa.int64())) / 1e6
        return _doubles(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as wrong:
        raise ValueError(f"{TIME}: is no time, RFC 3339 or seconds since the epoch: {wrong}") from None


def _users(table: pa.Table) -> np.ndarray:
    users = pc.cast(_column(table, USER), pa.string()).combine_chunks().dictionary_encode()
    if isinstance(users, pa.ChunkedArray):
        users = users.combine_chunks()
    names = users.dictionary.to_pylist()
    hashes = np.append(_engine.user_hashes(names), np.uint64(0))
    hashes[[place for place, name in enumerate(names) if not name]] = 0
    return hashes[users.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)]


def counts(rows: Any, wish: Wish) -> dict[str, int]:
    """Of all rows: with a label, without one, positive, and those whose time or user is not known."""
    told = _mapped(rows, wish, _counted).take_all()
    return {key: sum(one[key] for one in told) for key in ("rows", "left_out", "positives", "untimed", "nobodys")}


def _counted(rows: pa.Table) -> pa.Table:
    labels, times, users = (rows[key].to_numpy() for key in ("y", "t", "u"))
    known = ~np.isnan(labels)
    told = {"rows": known, "left_out": ~known, "positives": labels[known] > .5,
            "untimed": ~np.isfinite(times[known]), "nobodys": users[known] == 0}
    return pa.table({key: [int(which.sum())] for key, which in told.items()})


def drawn(rows: Any, wish: Wish, share: float) -> Columns:
    """So many of the labelled rows, by chance; the same of the same files and seed."""
    blocks = _mapped(rows, wish, _drawn, wish.seed, share).iter_batches(batch_format="pyarrow", batch_size=None)
    return unpacked(pa.concat_tables(list(blocks)).slice(0, wish.sample_rows))


def _drawn(rows: pa.Table, seed: int, share: float) -> pa.Table:
    chosen = ~np.isnan(rows["y"].to_numpy())
    if share < 1:
        chance = np.random.default_rng([seed, zlib.crc32(unpacked(rows)["x"])])
        chosen &= chance.random(chosen.size) < share
    return rows.filter(pa.array(chosen))


def learning(rows: Any, wish: Wish, parting: dict[str, Any]) -> Any:
    """The rows that learn."""
    return _mapped(rows, wish, _learning, parting).materialize()


def _learning(rows: pa.Table, parting: dict[str, Any]) -> pa.Table:
    columns = unpacked(rows)
    learnt = _engine.learnt_from(columns["x"], columns["t"], columns["u"], **parting).astype(bool)
    return rows.filter(pa.array(learnt & ~np.isnan(columns["y"])))


def dealt(rows: Any, workers: int) -> list[list[Any]]:
    """References of blocks, for each worker as many rows as for any other, in their order."""
    count = rows.count()
    cuts = [count * part // workers for part in range(1, workers)]
    return [part.to_arrow_refs() for part in (rows.split_at_indices(cuts) if cuts else [rows])]

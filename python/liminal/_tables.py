"""Tables of rows as training and models take them, from NumPy, pandas and Arrow."""
from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from liminal import _columns
from liminal._engine import Model

LEVELS_MAX = 4096


class Texts(NamedTuple):
    """A column of texts: the different ones in their order, and int32 places in them; -1 for none."""

    levels: list[str]
    codes: np.ndarray


def columns_of(rows: Any, names: list[str] | None = None) -> dict[str, Any]:
    """A table's columns by name: of a DataFrame, an Arrow table, a dictionary, or an array of shape (n, k)."""
    if isinstance(rows, dict):
        columns = dict(rows)
    elif hasattr(rows, "column_names"):  # Arrow
        columns = {name: rows.column(name) for name in rows.column_names}
    elif hasattr(rows, "columns"):  # pandas
        columns = {str(name): rows[name] for name in rows.columns}
    else:
        array = np.asarray(rows)
        if array.ndim != 2:
            raise ValueError("rows: must be a table, or an array of shape (n, features)")
        names = names or [f"feature_{place}" for place in range(array.shape[1])]
        if len(names) != array.shape[1]:
            raise ValueError(f"features: must name {array.shape[1]} columns, not {len(names)}")
        columns = {name: array[:, place] for place, name in enumerate(names)}
    if names is not None:
        missing = [name for name in names if name not in columns]
        if missing:
            raise ValueError(f"features: has no column {missing[0]}")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise ValueError("rows: must have columns, all of one length")
    return columns


def column(values: Any, field: str) -> np.ndarray | Texts:
    """A column as float64 numbers (NaN for none), or as texts."""
    if _columns._is_arrow(values):
        import pyarrow.types as types

        kind = values.type
        if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind):
            return _sorted(*_columns.texts(values, field))
        if types.is_boolean(kind):
            values = values.cast("uint8")
        values = values.to_numpy(zero_copy_only=False) if not hasattr(values, "chunks") else values.to_numpy()
    if hasattr(getattr(values, "cat", values), "codes"):  # pandas' Categorical
        categories = getattr(values, "cat", values)
        levels = categories.categories
        if levels.dtype.kind in "OUT":
            return _sorted(list(levels), np.asarray(categories.codes))
        values = np.asarray(values)
    if hasattr(values, "to_numpy") and getattr(values.dtype, "kind", "O") not in "iufbM":
        values = values.to_numpy(dtype=object, na_value=None)
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{field}: must have shape (n,)")
    if array.dtype.kind in "iufb":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind in "US":
        return _sorted(*_columns.texts([str(value) for value in array], field))
    if array.dtype.kind != "O":
        raise ValueError(f"{field}: must be numbers or texts, not {array.dtype}")
    given = [None if _columns.is_missing(value) else value for value in array]
    if any(isinstance(value, str) for value in given):
        return _sorted(*_columns.texts(given, field))
    try:
        return np.array([np.nan if value is None else float(value) for value in given])
    except (TypeError, ValueError):
        raise ValueError(f"{field}: must be numbers or texts") from None


def _sorted(distinct: list[str], codes: np.ndarray) -> Texts:
    """Only levels that occur, in alphabetical order, as the program reads them from a file."""
    codes = np.asarray(codes, dtype=np.int32)
    used = sorted({distinct[code] for code in np.unique(codes) if code >= 0})
    places = {text: place for place, text in enumerate(used)}
    table = np.array([places.get(text, -1) for text in distinct] + [-1], dtype=np.int32)
    return Texts(used, table[codes])


def floats(values: np.ndarray | Texts) -> np.ndarray:
    if isinstance(values, Texts):
        return np.where(values.codes < 0, np.nan, values.codes).astype(np.float32)
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def number_text(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _check_names(features: list[str], names: list[str], field: str) -> None:
    """Refuses names that are not just the model's features: by place, they would be taken for others."""
    known, given = set(features), Counter(names)
    for problem, wrong in (
            ("lacks", [name for name in features if name not in given]),
            ("has what the model has not:", [name for name in given if name not in known]),
            ("has twice:", [name for name, times in given.items() if times > 1])):
        if wrong:
            raise ValueError(f"{field}: {problem} {', '.join(wrong)}")


def _has_names(labels: Any) -> bool:
    """Whether labels are names; a DataFrame that was given none numbers its columns."""
    return labels is not None and any(isinstance(label, str) for label in labels)


def rows_by_name(model: Model, rows: Any, field: str) -> Any:
    """A table's numbers in the model's order, as float32 of shape (n, features); what has no names as it is."""
    labels = rows if isinstance(rows, dict) else getattr(rows, "column_names", getattr(rows, "columns", None))
    if not _has_names(labels):
        return rows
    features = model.features
    _check_names(features, [str(label) for label in labels], field)
    columns = columns_of(rows)
    out = np.empty((len(columns[features[0]]), len(features)), np.float32)
    for place, name in enumerate(features):
        values = column(columns[name], name)
        if isinstance(values, Texts):
            raise ValueError(f"{field}: {name} must be numbers; encode_rows makes them of texts")
        out[:, place] = floats(values)
    return out


def row_by_name(model: Model, row: Any, field: str) -> Any:
    """The same of one row, a pandas Series or a dictionary: its values in the model's order."""
    labels = row if isinstance(row, dict) else getattr(row, "index", None) if hasattr(row, "dtype") else None
    if not _has_names(labels):
        return row
    features = model.features
    _check_names(features, [str(label) for label in labels], field)
    return [row[name] for name in features]


def encode_rows(model: Model, rows: Any) -> np.ndarray:
    """Rows as ``model.predict`` takes them: float32 of shape (n, features), in the model's order.

    rows: a pandas DataFrame, an Arrow table, or a dictionary of columns, which must have the model's
    features by name; others are left out. A text becomes the place of its level at training, one that was
    not there then is missing (NaN), as what is not given. Raises ValueError that names the column.
    """
    columns = columns_of(rows)
    missing = [name for name in model.features if name not in columns]
    if missing:
        raise ValueError(f"rows: has no column {', '.join(missing)}")
    out = np.empty((len(next(iter(columns.values()))), len(model.features)), np.float32)
    for place, name in enumerate(model.features):
        values = column(columns[name], name)
        levels = model.facts.get(f"levels.{name}")
        if levels is not None:
            if not isinstance(values, Texts):
                raise ValueError(f"{name}: must be texts")
            known = {text: code for code, text in enumerate(json.loads(levels))}
            table = np.array([known.get(text, np.nan) for text in values.levels] + [np.nan], np.float32)
            out[:, place] = table[values.codes]
        elif isinstance(values, Texts):
            raise ValueError(f"{name}: must be numbers")
        else:
            out[:, place] = floats(values)
    return out

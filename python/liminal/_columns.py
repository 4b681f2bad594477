"""Columns as the engine takes them, from NumPy, pandas and Arrow, without copies where their memory is
what is wanted already."""
from __future__ import annotations

from typing import Any

import numpy as np

from liminal import _engine

Texts = tuple[list[str], np.ndarray]


def _is_arrow(values: Any) -> bool:
    return type(values).__module__.split(".")[0] == "pyarrow"


def _from_arrow(values: Any) -> Texts:
    import pyarrow

    if isinstance(values, pyarrow.ChunkedArray):
        values = values.combine_chunks()
    if not isinstance(values, pyarrow.DictionaryArray):
        values = values.dictionary_encode()
    indices = values.indices
    if indices.null_count:
        indices = indices.cast(pyarrow.int32()).fill_null(-1)
    return values.dictionary.to_pylist(), indices.to_numpy(zero_copy_only=False)


def is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (
        isinstance(value, float) and value != value)


def _encoded(values: list[Any] | tuple[Any, ...]) -> Texts:
    try:
        return _engine.encode(values)
    except (TypeError, ValueError):
        # pandas says NaN for a text that is not there.
        given = [None if is_missing(value) else value for value in values]
        return _engine.encode(given)


def _places(codes: Any, field: str) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.dtype == np.int32 or not codes.size:
        return np.ascontiguousarray(codes, dtype=np.int32)
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{field}: places must be whole numbers")
    if codes.dtype.itemsize >= 4:
        wrong = np.flatnonzero((codes > np.iinfo(np.int32).max) | (codes < np.iinfo(np.int32).min))
        if wrong.size:
            raise ValueError(f"{field}[{wrong[0]}]: is not the place of a text")
    return np.ascontiguousarray(codes, dtype=np.int32)


def texts(values: Any, field: str) -> Texts:
    """The different texts, and int32 places in them; -1 for none."""
    if isinstance(values, tuple) and len(values) == 2 and isinstance(values[1], np.ndarray):
        distinct, codes = values
    elif _is_arrow(values):
        distinct, codes = _from_arrow(values)
    else:
        categories = getattr(values, "cat", values)  # of a pandas Series
        if hasattr(categories, "categories") and hasattr(categories, "codes"):
            distinct, codes = categories.categories, categories.codes
        else:
            try:
                return _encoded(values if isinstance(values, (list, tuple)) else list(values))
            except (TypeError, ValueError) as wrong:
                raise ValueError(f"{field}: {wrong}") from None
    return list(distinct), _places(codes, field)


def maybe_texts(values: Any, field: str) -> tuple[list[str], np.ndarray | None]:
    return ([], None) if values is None else texts(values, field)


def _array(values: Any) -> np.ndarray:
    """Values as NumPy has them; none of any shape for rows that differ in length."""
    if _is_arrow(values):
        return values.to_numpy(zero_copy_only=False) if not hasattr(values, "chunks") else values.to_numpy()
    try:
        return np.asarray(values)
    except ValueError:
        return np.empty((), dtype=object)


def numbers(values: Any, dtype: Any, field: str) -> np.ndarray | None:
    """Whole numbers of an unsigned type; what does not fit is an error."""
    if values is None:
        return None
    given = _array(values)
    if given.dtype.kind not in "iuf" or given.ndim != 1:
        raise ValueError(f"{field}: must be whole numbers of shape (n,)")
    if given.dtype == dtype:
        return np.ascontiguousarray(given)
    with np.errstate(invalid="ignore"):  # NaN: told of below
        taken = given.astype(dtype)
    different = np.flatnonzero(
        (taken.astype(given.dtype) != given) | (given < 0 if given.dtype.kind != "u" else False))
    if different.size:
        raise ValueError(f"{field}[{different[0]}]: does not fit {np.dtype(dtype).name}")
    return taken


def floats(values: Any, field: str) -> np.ndarray:
    """Numbers as float64; NaN for what is missing."""
    given = _array(values)
    if given.dtype.kind == "O" and given.ndim == 1:  # there is None, or what pandas has for it
        try:
            given = np.array([_number(one) for one in given], dtype=np.float64)
        except (TypeError, ValueError):
            pass
    if given.dtype.kind not in "iufb" or given.ndim != 1:
        raise ValueError(f"{field}: must be numbers of shape (n,)")
    return np.ascontiguousarray(given, dtype=np.float64)


def _number(value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError("text is no number")
    return np.nan if is_missing(value) else float(value)


def flags(values: Any, field: str) -> np.ndarray | None:
    if values is None:
        return None
    given = _array(values)
    return np.ascontiguousarray(given).view(np.uint8) if given.dtype == np.bool_ else numbers(
        given, np.uint8, field)


def _without_zone(values: Any) -> Any:
    """Times of pandas with a zone as the same moments in UTC."""
    if getattr(getattr(values, "dtype", None), "tz", None) is None:
        return values
    return getattr(values, "dt", values).tz_convert(None)


def seconds(values: Any, field: str) -> np.ndarray | None:
    """Seconds since the epoch; a datetime64, which has no zone, is UTC."""
    if values is None:
        return None
    values = _without_zone(values)
    given = _array(values)
    if given.dtype.kind == "M" and given.ndim == 1:
        return (given - np.datetime64(0, "s")) / np.timedelta64(1, "s")
    if given.dtype.kind not in "iuf" or given.ndim != 1:
        raise ValueError(f"{field}: must be seconds since the epoch of shape (n,), or datetime64")
    return np.ascontiguousarray(given, dtype=np.float64)


def words(values: Any, known: tuple[str, ...], field: str) -> np.ndarray | None:
    """Words, or the places of words in those that are known, as uint8."""
    if values is None:
        return None
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return numbers(values, np.uint8, field)
    distinct, codes = texts(values, field)
    unknown = [word for word in distinct if word not in known]
    if unknown or (codes.size and codes.min() < 0):
        raise ValueError(f"{field}: {unknown[0] if unknown else None!r} is none of {', '.join(known)}")
    places = np.array([known.index(word) for word in distinct], dtype=np.uint8)
    return places[codes] if codes.size else np.zeros(0, dtype=np.uint8)

"""Training: the search that ``liminal train`` runs, over tables of Python."""
from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from liminal import _columns, _engine
from liminal._engine import Model
from liminal._tables import LEVELS_MAX, Texts, column, columns_of, encode_rows, floats, number_text

Progress = Callable[[float, int, "float | None"], Any]


class Trained:
    """What came of a training.

    model: the best one. champion: the best that is cheap enough to be asked for every message, the same one
    where that is the best; None when none is. report: what ``liminal train --json`` writes: rows, figures,
    leaderboard, importance of features and what to do next. html: the same as a page; None without a target.
    """

    def __init__(self, told: dict[str, Any]):
        self.model = Model.loads(told["model"])
        self.champion: Model | None = (
            self.model if told["best_is_champion"]
            else Model.loads(told["champion"]) if told["champion"] is not None else None)
        self.report: dict[str, Any] = told["report"]
        self.html: str | None = told["html"]

    @property
    def leaderboard(self) -> list[dict[str, Any]]:
        """Candidates: recipe, score (of the validation, larger is better), fits, cost_s, weight in the blend."""
        return self.report.get("leaderboard", [])

    @property
    def figures(self) -> dict[str, float]:
        """How good the model is, on rows that it was not fitted to."""
        return self.report["best"]["metrics"] if "best" in self.report else {}

    def predict(self, rows: Any) -> np.ndarray:
        """The model's scores of a table that has its features by name: float64 of shape (n,)."""
        return self.model.predict(encode_rows(self.model, rows))

    def save(self, path: str | os.PathLike[str]) -> list[pathlib.Path]:
        """Writes the model as ONNX, and beside it ``….champion.onnx`` where that is another one.

        Returns the files. Raises OSError.
        """
        target = pathlib.Path(path)
        files = {target: self.model}
        if self.champion is not None and self.champion is not self.model:
            files[target.with_suffix(f".champion{target.suffix}")] = self.champion
        for file, model in files.items():
            file.write_bytes(model.to_onnx())
        return list(files)

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}={value:.4g}" for name, value in self.figures.items()
                            if value is not None)
        return f"<Trained {self.model.task} {self.model.kind} {figures}>"


def train(
    rows: Any,
    target: str | Any | None = None,
    *,
    features: list[str] | None = None,
    time: str | Any | None = None,
    group: str | Any | None = None,
    weight: str | Any | None = None,
    ignore: list[str] | tuple[str, ...] = (),
    name: str = "model",
    task: str = "auto",
    objective: str = "auto",
    quantile: float | None = None,
    alert_ratio: float = .01,
    time_budget_s: float = 60,
    fits_max: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    trainer: str = "builtin",
    latency_us: float = 5,
    size_mib: float = 8,
    progress: Progress | None = None,
) -> Trained:
    """Trains a model, as ``liminal train`` does with a file of the same rows.

    rows: a pandas DataFrame, an Arrow table, a dictionary of columns, or an array of shape (n, k) whose
    columns ``features`` names; with them only those columns are learnt from. Columns of text become
    categories. target, time, group, weight: names of columns, or values of shape (n,). target: two values
    (the larger number, or the later text, is the positive class) or numbers; rows without it are left out.
    time: seconds or datetime64: the last part is held out. group: users, each on one side of the split.

    task: auto, classification, regression, anomaly or clustering; the last two need no target. objective:
    roc-auc, pr-auc, log-loss; of values squared or absolute. quantile: of values, which one to foretell
    (.9). With fits_max the same rows and seed give the same model to the bit, the program's too; else it
    searches for time_budget_s seconds. trainer: builtin, or ray, which has every fit carried out as a task of
    the cluster that ``ray.init`` connected to, and gives the same model. workers: fits at a time; by default
    two, or as many as the cluster's free processors take. progress(share done, candidates, best score) is
    called ten times a second, and ends the search by returning False.

    Other threads run meanwhile; Ctrl-C interrupts. The rows are copied once, as float32. Raises ValueError
    that names what is wrong, or how many rows are missing.
    """
    columns = columns_of(rows, features)
    used = [_taken(columns, one) for one in (target, time, group, weight)]
    wanted = features or [one for one in columns if one not in used]
    unknown = [one for one in ignore if one not in columns]
    if unknown:
        raise ValueError(f"ignore: has no column {unknown[0]}")
    fits = _fits_of(trainer, unsupervised=task in ("anomaly", "clustering"))
    if workers is None:
        workers = 2 if fits is None else fits.at_once()
    if not 1 <= workers <= 64:
        raise ValueError("workers: must be 1 to 64")
    if not (1 <= time_budget_s <= 864_000 and (fits_max is None or 8 <= fits_max <= 100_000)):
        raise ValueError("time_budget_s: must be 1 to 864000" if fits_max is None
                         else "fits_max: must be 8 to 100000")
    unsupervised = task in ("anomaly", "clustering")
    if target is None and not unsupervised:
        raise ValueError("target: is needed for this task")

    notes: list[str] = []
    kept: np.ndarray | None = None
    labels, classes = None, None
    if target is not None and not unsupervised:
        labels, classes, kept = _labels(_values(columns, target, "target"), used[0] or "target", notes)
    parts = {one: column(columns[one], one) for one in wanted
             if one not in ignore and one not in used}
    parts = {one: values for one, values in parts.items() if _learnable(one, values, notes)}
    if not parts:
        raise ValueError("rows: no column is left to learn from")

    def rest(values: Any) -> Any:
        return values if values is None or kept is None else values[kept]

    count = len(next(iter(columns.values())))
    matrix = np.empty((count if kept is None else int(kept.sum()), len(parts)), np.float32)
    for place, values in enumerate(parts.values()):
        matrix[:, place] = rest(floats(values))
    groups, codes = _groups(columns, group)
    codes = rest(codes)
    if codes is not None and (nobody := sum(code < 0 or not groups[code] for code in codes)):
        notes.append(f"{nobody} rows without {group if isinstance(group, str) else 'group'}: each is "
                     "taken for one of a user of its own")
    return Trained(_engine._train(
        matrix, list(parts),
        [values.levels if isinstance(values, Texts) else [] for values in parts.values()],
        labels, classes, rest(_weights(columns, weight)), rest(_times(columns, time)),
        groups, codes, notes,
        {"name": name, "target": used[0] or ("" if target is None else "target"), "task": task,
         "objective": objective, "quantile": quantile or 0.0, "alert_ratio": alert_ratio,
         "time_budget_s": float(time_budget_s), "fits_max": fits_max or 0, "seed": seed,
         "workers": workers, "latency_us": float(latency_us), "size_mib": float(size_mib)},
        progress, fits))


def _fits_of(trainer: str, unsupervised: bool) -> Any:
    """Where fits are carried out; None for here."""
    if trainer == "builtin":
        return None
    if trainer != "ray":
        raise ValueError("trainer: must be builtin or ray")
    if unsupervised:
        raise ValueError("trainer: ray is for tasks with a target")
    try:
        import ray
    except ImportError:
        raise ValueError("trainer: ray is not installed") from None
    if not ray.is_initialized():
        raise ValueError("trainer: ray needs a cluster: call ray.init first")
    from liminal._fits import RayFits

    return RayFits()


def _taken(columns: dict[str, Any], wanted: str | Any | None) -> str | None:
    if not isinstance(wanted, str):
        return None
    if wanted not in columns:
        raise ValueError(f"rows: has no column {wanted}")
    return wanted


def _values(columns: dict[str, Any], wanted: Any, field: str) -> Any:
    values = columns[wanted] if isinstance(wanted, str) else wanted
    if len(values) != len(next(iter(columns.values()))):
        raise ValueError(f"{field}: must have a value for each row")
    return values


def _labels(
    given: Any, field: str, notes: list[str]
) -> tuple[np.ndarray, tuple[str, str] | None, np.ndarray | None]:
    """Labels, the names of two classes, and which rows have one (None: all)."""
    values = column(given, field)
    there = values.codes >= 0 if isinstance(values, Texts) else ~np.isnan(values)
    left_out = int((~there).sum())
    if left_out:
        notes.append(f"{left_out} rows without {field} are left out")
    kept = there if left_out else None
    if isinstance(values, Texts):
        if len(values.levels) != 2:
            raise ValueError(f"{field}: has {len(values.levels)} different texts; two, or numbers, can be "
                             "learnt")
        return (values.codes[there].astype(np.float32), (values.levels[0], values.levels[1]), kept)
    values = values[there]
    distinct = np.unique(values)
    if distinct.size < 2:
        raise ValueError(f"{field}: has no two different values")
    if distinct.size == 2:
        return ((values == distinct[1]).astype(np.float32),
                (number_text(distinct[0]), number_text(distinct[1])), kept)
    with np.errstate(over="ignore"):
        labels = values.astype(np.float32)
    if not np.isfinite(labels).all():
        raise ValueError(f"{field}: is too large to be learnt")
    return labels, None, kept


def _learnable(name: str, values: np.ndarray | Texts, notes: list[str]) -> bool:
    if isinstance(values, Texts) and len(values.levels) > LEVELS_MAX:
        notes.append(f"column {name} is left out: more than {LEVELS_MAX} different texts")
        return False
    empty = not values.levels if isinstance(values, Texts) else bool(np.isnan(values).all())
    if empty:
        notes.append(f"column {name} is left out: it has no values")
    return not empty


def _weights(columns: dict[str, Any], weight: Any) -> np.ndarray | None:
    if weight is None:
        return None
    values = column(_values(columns, weight, "weight"), "weight")
    if isinstance(values, Texts) or not ((values > 0) & (values < 1e9)).all():
        raise ValueError("weight: must be above 0 and below 1e9")
    return values.astype(np.float32)


def _times(columns: dict[str, Any], time: Any) -> np.ndarray | None:
    if time is None:
        return None
    values = _columns.seconds(_values(columns, time, "time"), "time")
    assert values is not None
    if not np.isfinite(values).all():
        raise ValueError("time: is missing in a row")
    return np.ascontiguousarray(values, np.float64)


def _groups(columns: dict[str, Any], group: Any) -> tuple[list[str], np.ndarray | None]:
    if group is None:
        return [], None
    values = column(_values(columns, group, "group"), "group")
    if isinstance(values, Texts):
        return values.levels, values.codes
    distinct, codes = np.unique(values, return_inverse=True)
    return ["" if np.isnan(one) else number_text(one) for one in distinct], codes.astype(np.int32)

"""Scores of predictions against labels, each for one window.

A score that is not defined, because there are no rows, one class only, or a prediction that is not finite, is None and
never NaN. Intervals are in ``intervals.py``; which rows belong to a window is decided by the caller.
"""

import numpy as np
from numpy.typing import NDArray

# Probabilities are kept this far from 0 and 1 in a logarithm: the precision of float64, as scikit-learn 1.9 does.
_PROBABILITY_MIN = float(np.finfo(np.float64).eps)
# Ten bins of equal width, as in the reliability diagrams of Niculescu-Mizil and Caruana (ICML 2005).
CALIBRATION_BINS = 10

Labels = NDArray[np.bool_]
"""bool [rows]: does the row belong to the positive class?"""
Probabilities = NDArray[np.float64]
"""float64 [rows], 0..1: the model's probability of the positive class."""
Classes = NDArray[np.int64]
"""int64 [rows]: position of the class in the signature's list of classes."""
Numbers = NDArray[np.float64]
"""float64 [rows]."""
Scores = dict[str, float | None]


def binary_scores(labels: Labels, probabilities: Probabilities, predicted: Labels | None = None) -> Scores:
    """All scores of a classifier with two classes, by name.

    Args:
        labels: The truth.
        probabilities: The model's scores, of the same rows.
        predicted: The labels that the model answered; None leaves out the scores that need them.
    """
    scores: Scores = {
        "auc": area_under_roc(labels, probabilities),
        "average_precision": average_precision(labels, probabilities),
        "log_loss": mean_of(log_losses(labels, probabilities)),
        "brier": mean_of(squared_errors(labels.astype(np.float64), probabilities)),
        "ece": expected_calibration_error(labels, probabilities),
        "base_rate": mean_of(labels.astype(np.float64)),
        "mean_score": mean_of(probabilities),
    }
    return scores if predicted is None else scores | _label_scores(labels, predicted)


def multiclass_scores(labels: Classes, predicted: Classes, probabilities: NDArray[np.float64] | None = None) -> Scores:
    """All scores of a classifier with more than two classes, by name.

    Args:
        labels: The truth.
        predicted: The classes that the model answered.
        probabilities: float64 [rows, classes], 0..1; None leaves out the log loss.
    """
    scores: Scores = {
        "accuracy": mean_of((labels == predicted).astype(np.float64)),
        "macro_f1": macro_f1(labels, predicted),
    }
    if probabilities is not None:
        scores["log_loss"] = mean_of(class_log_losses(labels, probabilities))
    return scores


def regression_scores(labels: Numbers, predicted: Numbers) -> Scores:
    """All scores of a regression, by name; ``bias`` is the mean of prediction minus label."""
    mean_squared_error = mean_of(squared_errors(labels, predicted))
    return {
        "mae": mean_of(np.abs(predicted - labels)),
        "rmse": None if mean_squared_error is None else mean_squared_error**0.5,
        "bias": mean_of(predicted - labels),
        "r2": explained_share(labels, predicted),
    }


def area_under_roc(labels: Labels, probabilities: Probabilities) -> float | None:
    """Chance that a positive row scores above a negative one, ties counting half; None unless both classes occur.

    Source: Hanley and McNeil (1982), Radiology 143:29: the area is the statistic of Mann and Whitney, by mid-ranks.
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0 or not np.isfinite(probabilities).all():
        return None
    rank_sum = float(mid_ranks(probabilities)[labels].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(labels: Labels, probabilities: Probabilities) -> float | None:
    """Area under the precision-recall curve without interpolation; None if no row is positive.

    Source: the sum over thresholds of (recall gained) x precision, Manning, Raghavan and Schuetze (2008), Introduction
        to Information Retrieval, section 8.4; rows of equal score share one threshold, as in scikit-learn.
    """
    positives = int(labels.sum())
    if positives == 0 or not np.isfinite(probabilities).all():
        return None
    descending = np.argsort(-probabilities, kind="stable")
    falling = probabilities[descending]
    last_of_tie = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(labels) - 1)
    found = np.cumsum(labels[descending])[last_of_tie]
    precision = found / (last_of_tie + 1)
    recall_gained = np.diff(found, prepend=0) / positives
    return float((recall_gained * precision).sum())


def expected_calibration_error(labels: Labels, probabilities: Probabilities) -> float | None:
    """Mean gap, 0..1, between probability and frequency, over ten bins of equal width weighted by their rows.

    Source: Naeini, Cooper and Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI;
        here of the probability of the positive class.
    """
    if len(labels) == 0 or not np.isfinite(probabilities).all():
        return None
    bins = np.clip((probabilities * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=probabilities - labels, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def macro_f1(labels: Classes, predicted: Classes) -> float | None:
    """Mean of the F1 of each class that is among labels or predictions; None without rows.

    Source: Sokolova and Lapalme (2009), Information Processing and Management 45:427; of the two readings the mean of
        the classes' F1, as in scikit-learn (Opitz and Burst, 2019, arXiv:1911.03347).
    """
    if len(labels) == 0:
        return None
    classes = int(max(labels.max(), predicted.max())) + 1
    hits = np.bincount(labels[labels == predicted], minlength=classes)
    either = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    occurring = either > 0
    return float((2.0 * hits[occurring] / either[occurring]).mean())


def explained_share(labels: Numbers, predicted: Numbers) -> float | None:
    """R2: one minus the squared errors over those of the labels' mean, at most 1; None if the labels do not vary.

    Source: Draper and Smith (1998), Applied Regression Analysis.
    """
    if len(labels) < 2 or not np.isfinite(predicted).all() or labels.min() == labels.max():
        return None
    residual = float(squared_errors(labels, predicted).sum())
    return 1.0 - residual / float(squared_errors(labels, np.full_like(labels, labels.mean())).sum())


def log_losses(labels: Labels, probabilities: Probabilities) -> Numbers:
    """Minus the log of the probability that the model gave to what happened, float64 [rows], at least 0.

    Source: Good (1952), Journal of the Royal Statistical Society B 14:107.
    """
    return _minus_log(np.where(labels, probabilities, 1.0 - probabilities))


def class_log_losses(labels: Classes, probabilities: NDArray[np.float64]) -> Numbers:
    """As ``log_losses``, for probabilities [rows, classes]."""
    return _minus_log(probabilities[np.arange(len(labels)), labels])


def squared_errors(labels: Numbers, predicted: Numbers) -> Numbers:
    """(predicted - label)^2, float64 [rows]; of probabilities its mean is the score of Brier (1950)."""
    errors: Numbers = (predicted - labels) ** 2
    return errors


def mean_of(values: Numbers) -> float | None:
    """The mean; None without rows, or if a value is not finite."""
    if len(values) == 0 or not np.isfinite(values).all():
        return None
    return float(values.mean())


def mid_ranks(values: Numbers) -> Numbers:
    """Ranks from 1, equal values sharing the mean of theirs, float64 [rows]."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    is_new = np.ones(len(values), dtype=bool)
    is_new[1:] = ascending[1:] != ascending[:-1]
    first_of_tie = np.flatnonzero(is_new)
    past_tie = np.append(first_of_tie[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = ((first_of_tie + past_tie + 1) / 2.0)[np.cumsum(is_new) - 1]
    return ranks


def _minus_log(probabilities: Numbers) -> Numbers:
    kept: Numbers = np.clip(probabilities, _PROBABILITY_MIN, 1.0 - _PROBABILITY_MIN)
    losses: Numbers = -np.log(kept)
    return losses


def _label_scores(labels: Labels, predicted: Labels) -> Scores:
    """Scores of the model's own labels, from the four cells of the confusion matrix.

    Source: Powers (2011), Journal of Machine Learning Technologies 2:37; the correlation is that of Matthews (1975),
        Biochimica et Biophysica Acta 405:442.
    """
    hits = int((labels & predicted).sum())
    false_alarms = int(predicted.sum()) - hits
    misses = int(labels.sum()) - hits
    rejections = len(labels) - hits - false_alarms - misses
    margins = (hits + false_alarms) * (hits + misses) * (rejections + false_alarms) * (rejections + misses)
    return {
        "accuracy": _ratio(hits + rejections, len(labels)),
        "precision": _ratio(hits, hits + false_alarms),
        "recall": _ratio(hits, hits + misses),
        "f1": _ratio(2 * hits, 2 * hits + false_alarms + misses),
        "mcc": _ratio(hits * rejections - false_alarms * misses, margins**0.5),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None

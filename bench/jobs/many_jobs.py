"""A jobs table as a week of a busy service leaves it: millions of finished jobs, and beside them some that wait."""

import psycopg

#: Rows of one INSERT; between them the progress is shown.
_PORTION = 500_000
_DAYS = 7
#: Ids are UUIDs of version 7 with the millisecond of acceptance in front, as the product's own (RFC 9562, 5.7).
_FILL = f"""
    INSERT INTO jobs (id, tenant, queue, kind, model, state, priority, attempt, attempts_max, lease_token, worker_id,
                      idempotency_key, fingerprint, is_cancel_requested, error, created_at, available_at, published_at,
                      started_at, finished_at)
    SELECT substr(stamp, 1, 8) || '-' || substr(stamp, 9, 4) || '-7' || lpad(to_hex(n %% 4096), 3, '0') || '-8'
               || lpad(to_hex(n %% 4096), 3, '0') || '-' || lpad(to_hex(n), 12, '0'),
           'default', 'default', 'inference.predict', 'model-' || n %% 20,
           CASE WHEN n %% 100 = 0 THEN 'failed' WHEN n %% 100 = 1 THEN 'cancelled' ELSE 'succeeded' END,
           0, 1, 3, md5(n::text), 'host/4711',
           CASE WHEN n %% 3 = 0 THEN 'key-' || n END, CASE WHEN n %% 3 = 0 THEN md5(n::text) || md5(n::text) END,
           false, CASE WHEN n %% 100 = 0 THEN '{{"code": "internal", "detail": "no"}}'::jsonb END,
           at, at, at + interval '1 ms', at + interval '2 ms', at + interval '5 ms'
    FROM (
        SELECT n, at, lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS stamp
        FROM (
            SELECT n, now() - interval '{_DAYS} days' * (1 - n / %(rows)s::float8) AS at
            FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS numbers (n)
        ) AS moments
    ) AS stamped
"""
#: Payloads and results of the oldest jobs, which the purge deletes first.
_FILL_OLDEST = """
    WITH oldest AS (SELECT id FROM jobs ORDER BY id LIMIT 10000), payloads AS (
        INSERT INTO job_payloads (job_id, payload) SELECT id, '{"rows": []}' FROM oldest
    )
    INSERT INTO job_results (job_id, attempt, result) SELECT id, 1, '{"predictions": []}' FROM oldest
"""
_FILL_WEBHOOKS = """
    INSERT INTO job_webhooks (job_id, url, state, attempt, due_at, last_status, ended_at)
    SELECT id, 'https://example.org/hook', 'delivered', 1, finished_at, 204, finished_at
    FROM jobs WHERE finished_at > now() - interval '1 hour'
"""
_OPEN_WEBHOOKS = """
    UPDATE job_webhooks SET state = 'open', ended_at = NULL
    WHERE job_id IN (SELECT job_id FROM job_webhooks ORDER BY due_at DESC LIMIT 50)
"""


def fill_finished(connection: "psycopg.Connection[object]", rows: int) -> None:
    """Write finished jobs, 98 % of them succeeded, spread evenly over the last week; a third has a key."""
    # A crash would only lose what this run has just made up.
    connection.execute("SET synchronous_commit = off")
    for first in range(1, rows + 1, _PORTION):
        last = min(first + _PORTION - 1, rows)
        connection.execute(_FILL, {"rows": rows, "first": first, "last": last})
        print(f"{last:,} of {rows:,} rows", flush=True)
    for statement in (_FILL_OLDEST, _FILL_WEBHOOKS, _OPEN_WEBHOOKS):
        connection.execute(statement)


def make_some_special(connection: "psycopg.Connection[object]", queued: int, running: int) -> None:
    """Of that many jobs that were submitted last: some run, some of those without a lease; some lack a wake-up."""
    newest = "SELECT id FROM jobs WHERE state = 'queued' ORDER BY id LIMIT"
    connection.execute(
        f"""
        UPDATE jobs SET state = 'running', attempt = 1, lease_token = 'token', worker_id = 'host/4712',
                        started_at = now(), deadline_at = now() + interval '1 hour',
                        lease_until = now() + interval '1 hour'
        WHERE id IN ({newest} {running})
        """
    )
    connection.execute(
        f"""
        UPDATE jobs SET lease_until = now() - interval '1 s'
        WHERE id IN (SELECT id FROM jobs WHERE state = 'running' ORDER BY id LIMIT {running // 10})
        """
    )
    connection.execute("UPDATE jobs SET published_at = now() WHERE state = 'queued'")
    connection.execute(
        f"UPDATE jobs SET published_at = NULL, available_at = now() - interval '1 min' WHERE id IN ({newest} 50)"
    )
    connection.execute(
        f"UPDATE jobs SET expires_at = now() - interval '1 s' WHERE id IN ({newest} {max(1, queued // 100)})"
    )
    # What autovacuum does in a service that runs; VACUUM also says which pages index-only scans may trust.
    connection.execute("VACUUM ANALYZE")

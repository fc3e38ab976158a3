-- Revisions and hourly counts as hypertables.
--
-- Compressed after 30 days and kept for 400: an upsert into many compressed chunks fails, so a
-- reel may come as late, and a replay may reach back as far, as what is not compressed yet.

CREATE TABLE groundswell.trend_revisions (
    LIKE groundswell.trends,
    PRIMARY KEY (trend_id, revision, event_time)
);

CREATE TABLE groundswell.signal_counts (   -- use of a trend's leading signal
    trend_id text NOT NULL,
    t timestamptz NOT NULL,                -- the start of the step
    reels bigint NOT NULL,
    expected double precision NOT NULL,
    revision bigint NOT NULL,              -- that said so
    PRIMARY KEY (trend_id, t)
);

SELECT create_hypertable('groundswell.trend_revisions', 'event_time',
    chunk_time_interval => interval '7 days');
SELECT create_hypertable('groundswell.signal_counts', 't', chunk_time_interval => interval '7 days');

ALTER TABLE groundswell.trend_revisions SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'trend_id',
    timescaledb.compress_orderby = 'event_time DESC, revision DESC');
ALTER TABLE groundswell.signal_counts SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'trend_id',
    timescaledb.compress_orderby = 't DESC');
SELECT add_compression_policy('groundswell.trend_revisions', interval '30 days');
SELECT add_compression_policy('groundswell.signal_counts', interval '30 days');
SELECT add_retention_policy('groundswell.trend_revisions', interval '400 days');
SELECT add_retention_policy('groundswell.signal_counts', interval '400 days');

CREATE MATERIALIZED VIEW groundswell.signal_counts_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT trend_id, time_bucket(interval '1 hour', t) AS bucket,
    sum(reels)::bigint AS reels, sum(expected) AS expected
FROM groundswell.signal_counts
GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW groundswell.signal_counts_1d
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT trend_id, time_bucket(interval '1 day', t) AS bucket,
    sum(reels)::bigint AS reels, sum(expected) AS expected
FROM groundswell.signal_counts
GROUP BY 1, 2
WITH NO DATA;

SELECT add_continuous_aggregate_policy('groundswell.signal_counts_1h',
    start_offset => interval '390 days', end_offset => interval '1 hour',
    schedule_interval => interval '30 minutes');
SELECT add_continuous_aggregate_policy('groundswell.signal_counts_1d',
    start_offset => interval '390 days', end_offset => interval '1 day',
    schedule_interval => interval '6 hours');

-- The writer calls it wherever it writes; here the extension makes the chunks.
CREATE FUNCTION groundswell.make_partitions(parent text, times timestamptz[]) RETURNS void
LANGUAGE sql AS '';

REVOKE ALL ON FUNCTION groundswell.make_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION groundswell.make_partitions TO groundswell_writer;

GRANT SELECT ON groundswell.trend_revisions, groundswell.signal_counts,
    groundswell.signal_counts_1h, groundswell.signal_counts_1d
    TO groundswell_writer, groundswell_reader;
GRANT INSERT ON groundswell.trend_revisions TO groundswell_writer;
GRANT INSERT, UPDATE ON groundswell.signal_counts TO groundswell_writer;

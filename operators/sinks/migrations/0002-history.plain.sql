-- Revisions and hourly counts in partitions of a month, made when something comes for them.

CREATE TABLE groundswell.trend_revisions (
    LIKE groundswell.trends,
    PRIMARY KEY (trend_id, revision, event_time)
) PARTITION BY RANGE (event_time);

CREATE INDEX trend_revisions_by_time ON groundswell.trend_revisions (event_time DESC);

CREATE TABLE groundswell.signal_counts (   -- use of a trend's leading signal
    trend_id text NOT NULL,
    t timestamptz NOT NULL,                -- the start of the step
    reels bigint NOT NULL,
    expected double precision NOT NULL,
    revision bigint NOT NULL,              -- that said so
    PRIMARY KEY (trend_id, t)
) PARTITION BY RANGE (t);

CREATE VIEW groundswell.signal_counts_1h AS
SELECT trend_id, date_trunc('hour', t, 'UTC') AS bucket,
    sum(reels)::bigint AS reels, sum(expected) AS expected
FROM groundswell.signal_counts
GROUP BY 1, 2;

CREATE VIEW groundswell.signal_counts_1d AS
SELECT trend_id, date_trunc('day', t, 'UTC') AS bucket,
    sum(reels)::bigint AS reels, sum(expected) AS expected
FROM groundswell.signal_counts
GROUP BY 1, 2;

-- The writer may not make tables: this makes the partitions that it needs, and nothing else.
CREATE FUNCTION groundswell.make_partitions(parent text, times timestamptz[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    month timestamptz;
    part text;
BEGIN
    IF parent NOT IN ('trend_revisions', 'signal_counts') THEN
        RAISE EXCEPTION 'no such table: %', parent;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('groundswell.partitions', 0));
    FOR month IN SELECT DISTINCT date_trunc('month', one) FROM unnest(times) AS one ORDER BY 1 LOOP
        part := parent || to_char(month, '_YYYYMM');
        IF to_regclass(format('groundswell.%I', part)) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE groundswell.%I PARTITION OF groundswell.%I FOR VALUES FROM (%L) TO (%L)',
                part, parent, month, month + interval '1 month');
        END IF;
    END LOOP;
END
$$;

-- For the owner to call, by hand or each night: nothing else drops anything.
CREATE PROCEDURE groundswell.drop_before(moment timestamptz)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT child.relname AS name
        FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent IN (
            'groundswell.trend_revisions'::regclass, 'groundswell.signal_counts'::regclass)
        AND to_timestamp(right(child.relname, 6), 'YYYYMM') + interval '1 month' <= moment
    LOOP
        EXECUTE format('DROP TABLE groundswell.%I', part.name);
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION groundswell.make_partitions FROM PUBLIC;
REVOKE ALL ON PROCEDURE groundswell.drop_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION groundswell.make_partitions TO groundswell_writer;

GRANT SELECT ON groundswell.trend_revisions, groundswell.signal_counts,
    groundswell.signal_counts_1h, groundswell.signal_counts_1d
    TO groundswell_writer, groundswell_reader;
GRANT INSERT ON groundswell.trend_revisions TO groundswell_writer;
GRANT INSERT, UPDATE ON groundswell.signal_counts TO groundswell_writer;

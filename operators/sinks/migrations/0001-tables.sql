-- Trends as they are now, where the writer is, and who may do what.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['groundswell_writer', 'groundswell_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- made for another database of the cluster at this moment
            END;
        END IF;
    END LOOP;
    EXECUTE format(
        'GRANT CONNECT, TEMPORARY ON DATABASE %I TO groundswell_writer', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO groundswell_reader', current_database());
END
$$;

GRANT USAGE ON SCHEMA groundswell TO groundswell_writer, groundswell_reader;

CREATE TABLE groundswell.position (
    sink text PRIMARY KEY,
    fence bigint NOT NULL,          -- who may write: each writer takes the next number
    run text NOT NULL,              -- the run that it belongs to
    position bigint NOT NULL,       -- revisions of that run that are here
    event_time timestamptz,         -- of the newest of them
    written_at timestamptz
);

CREATE TABLE groundswell.trends (   -- the newest revision of each trend
    trend_id text PRIMARY KEY,
    revision bigint NOT NULL,
    kind text NOT NULL,
    stage text NOT NULL,
    scopes text[] NOT NULL,
    event_time timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    name text NOT NULL,
    summary text NOT NULL,
    category text,
    reels bigint NOT NULL,
    authors bigint NOT NULL,
    expected double precision NOT NULL,
    growth double precision NOT NULL,
    velocity_per_h double precision NOT NULL,
    acceleration_per_h2 double precision NOT NULL,
    score double precision NOT NULL,
    q_value double precision NOT NULL,
    why text NOT NULL,
    body json NOT NULL              -- the whole revision, a line of trends.v1
);

CREATE INDEX trends_by_stage ON groundswell.trends (stage, score DESC);
CREATE INDEX trends_by_time ON groundswell.trends (event_time DESC);

GRANT SELECT ON groundswell.migrations, groundswell.position, groundswell.trends
    TO groundswell_writer, groundswell_reader;
GRANT INSERT, UPDATE ON groundswell.position, groundswell.trends TO groundswell_writer;

-- Which members of a trend come together, as of its newest revision; no part of trends.v1.

CREATE TABLE groundswell.links (
    trend_id text NOT NULL,
    place smallint NOT NULL,        -- in the order of the members
    a_kind text NOT NULL,
    a_id text NOT NULL,
    b_kind text NOT NULL,
    b_id text NOT NULL,
    revision bigint NOT NULL,
    reels bigint,                   -- of a day, with both; what is not known is NULL
    authors bigint,
    share double precision,         -- of the reels with any of the two
    since timestamptz,              -- first reel known with both
    edge_reels bigint,              -- since they are an edge of the co-occurrence graph
    edge_authors bigint,
    edge_since timestamptz,
    PRIMARY KEY (trend_id, place)
);

GRANT SELECT ON groundswell.links TO groundswell_writer, groundswell_reader;
GRANT INSERT, DELETE ON groundswell.links TO groundswell_writer;

-- The roles that log in, for psql after `groundswell migrate`; again and again, with new passwords too.
--
-- DETECTOR_PASSWORD and GRAFANA_DATABASE_PASSWORD come from the environment. Without ON_ERROR_STOP
-- a missing one would be passed over.
\set ON_ERROR_STOP on
\getenv detector_password DETECTOR_PASSWORD
\getenv grafana_password GRAFANA_DATABASE_PASSWORD

BEGIN;
SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['detector', 'grafana']) AS name
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)
\gexec

-- What writes: `groundswell run`.
ALTER ROLE detector LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 10
    PASSWORD :'detector_password';
GRANT groundswell_writer TO detector;

-- What looks: Grafana. Whoever may edit a dashboard may send any SQL as this role.
ALTER ROLE grafana LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 20
    PASSWORD :'grafana_password';
GRANT groundswell_reader TO grafana;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
COMMIT;

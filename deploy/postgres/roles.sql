-- The roles and databases of Assay; psql, as superuser; any number of times.
-- Each password comes from the environment of psql: ASSAY_POSTGRES_PASSWORD_METADATA and so on.
-- Made by `python -m assay_serve.embedded.deployment deploy`; a test compares.
\set ON_ERROR_STOP on
\getenv metadata_password ASSAY_POSTGRES_PASSWORD_METADATA
\getenv artifact_password ASSAY_POSTGRES_PASSWORD_ARTIFACT
\getenv lineage_password ASSAY_POSTGRES_PASSWORD_LINEAGE
\getenv approval_password ASSAY_POSTGRES_PASSWORD_APPROVAL
\getenv audit_password ASSAY_POSTGRES_PASSWORD_AUDIT
\getenv audit_owner_password ASSAY_POSTGRES_PASSWORD_AUDIT_OWNER
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
SELECT 'CREATE ROLE metadata' WHERE to_regrole('metadata') IS NULL
\gexec
ALTER ROLE metadata WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'metadata_password';
SELECT 'CREATE ROLE artifact' WHERE to_regrole('artifact') IS NULL
\gexec
ALTER ROLE artifact WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'artifact_password';
SELECT 'CREATE ROLE lineage' WHERE to_regrole('lineage') IS NULL
\gexec
ALTER ROLE lineage WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'lineage_password';
SELECT 'CREATE ROLE approval' WHERE to_regrole('approval') IS NULL
\gexec
ALTER ROLE approval WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'approval_password';
SELECT 'CREATE ROLE audit' WHERE to_regrole('audit') IS NULL
\gexec
ALTER ROLE audit WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'audit_password';
SELECT 'CREATE ROLE audit_owner' WHERE to_regrole('audit_owner') IS NULL
\gexec
ALTER ROLE audit_owner WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'audit_owner_password';
SELECT 'CREATE DATABASE metadata OWNER metadata' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'metadata')
\gexec
REVOKE ALL ON DATABASE metadata FROM PUBLIC;
SELECT 'CREATE DATABASE artifact OWNER artifact' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'artifact')
\gexec
REVOKE ALL ON DATABASE artifact FROM PUBLIC;
SELECT 'CREATE DATABASE lineage OWNER lineage' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'lineage')
\gexec
REVOKE ALL ON DATABASE lineage FROM PUBLIC;
SELECT 'CREATE DATABASE approval OWNER approval' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'approval')
\gexec
REVOKE ALL ON DATABASE approval FROM PUBLIC;
SELECT 'CREATE DATABASE audit OWNER audit_owner' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'audit')
\gexec
REVOKE ALL ON DATABASE audit FROM PUBLIC;
GRANT CONNECT ON DATABASE audit TO audit;

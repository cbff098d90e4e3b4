import { integer, key, keyFile, number, setting, textOrNone } from "./setting.ts";

/** Where else than in the data directory the bytes of uploads are kept. */
export const BLOB_SETTINGS = {
  blobs: setting(
    "Serving",
    "blobs",
    textOrNone(),
    null,
    "where the bytes of uploads are kept: s3://bucket/prefix?endpoint=https://…&region=…, or file:///directory",
    { defaultText: "in the data directory" },
  ),
  blobsAccessKey: setting(
    "Serving",
    "blobs-access-key",
    textOrNone(),
    null,
    "the access key's id for the bucket of --blobs; else AWS_ACCESS_KEY_ID of the environment",
  ),
  blobsSecretKey: key(
    "Serving",
    "blobs-secret-key",
    "the access key's secret; else AWS_SECRET_ACCESS_KEY of the environment",
  ),
  blobsSecretKeyFile: keyFile("Serving", "blobs-secret-key"),
} as const;

/** Where else than in the data directory everything else is kept. */
export const DATABASE_SETTINGS = {
  database: setting(
    "Serving",
    "database",
    textOrNone(),
    null,
    "PostgreSQL database that holds everything but the bytes of uploads: postgres://user@host/name?sslmode=…&pool=session",
    { defaultText: "SQLite in the data directory" },
  ),
  databasePassword: key("Serving", "database-password", "password of the user in --database"),
  databasePasswordFile: keyFile("Serving", "database-password"),
  databaseTimeout: setting(
    "Serving",
    "database-timeout",
    number(1, 600),
    10,
    "seconds that a statement of --database may take before its connection is given up",
  ),
  databaseConnections: setting(
    "Serving",
    "database-connections",
    integer(2, 100),
    8,
    "connections to --database at most",
  ),
  pgvectorFrom: setting(
    "Serving",
    "pgvector-from",
    integer(0, Number.MAX_SAFE_INTEGER),
    2_000_000,
    "chunks from which on a store is searched in --database itself, where its extension vector is there, and no more in the memory of servers; 0: every store",
  ),
} as const;

/** Where traces and metrics go. */
export const TELEMETRY_SETTINGS = {
  otlpEndpoint: setting(
    "Logging",
    "otlp-endpoint",
    textOrNone(),
    null,
    "collector that gets traces and metrics over OTLP/HTTP, such as http://collector:4318",
    { otherEnv: ["OTEL_EXPORTER_OTLP_ENDPOINT"] },
  ),
  otlpHeaders: setting(
    "Logging",
    "otlp-headers",
    textOrNone(),
    null,
    "headers that the collector wants, as NAME=VALUE pairs separated by commas",
    { secret: true, otherEnv: ["OTEL_EXPORTER_OTLP_HEADERS"] },
  ),
  otlpSample: setting(
    "Logging",
    "otlp-sample",
    number(0, 1),
    1,
    "share of the traces begun here that is sent; one that a caller's traceparent began is sent as it says",
  ),
} as const;

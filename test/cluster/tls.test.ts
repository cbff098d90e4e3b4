import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openPostgres } from "../../src/storage/postgres/open.ts";
import { lacks } from "../helpers/lacks.ts";
import { dropDirectory, give, runCommand, serverDirectory } from "./servers/process.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./servers/postgres.ts";

describe.skipIf(lacks("postgres", hasPostgres) || lacks("openssl"))("a database under TLS", () => {
  let directory: string;
  let server: PostgresServer;
  let plain: PostgresServer;

  beforeAll(async () => {
    directory = serverDirectory("tls");
    await certificates(directory);
    const files = { ssl_cert_file: join(directory, "server.pem"), ssl_key_file: join(directory, "server.key") };
    server = await startPostgres({
      settings: { ssl: "on", ...files },
      access: ["hostnossl all strict 127.0.0.1/32 reject"],
    });
    await server.query("CREATE ROLE strict LOGIN SUPERUSER");
    plain = await startPostgres();
    await plain.query("CREATE ROLE strict LOGIN SUPERUSER");
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await plain?.[Symbol.asyncDispose]();
    dropDirectory(directory);
  });

  /** Whether the statements go encrypted, or why nothing goes. */
  const outcome = async (port: number, host: string, parameters: string): Promise<unknown> => {
    try {
      const how = parameters.replace("CA", join(directory, "ca.pem"));
      const db = await openPostgres(`postgres://strict@${host}:${port}/postgres?${how}`, { timeout: 8000 });
      const row = await db.get<{ ssl: number }>("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
      await db.close();
      return row?.ssl === 1 ? "encrypted" : "clear";
    } catch (error) {
      return error instanceof Error ? error.message : error;
    }
  };

  test.each([
    ["localhost", "sslmode=disable", "no encryption"],
    ["localhost", "sslmode=prefer", "encrypted"],
    ["localhost", "sslmode=require", "encrypted"],
    ["localhost", "sslmode=verify-full", "cannot be reached under TLS"],
    ["localhost", "sslmode=verify-full&sslrootcert=CA", "encrypted"],
    ["localhost", "sslrootcert=CA", "encrypted"],
    ["127.0.0.1", "sslmode=verify-ca&sslrootcert=CA", "encrypted"],
    // The certificate is for the name.
    ["127.0.0.1", "sslmode=verify-full&sslrootcert=CA", "cannot be reached under TLS"],
    ["127.0.0.1", "sslrootcert=CA", "cannot be reached under TLS"],
  ])("of a server that has it, as %s with %s: %s", async (host, parameters, expected) => {
    expect(await outcome(server.port, host, parameters)).toContain(expected);
  });

  test.each([
    ["sslmode=prefer", "clear"],
    ["sslmode=require", "cannot be reached under TLS"],
    ["sslrootcert=CA", "cannot be reached under TLS"],
  ])("of a server that has none, with %s: %s", async (parameters, expected) => {
    expect(await outcome(plain.port, "localhost", parameters)).toContain(expected);
  });
});

/** An authority, and a certificate of its for localhost. */
async function certificates(directory: string): Promise<void> {
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const openssl = (...args: string[]) => runCommand(["openssl", ...args], directory);
  await openssl("req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem");
  await openssl("req", ...newKey, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr");
  await Bun.write(join(directory, "names"), "subjectAltName=DNS:localhost\n");
  give(join(directory, "names"));
  const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  await openssl("x509", "-req", "-in", "server.csr", ...authority, "-out", "server.pem");
}

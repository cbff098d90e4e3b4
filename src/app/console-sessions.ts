import { randomBytes } from "node:crypto";
import type { ConsoleLinks } from "../api/console/routes.ts";
import type { Authenticate } from "../http/plugins/auth.ts";
import { hashKey, newKey } from "../http/plugins/auth.ts";
import type { Clock } from "../platform/clock.ts";
import type { ConsolePassesTable } from "../storage/console-passes.ts";
import { runCaller } from "./access-keys.ts";

/** Of `lectern open`, whose browser is there at once; the link that a start prints waits for somebody to see it. */
const OPEN_MS = 60_000;
const START_MS = 15 * 60_000;
const CODE_BYTES = 16;
/** More at a time are nobody's; the oldest are forgotten. */
const MOST_CODES = 64;
const MOST_SESSIONS = 256;
/** Where no end of a process ends it. */
const SHARED_SESSION_MS = 24 * 3_600_000;

export interface ConsoleSessionsDeps {
  clock: Clock;
  /** The console's address, with its slash. */
  address: () => string;
  /** Whose administrator a person at the server's machine is. */
  tenantId: () => string;
  passes: Passes;
}

/** Codes and keys by their hashes, so that finding one takes the same time for every wrong one. */
export interface Passes {
  addCode(tenantId: string, hash: string, ms: number): Promise<void>;
  /** Uses a code up; false where it is unknown, used up or too old. */
  takeCode(tenantId: string, hash: string): Promise<boolean>;
  addSession(tenantId: string, hash: string): Promise<void>;
  isSession(tenantId: string, hash: string): Promise<boolean>;
}

/** Codes of one-time links and the keys made for them. */
export class ConsoleSessions implements ConsoleLinks {
  readonly #deps: ConsoleSessionsDeps;

  constructor(deps: ConsoleSessionsDeps) {
    this.#deps = deps;
  }

  async mint(): ReturnType<ConsoleLinks["mint"]> {
    return await this.#mint(OPEN_MS);
  }

  /** The link that the start prints on a terminal. */
  async atStart(): Promise<string> {
    return (await this.#mint(START_MS)).url;
  }

  async redeem(code: string): Promise<string | null> {
    const { passes, tenantId } = this.#deps;
    if (!(await passes.takeCode(tenantId(), hashOf(code)))) return null;
    const key = newKey();
    await passes.addSession(tenantId(), hashOf(key));
    return key;
  }

  readonly authenticate: Authenticate = async (sha256) => {
    const { passes, tenantId } = this.#deps;
    const isKnown = await passes.isSession(tenantId(), Buffer.from(sha256).toString("hex"));
    return isKnown ? runCaller(tenantId()) : null;
  };

  async #mint(ms: number): ReturnType<ConsoleLinks["mint"]> {
    const { clock, passes, tenantId, address } = this.#deps;
    const code = randomBytes(CODE_BYTES).toString("base64url");
    await passes.addCode(tenantId(), hashOf(code), ms);
    // In the fragment, which is sent to no server and stands in no log.
    return { code, url: `${address()}#code=${code}`, expiresAt: Math.floor((clock.nowMs() + ms) / 1000) };
  }
}

/** In memory only: both end with the process. */
export class OwnPasses implements Passes {
  readonly #clock: Clock;
  readonly #codes = new Map<string, number>();
  readonly #sessions = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  addCode(_: string, code: string, ms: number): Promise<void> {
    const now = this.#clock.nowMs();
    for (const [hash, endsAt] of this.#codes) if (endsAt <= now) this.#codes.delete(hash);
    if (this.#codes.size >= MOST_CODES) dropOldest(this.#codes);
    this.#codes.set(code, now + ms);
    return Promise.resolve();
  }

  takeCode(_: string, hash: string): Promise<boolean> {
    const endsAt = this.#codes.get(hash);
    this.#codes.delete(hash);
    return Promise.resolve(endsAt !== undefined && endsAt > this.#clock.nowMs());
  }

  addSession(_: string, hash: string): Promise<void> {
    this.#sessions.add(hash);
    if (this.#sessions.size > MOST_SESSIONS) dropOldest(this.#sessions);
    return Promise.resolve();
  }

  isSession(_: string, hash: string): Promise<boolean> {
    return Promise.resolve(this.#sessions.has(hash));
  }
}

/** In rows, for all servers of the database: a code is taken once, wherever it comes to. */
export function sharedPasses(table: ConsolePassesTable): Passes {
  return {
    addCode: (tenantId, hash, ms) => table.add(tenantId, { hash, kind: "code", ms }, MOST_CODES),
    takeCode: (tenantId, hash) => table.take(tenantId, hash),
    addSession: (tenantId, hash) =>
      table.add(tenantId, { hash, kind: "session", ms: SHARED_SESSION_MS }, MOST_SESSIONS),
    isSession: (tenantId, hash) => table.isSession(tenantId, hash),
  };
}

function dropOldest(of: Map<string, unknown> | Set<string>): void {
  const [oldest] = of.keys();
  if (oldest !== undefined) of.delete(oldest);
}

function hashOf(code: string): string {
  return Buffer.from(hashKey(code)).toString("hex");
}

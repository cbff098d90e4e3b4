import { randomBytes } from "node:crypto";
import type { ConsoleLinks } from "../api/console/routes.ts";
import type { Authenticate } from "../http/plugins/auth.ts";
import { hashKey } from "../http/plugins/auth.ts";
import type { Clock } from "../platform/clock.ts";
import { createRunKey, type RunKey } from "./access-keys.ts";

/** Of `lectern open`, whose browser is there at once; the link that a start prints waits for somebody to see it. */
const OPEN_MS = 60_000;
const START_MS = 15 * 60_000;
const CODE_BYTES = 16;
/** More at a time are nobody's; the oldest are forgotten. */
const MOST_CODES = 64;
const MOST_SESSIONS = 256;

export interface ConsoleSessionsDeps {
  clock: Clock;
  /** The console's address, with its slash. */
  address: () => string;
  /** Whose administrator a person at the server's machine is. */
  tenantId: () => string;
}

/**
 * Codes of one-time links and the keys made for them, in memory only: both end with the process. Codes are kept as their
 * hashes, so that finding one takes the same time for every wrong one.
 */
export class ConsoleSessions implements ConsoleLinks {
  readonly #deps: ConsoleSessionsDeps;
  readonly #codes = new Map<string, number>();
  readonly #sessions: RunKey[] = [];

  constructor(deps: ConsoleSessionsDeps) {
    this.#deps = deps;
  }

  mint(): ReturnType<ConsoleLinks["mint"]> {
    return this.#mint(OPEN_MS);
  }

  /** The link that the start prints on a terminal. */
  atStart(): string {
    return this.#mint(START_MS).url;
  }

  redeem(code: string): string | null {
    const hash = hashOf(code);
    const endsAt = this.#codes.get(hash);
    this.#codes.delete(hash);
    if (endsAt === undefined || endsAt <= this.#deps.clock.nowMs()) return null;
    const session = createRunKey(this.#deps.tenantId());
    this.#sessions.push(session);
    if (this.#sessions.length > MOST_SESSIONS) this.#sessions.shift();
    return session.key;
  }

  readonly authenticate: Authenticate = async (sha256) => {
    for (const session of this.#sessions) {
      const caller = await session.authenticate(sha256);
      if (caller !== null) return caller;
    }
    return null;
  };

  #mint(ms: number): ReturnType<ConsoleLinks["mint"]> {
    const now = this.#deps.clock.nowMs();
    for (const [hash, endsAt] of this.#codes) if (endsAt <= now) this.#codes.delete(hash);
    const [oldest] = this.#codes.keys();
    if (this.#codes.size >= MOST_CODES && oldest !== undefined) this.#codes.delete(oldest);
    const code = randomBytes(CODE_BYTES).toString("base64url");
    this.#codes.set(hashOf(code), now + ms);
    // In the fragment, which is sent to no server and stands in no log.
    return { code, url: `${this.#deps.address()}#code=${code}`, expiresAt: Math.floor((now + ms) / 1000) };
  }
}

function hashOf(code: string): string {
  return Buffer.from(hashKey(code)).toString("hex");
}

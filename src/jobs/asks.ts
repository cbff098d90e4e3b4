import type { Changes } from "../platform/changes.ts";
import type { Asked, AskedAbout, AskKind } from "../storage/asks.ts";
import type { Replica } from "../storage/postgres/replica.ts";
import { isThere, type SeenReplica } from "../storage/replicas.ts";
import type { Storage } from "../storage/storage.ts";

export interface AsksDeps {
  storage: Pick<Storage, "asks" | "replicas">;
  changes: Pick<Changes, "notify" | "wait">;
  replica: Pick<Replica, "id" | "everyMs">;
}

export interface Question extends Omit<AskedAbout, "kind"> {
  question: string;
  /** ms in which each is to say something; its word is not good any more after that. */
  answerMs: number;
  /** ms for which all are waited for. */
  mostMs: number;
  /** Whether nobody is waited for any more, by what those whose word is good have said. */
  isOver(said: ReadonlyMap<string, string | null>): boolean;
}

/** What became of a question. */
export interface Heard {
  /** Who was asked, and who is not there to be asked. */
  there: SeenReplica[];
  away: SeenReplica[];
  /** What was said, by server, by those whose word was still good; null: nothing yet. */
  said: ReadonlyMap<string, string | null>;
}

/** From one look to the next while nothing is told. ms */
const EVERY_MS = 2000;

/**
 * What one of several servers asks all others of its database that are there, by rows (storage/asks.ts). They are told of
 * it, and are waited for; each looks for what it is asked when told, and with every beat, for what is told may be lost.
 */
export class Asks implements AsyncDisposable {
  readonly #deps: AsksDeps;
  readonly #kind: AskKind;
  readonly #end = new AbortController();
  #looking: Promise<void> = Promise.resolve();

  constructor(deps: AsksDeps, kind: AskKind) {
    this.#deps = deps;
    this.#kind = kind;
  }

  /** Aborted when this server asks and answers nothing any more. */
  get ended(): AbortSignal {
    return this.#end.signal;
  }

  /** Hands what this server is asked to `answer`, again and again until the end. */
  start(answer: (asked: readonly Asked[]) => Promise<void>, onFailure: (error: unknown) => void): void {
    const { storage, changes, replica } = this.#deps;
    const look = async () => {
      while (!this.ended.aborted) {
        const told = changes.wait(askedKey(this.#kind), this.ended, replica.everyMs);
        await storage.asks.askedOf(this.#kind, replica.id).then(answer).catch(onFailure);
        await told;
      }
    };
    this.#looking = look();
  }

  /** No look begins from here on, and nobody waits; resolves when the look under way is over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#looking;
  }

  /** Asks, and resolves when it is over, after its time, or when `signal` aborts. */
  async ask(question: Question, signal: AbortSignal = this.ended): Promise<Heard> {
    const { storage, replica, changes } = this.#deps;
    const about: AskedAbout = { kind: this.#kind, tenantId: question.tenantId, subject: question.subject };
    const others = (await storage.replicas.list()).filter(({ id }) => id !== replica.id);
    const there = others.filter(isThere);
    const away = others.filter((other) => !isThere(other));
    let said: Heard["said"] = new Map();
    if (there.length > 0) {
      const ids = there.map(({ id }) => id);
      await storage.asks.ask(about, ids, question.question, question.answerMs);
      changes.notify(askedKey(this.#kind));
      const isOver = async () => question.isOver((said = await storage.asks.said(about)));
      await this.#until(isOver, { key: saidKey(about), mostMs: question.mostMs, signal });
      await storage.asks.end(about);
      changes.notify(saidKey(about));
    }
    return { there, away, said };
  }

  /** Says something to whoever asked, good for `ms`. False where nobody waits for it any more. */
  async say(asked: Asked, said: string, ms: number): Promise<boolean> {
    const isHeard = await this.#deps.storage.asks.say(asked, said, ms);
    if (isHeard) this.#deps.changes.notify(saidKey(asked));
    return isHeard;
  }

  /** Resolves when whoever asked has ended it, or after that time. */
  async untilEnded(asked: Asked, mostMs: number): Promise<void> {
    const isOver = async () => !(await this.#deps.storage.asks.said(asked)).has(asked.server);
    await this.#until(isOver, { key: saidKey(asked), mostMs, signal: this.ended });
  }

  /** Looks when told of the key, and now and then, until it is over or that time has gone by. */
  async #until(
    isOver: () => Promise<boolean>,
    { key, mostMs, signal }: { key: string; mostMs: number; signal: AbortSignal },
  ): Promise<void> {
    const until = performance.now() + mostMs;
    const over = AbortSignal.any([signal, this.ended]);
    for (;;) {
      const left = until - performance.now();
      const seen = new AbortController();
      // Before the look: a word that comes in between is not missed.
      const told = this.#deps.changes.wait(
        key,
        AbortSignal.any([seen.signal, over]),
        Math.min(Math.max(left, 0), EVERY_MS),
      );
      try {
        if ((await isOver()) || left <= 0 || over.aborted) return;
        await told;
      } finally {
        seen.abort();
      }
    }
  }
}

/** Told when others are asked something. */
function askedKey(kind: AskKind): string {
  return `asked to ${kind}`;
}

/** Told when something was said about it, and when it has ended. */
function saidKey({ kind, subject }: AskedAbout): string {
  return `${kind} ${subject}`;
}

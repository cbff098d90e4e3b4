import { eventStreamOf } from "../../http/event-stream.ts";
import type { Call } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { textOf } from "./progress.ts";
import type { Seen } from "./service.ts";
import type { Ask, StillAllowed } from "../following/still-allowed.ts";
import type { Look, Subject, Watches } from "../following/watches.ts";

export interface StreamDeps {
  watches: Watches;
  stillAllowed: StillAllowed;
}

type Asker = Pick<Call, "caller" | "dialect" | "signal" | "stopping">;

/** A comment line keeps proxies from closing a stream on which nothing happens. */
const HEARTBEAT_MS = 15_000;
/** A client that takes nothing for this long, although something waits for it, is closed. */
const SLOW_MS = 30_000;

/** Events of what is followed, until its last look, until the client goes or may not follow any more. */
export function eventStream(call: Asker, deps: StreamDeps, subject: Subject<Seen>, ask: Ask): Response {
  const listener = new Listener(call.dialect);
  const over = AbortSignal.any([call.signal, call.stopping]);
  const leave = deps.watches.follow(subject, (look) => listener.see(look));
  const forget = deps.stillAllowed.keepAsking(`${subject.key} ${call.caller.keyId}`, ask, ({ message }) =>
    listener.refuse(message),
  );
  const stop = () => listener.end("");
  listener.onEnd = () => {
    leave();
    forget();
    over.removeEventListener("abort", stop);
  };
  over.addEventListener("abort", stop, { once: true });
  if (over.aborted) stop();
  return eventStreamOf(listener.body, "no-store");
}

/**
 * One client. It is given an event only when it has taken the one before, and then what happened since that one: a
 * client that reads slowly hears less often, and nothing piles up for it.
 */
class Listener {
  /** Called once, when nothing more will be told. */
  onEnd: () => void = () => {};
  readonly body: ReadableStream<Uint8Array>;
  readonly #dialect: Call["dialect"];
  readonly #encoder = new TextEncoder();
  readonly #heartbeat: Timer;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Lets go of the wish for more bytes; null while the client has not taken what it was given. */
  #wish: (() => void) | null = null;
  #latest: Look<Seen> | null = null;
  #told: Look<Seen> | null = null;
  #upTo = 0;
  /** What is left to say before the end. */
  #last: Uint8Array | null = null;
  #isOver = false;
  #slow: Timer | null = null;

  constructor(dialect: Call["dialect"]) {
    this.#dialect = dialect;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#pull(),
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
    this.#heartbeat = setInterval(() => this.#give(this.#encoder.encode(":\n\n")), HEARTBEAT_MS);
  }

  see(look: Look<Seen>): void {
    this.#latest = look;
    const { seen } = look;
    if (seen.state === "gone") this.refuse(seen.why.message);
    else if (seen.state === "done") this.end(this.#ending(seen));
    else this.#tell();
  }

  /** Ends with a comment that says why. */
  refuse(why: string): void {
    this.end(`: ${why.replaceAll(/\s+/g, " ")}\n\n`);
  }

  /** Ends once the client has taken this. */
  end(text: string): void {
    if (this.#isOver || this.#last !== null) return;
    this.#last = this.#encoder.encode(text);
    this.#stopFollowing();
    if (this.#wish !== null) this.#finish();
    else this.#expectReading();
  }

  /** What a stream's end says: all that was not told yet, then `done`. */
  #ending({ files, batch }: Extract<Seen, { state: "done" }>): string {
    const decoder = new TextDecoder();
    let text = "";
    let data = files.lastData(this.#upTo);
    for (;;) {
      const told = files.eventAfter(this.#upTo);
      if (told === null) break;
      data = files.lastData(this.#upTo);
      text += decoder.decode(told.bytes);
      this.#upTo = told.upTo;
    }
    const shown = batch === null ? data : presenterFor(this.#dialect).batch(batch.batch, batch.cancelling);
    return text + textOf("done", shown);
  }

  #pull(): Promise<void> {
    if (this.#slow !== null) clearTimeout(this.#slow);
    this.#slow = null;
    return new Promise((resolve) => {
      this.#wish = resolve;
      if (this.#last !== null) this.#finish();
      else this.#tell();
    });
  }

  /** The latest look, once. */
  #tell(): void {
    const look = this.#latest;
    if (look === null || look === this.#told || look.seen.state !== "running") return;
    const told = look.seen.files.eventAfter(this.#upTo);
    if (told === null) return;
    if (!this.#give(told.bytes)) return this.#expectReading();
    this.#told = look;
    this.#upTo = told.upTo;
  }

  /** False where the client has not taken what it was given before. */
  #give(bytes: Uint8Array): boolean {
    const wish = this.#wish;
    if (wish === null || this.#isOver) return false;
    this.#wish = null;
    this.#controller?.enqueue(bytes);
    wish();
    return true;
  }

  #finish(): void {
    if (this.#last !== null && this.#last.length > 0) this.#controller?.enqueue(this.#last);
    this.#controller?.close();
    this.#close();
  }

  #expectReading(): void {
    this.#slow ??= setTimeout(() => {
      this.#controller?.error(new Error("the client does not read"));
      this.#close();
    }, SLOW_MS);
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#slow !== null) clearTimeout(this.#slow);
    this.#stopFollowing();
    this.#wish?.();
    this.#wish = null;
  }

  #stopFollowing(): void {
    clearInterval(this.#heartbeat);
    this.onEnd();
    this.onEnd = () => {};
  }
}

import { readdirSync, readFileSync, statSync } from "node:fs";

/** Files and connections that this process has open, and may have: at the limit no connection is accepted any more. */
export interface Descriptors {
  open: number;
  most: number;
}

/** Whether there is room for more: `near` the limit nothing that lasts is begun, and what is `full` is left for files. */
export type DescriptorRoom = "free" | "near" | "full";

/** As the system tells (proc(5)); null where it does not. */
export function descriptors(): Descriptors | null {
  try {
    const most = mostOpen(readFileSync("/proc/self/limits", "utf8"));
    return { open: countOpen(most), most };
  } catch {
    return null;
  }
}

/** All of them where none is left to count them with. Linux tells the number without a look through them since 6.2. */
function countOpen(most: number): number {
  const { size } = statSync(OPEN);
  if (size > 0) return size;
  try {
    return readdirSync(OPEN).length;
  } catch (error) {
    if (isOutOfDescriptors(error)) return most;
    throw error;
  }
}

const OPEN = "/proc/self/fd";

/** Whether something failed because this process, or the machine, may open no more. */
export function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE");
}

function mostOpen(limits: string): number {
  const most = /^Max open files\s+(\S+)/m.exec(limits)?.[1] ?? "unlimited";
  return most === "unlimited" ? 2 ** 64 : Number(most);
}

/** Shares of the limit. Told above `near`, and again only once it was below `far`. */
const SHARE = { far: 0.7, near: 0.8, full: 0.9 } as const;
const LOOK_EVERY_MS = 5000;
/**
 * A count that is so old at most, and far from the limit, is believed: no system accepts a fifth of its connections in
 * that time.
 */
const FRESH_MS = 2;

interface System {
  look: () => Descriptors | null;
  /** Open ones alone, of this limit: asked for at every request, but for those that come together. */
  count: (most: number) => number;
  /** How long a count far from the limit is believed (default: not at all). */
  freshMs?: number;
}

const SYSTEM: System = { look: descriptors, count: countOpen, freshMs: FRESH_MS };

/** Knows how near the process is to its limit, and tells when it comes near, once each time. */
export class DescriptorWatch implements Disposable {
  readonly #system: System;
  readonly #onNear: (seen: Descriptors) => void;
  readonly #timer: Timer;
  #isNear = false;
  #most: number | null;
  /** Until when there is room without another count, by the monotonic clock. */
  #freeUntilMs = -Infinity;

  constructor(onNear: (seen: Descriptors) => void, system: System = SYSTEM) {
    this.#system = system;
    this.#onNear = onNear;
    this.#most = system.look()?.most ?? null;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  look(): void {
    const seen = this.#system.look();
    // At the limit it cannot be read.
    if (seen !== null) this.#most = seen.most;
    this.#freeUntilMs = -Infinity;
    this.#tell();
  }

  room(): DescriptorRoom {
    const nowMs = performance.now();
    if (nowMs < this.#freeUntilMs) return "free";
    const share = this.#tell();
    if (share < SHARE.far) this.#freeUntilMs = nowMs + (this.#system.freshMs ?? 0);
    if (share >= SHARE.full) return "full";
    return share >= SHARE.near ? "near" : "free";
  }

  #tell(): number {
    if (this.#most === null) return 0;
    const seen = { open: this.#system.count(this.#most), most: this.#most };
    const share = seen.open / seen.most;
    if (share >= SHARE.near && !this.#isNear) this.#onNear(seen);
    this.#isNear = share >= SHARE.near || (this.#isNear && share > SHARE.far);
    return share;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

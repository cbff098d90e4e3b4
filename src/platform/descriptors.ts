import { readdirSync, readFileSync } from "node:fs";

/** Files and connections that this process has open, and may have: at the limit no connection is accepted any more. */
export interface Descriptors {
  open: number;
  most: number;
}

/** As the system tells (proc(5)); null where it does not. */
export function descriptors(): Descriptors | null {
  try {
    return { open: readdirSync("/proc/self/fd").length, most: mostOpen(readFileSync("/proc/self/limits", "utf8")) };
  } catch {
    return null;
  }
}

function mostOpen(limits: string): number {
  const most = /^Max open files\s+(\S+)/m.exec(limits)?.[1] ?? "unlimited";
  return most === "unlimited" ? 2 ** 64 : Number(most);
}

/** Shares of the limit: told above the first, and again only once it was below the second. */
const NEAR = 0.8;
const FAR = 0.7;
const LOOK_EVERY_MS = 5000;

/** Tells when the process comes near its limit, once each time. */
export class DescriptorWatch implements Disposable {
  readonly #look: () => Descriptors | null;
  readonly #onNear: (seen: Descriptors) => void;
  readonly #timer: Timer;
  #isNear = false;

  constructor(onNear: (seen: Descriptors) => void, look = descriptors) {
    this.#look = look;
    this.#onNear = onNear;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  look(): void {
    const seen = this.#look();
    if (seen === null) return;
    const share = seen.open / seen.most;
    if (share >= NEAR && !this.#isNear) this.#onNear(seen);
    this.#isNear = share >= NEAR || (this.#isNear && share > FAR);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

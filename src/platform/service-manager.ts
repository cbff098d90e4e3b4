import type { NotifySocket } from "./notify-socket.ts";

/**
 * What a service manager is told (systemd's `sd_notify`): when the server is ready, that it reads its settings again, that
 * it stops, what it is doing; and, where it asks for that, that the thread which serves requests still turns.
 */
export interface ServiceManager extends Disposable {
  /** One line that `systemctl status` shows. */
  status(text: string): void;
  /** Requests are answered from here on; the watchdog is fed from here on. */
  ready(text: string): void;
  /** Around a reload. */
  reload(work: () => void): void;
  stopping(): void;
}

/** Names of the variables by which a service manager says what it wants. */
const SOCKET = "NOTIFY_SOCKET";
const WATCHDOG_MICROSECONDS = "WATCHDOG_USEC";
const WATCHDOG_PROCESS = "WATCHDOG_PID";

/** Sent so much more often than is asked for: one that comes late is no reason to be ended. */
const PINGS_IN_TIME = 3;

/** Null where nobody asks, as in a terminal. `open`: for tests. */
export async function findServiceManager(
  env: Readonly<Record<string, string | undefined>>,
  open: (path: string) => Promise<NotifySocket | null> = openSocket,
): Promise<ServiceManager | null> {
  const path = env[SOCKET];
  const socket = path ? await open(path) : null;
  return socket === null ? null : new Systemd(socket, pingEveryMs(env));
}

async function openSocket(path: string): Promise<NotifySocket | null> {
  const { openNotifySocket } = await import("./notify-socket.ts");
  return openNotifySocket(path);
}

/** Null where no watchdog waits for this process. */
function pingEveryMs(env: Readonly<Record<string, string | undefined>>): number | null {
  const microseconds = Number(env[WATCHDOG_MICROSECONDS] || Number.NaN);
  const isOurs = !env[WATCHDOG_PROCESS] || Number(env[WATCHDOG_PROCESS]) === process.pid;
  return isOurs && microseconds > 0 ? Math.max(1, Math.floor(microseconds / 1000 / PINGS_IN_TIME)) : null;
}

class Systemd implements ServiceManager {
  readonly #socket: NotifySocket;
  readonly #pingEveryMs: number | null;
  #ready = "";
  #timer: Timer | null = null;

  constructor(socket: NotifySocket, everyMs: number | null) {
    this.#socket = socket;
    this.#pingEveryMs = everyMs;
  }

  status(text: string): void {
    this.#socket.send(`STATUS=${oneLine(text)}`, true);
  }

  ready(text: string): void {
    this.#ready = `READY=1\nSTATUS=${oneLine(text)}`;
    this.#socket.send(this.#ready, true);
    if (this.#pingEveryMs === null || this.#timer !== null) return;
    this.#ping();
    // A timer of the serving thread itself: where that is stuck, nothing is sent.
    this.#timer = setInterval(() => this.#ping(), this.#pingEveryMs);
    this.#timer.unref();
  }

  reload(work: () => void): void {
    this.#socket.send(`RELOADING=1\nMONOTONIC_USEC=${this.#socket.monotonicMicroseconds()}`, true);
    try {
      work();
    } finally {
      this.#socket.send(this.#ready, true);
    }
  }

  stopping(): void {
    this.#socket.send("STOPPING=1\nSTATUS=Finishing requests", true);
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #ping(): void {
    this.#socket.send("WATCHDOG=1", false);
  }
}

/** What a message of several lines would be read as. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}

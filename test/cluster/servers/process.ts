import { chownSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../helpers/wait.ts";

/**
 * Real servers, each in a directory of its own and as a user without rights, for most refuse to run as root. None
 * outlives the process of the tests, whatever ends that.
 */
export interface ServerProcess {
  readonly pid: number;
  /** What it has written so far. */
  log(): string;
  /** Waits until it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  readonly hasEnded: boolean;
  readonly exited: Promise<number>;
}

/** User and group that servers run as; null where the tests have no rights that they could give up. */
const USER = process.getuid?.() === 0 ? unprivileged() : null;

function unprivileged(): { uid: number; gid: number } {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  const of = (name: string) => lines.find((line) => line.startsWith(`${name}:`))?.split(":");
  const [, , uid = "65534", gid = "65534"] = of("postgres") ?? of("nobody") ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

/** A new directory of the servers' user. */
export function serverDirectory(name: string): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), `lectern-${name}-`)));
  give(directory);
  return directory;
}

/** Makes a file or directory the servers' user's. */
export function give(path: string): void {
  if (USER !== null) chownSync(path, USER.uid, USER.gid);
}

export function dropDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** Removes it once this process is gone, in whatever way: a shell waits for the end of its input. */
export function dropWhenGone(directory: string): void {
  Bun.spawn(["sh", "-c", 'cat >/dev/null; sleep 1; rm -rf "$0"', directory], {
    stdin: "pipe",
    env: ENVIRONMENT,
  }).unref();
}

/** The command as the servers' user, to be told to end when the thread that starts it ends. */
function asUser(command: readonly string[], signal: string): string[] {
  const user = USER === null ? [] : [`--reuid=${USER.uid}`, `--regid=${USER.gid}`, "--clear-groups"];
  return ["setpriv", ...user, `--pdeathsig=${signal}`, ...command];
}

/** Runs a command to its end; throws with what it said when it fails. */
export async function runCommand(command: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn(asUser(command, "KILL"), { cwd, stdout: "pipe", stderr: "pipe", env: ENVIRONMENT });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${err}${out}`);
  return out;
}

export interface ServerCommand {
  command: readonly string[];
  cwd: string;
  /** Put before it, with the rights of the tests: what ends by becoming the command. */
  prefix?: readonly string[] | undefined;
  /** What ends it at once, and in order, when the tests are gone. */
  lastSignal?: string;
}

export function startProcess({ command, cwd, prefix = [], lastSignal = "TERM" }: ServerCommand): ServerProcess {
  let written = "";
  const child = Bun.spawn([...prefix, ...asUser(command, lastSignal)], {
    cwd,
    stdout: "pipe",
    stderr: "pipe",
    env: ENVIRONMENT,
  });
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const piece of stream) written += decoder.decode(piece, { stream: true });
  };
  void Promise.allSettled([read(child.stdout), read(child.stderr)]);
  return {
    pid: child.pid,
    log: () => written,
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    exited: child.exited,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await child.exited;
    },
  };
}

/** Nothing of the machine's own settings for clients of databases. */
const ENVIRONMENT = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C.UTF-8", TZ: "UTC" };

/** Waits until the log says so; fails with the log where the process has ended instead. */
export async function saysInLog(server: ServerProcess, what: RegExp): Promise<void> {
  await waitFor(`${what} in the log`, () => {
    if (what.test(server.log())) return true;
    if (server.hasEnded) throw new Error(`the server ended: ${server.log()}`);
    return undefined;
  });
}

/** A port that was free a moment ago. */
export function freePort(): number {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}

/** A program on PATH or where Debian keeps those of several versions: the newest. Null where there is none. */
export function findProgram(name: string, ...places: readonly string[]): string | null {
  const found = Bun.which(name, { PATH: [...places, ENVIRONMENT.PATH, "/usr/sbin", "/sbin"].join(":") });
  return found;
}

/** Processes that were started by `pid`. */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // After the name in parentheses: state, parent.
      const [, parent] = readFileSync(`/proc/${name}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      if (Number(parent) === pid) children.push(Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  return children;
}

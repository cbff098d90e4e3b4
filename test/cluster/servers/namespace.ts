/**
 * A network of its own on this machine, joined to it by a cable of two ends: what is cut there is cut as by a pulled
 * plug. Packets vanish, no connection is told, and the system sends again what was not confirmed.
 */
export interface Namespace extends AsyncDisposable {
  /** What starts a command inside it. */
  readonly prefix: readonly string[];
  /** Of the far end, where servers inside listen. */
  readonly address: string;
  /** Of the near end, where those inside find what listens on this machine. */
  readonly near: string;
  cut(): void;
  mend(): void;
}

const IP = Bun.which("ip", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` });

function ip(...args: readonly string[]): boolean {
  return Bun.spawnSync([IP ?? "", ...args], { stdout: "ignore", stderr: "ignore" }).success;
}

/** Whether the tests may make one. */
export function mayMakeNamespaces(): boolean {
  if (IP === null || process.getuid?.() !== 0) return false;
  const { name, near, far } = namesOf(0);
  const isMade = ip("netns", "add", name) && ip("link", "add", near, "type", "veth", "peer", "name", far);
  ip("link", "del", near);
  ip("netns", "del", name);
  return isMade;
}

/** Names of interfaces have 15 characters at most. */
function namesOf(serial: number): { name: string; near: string; far: string } {
  const tag = `${process.pid % 1_000_000}x${serial}`;
  return { name: `lectern-${tag}`, near: `le${tag}n`, far: `le${tag}f` };
}

let serial = 0;

export function startNamespace(): Namespace {
  const { name, near, far } = namesOf(++serial);
  // Of the addresses for tests between networks (RFC 2544), four for each.
  const block = ((process.pid * 4 + serial * 4) % 65_536) & ~3;
  const base = `198.18.${block >> 8}`;
  const address = `${base}.${(block & 255) + 2}`;
  const inside = (...args: string[]) => ip("-n", name, ...args);
  const isMade =
    ip("netns", "add", name) &&
    ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name) &&
    ip("addr", "add", `${base}.${(block & 255) + 1}/30`, "dev", near) &&
    inside("addr", "add", `${address}/30`, "dev", far) &&
    ip("link", "set", near, "up") &&
    inside("link", "set", far, "up") &&
    inside("link", "set", "lo", "up");
  if (!isMade) throw new Error("no network of its own could be made");
  return {
    prefix: [IP ?? "", "netns", "exec", name],
    address,
    near: `${base}.${(block & 255) + 1}`,
    cut: () => void inside("link", "set", far, "down"),
    mend: () => void inside("link", "set", far, "up"),
    async [Symbol.asyncDispose]() {
      ip("link", "del", near);
      ip("netns", "del", name);
    },
  };
}

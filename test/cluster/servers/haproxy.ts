import { join } from "node:path";
import { waitFor } from "../../helpers/wait.ts";
import { dropDirectory, findProgram, freePort, give, runCommand, serverDirectory, startProcess } from "./process.ts";

const HAPROXY = findProgram("haproxy");

export const hasHaproxy = HAPROXY !== null;

export interface Balancer extends AsyncDisposable {
  readonly port: number;
}

/**
 * An HAProxy over TCP ports of this machine. Of several the first that passes the check has all connections, as in
 * front of a primary and its standbys; `check`: lines of HAProxy's that look at a server, at `checkPorts` where those are
 * others.
 */
export async function startHaproxy(
  ports: readonly number[],
  check: readonly string[] = [],
  checkPorts: readonly number[] = ports,
): Promise<Balancer> {
  const port = freePort();
  const lines = [
    "global",
    "  log stderr local0 info",
    "defaults",
    "  mode tcp",
    "  log global",
    "  timeout connect 2s",
    "  timeout client 5m",
    "  timeout server 5m",
    "listen database",
    `  bind 127.0.0.1:${port}`,
    ...check.map((line) => `  ${line}`),
    ...ports.map(
      (to, i) =>
        `  server s${i} 127.0.0.1:${to} check port ${checkPorts[i]} inter 200ms fall 1 rise 1 ${i === 0 ? "" : "backup"} on-marked-down shutdown-sessions`,
    ),
  ];
  return await runHaproxy(`${lines.join("\n")}\n`, port);
}

/** With this configuration, which binds `port` of this machine. */
export async function runHaproxy(configuration: string, port: number): Promise<Balancer> {
  const directory = serverDirectory("haproxy");
  const file = join(directory, "haproxy.cfg");
  await Bun.write(file, configuration);
  give(file);
  await runCommand([HAPROXY ?? "", "-c", "-f", file], directory);
  const balancer = startProcess({ command: [HAPROXY ?? "", "-db", "-f", file], cwd: directory });
  await waitFor("HAProxy takes connections", async () => {
    if (balancer.hasEnded) throw new Error(balancer.log());
    return await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then(
      (socket) => (socket.end(), true),
      () => undefined,
    );
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      await balancer.end("SIGKILL");
      dropDirectory(directory);
    },
  };
}

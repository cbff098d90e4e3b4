/** The executable tells a service manager what it does, and its unit is one that systemd accepts and finds closed enough. */
import { join } from "node:path";
import { expect, test } from "bun:test";
import { lacks } from "../helpers/lacks.ts";
import { ROOT, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { receiveNotes } from "./notify-receiver.ts";

const isLinux = process.platform === "linux";
const UNIT = join(ROOT, "docs/deploy/lectern.service");
/** What is asked of the unit; 0 is closed, 10 open. */
const MOST_EXPOSURE = 2.0;

test.skipIf(lacks("Linux", isLinux)).each(["a path", "a name without a file"])(
  "start, reload, signs of life and stop are told at %s",
  async (kind) => {
    using dir = tempDir();
    const path = kind === "a path" ? dir.join("notify") : `@lectern-test-${process.pid}-${Date.now()}`;
    using notes = receiveNotes(path);
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "600000" };
    await using server = await startServer({ dataDir: dir.join("data"), env });
    await notes.until("readiness", (text) => text === `READY=1\nSTATUS=Listening on ${server.url}`);
    await notes.until("a sign of life", (text) => text === "WATCHDOG=1");
    const before = notes.messages().length;
    process.kill(server.pid, "SIGHUP");
    await notes.until("the reload", (text) => /^RELOADING=1\nMONOTONIC_USEC=\d+$/.test(text));
    await notes.until("readiness again", (text, at) => at > before && text.startsWith("READY=1"));
    expect(await server.stop()).toBe(0);
    expect(notes.messages().filter((text) => text.startsWith("STOPPING=1"))).toHaveLength(1);
  },
  60_000,
);

test.skipIf(lacks("systemd-analyze"))(
  "the unit is correct, and closed to all but what the server needs",
  async () => {
    const said = await Bun.$`systemd-analyze security --offline=true --no-pager ${UNIT}`.nothrow().quiet().text();
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1] ?? Number.NaN);
    expect(exposure).toBeLessThanOrEqual(MOST_EXPOSURE);
    const verified = await Bun.$`systemd-analyze verify --man=no ${UNIT}`.nothrow().quiet();
    // The executable and its user are the package's to bring; nothing else may be complained of.
    const complaints = verified.stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes("lectern.service"));
    expect(complaints.filter((line) => !/not executable/.test(line))).toEqual([]);
  },
  60_000,
);

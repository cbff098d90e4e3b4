import { expect, test } from "bun:test";
import { findServiceManager } from "./service-manager.ts";
import type { NotifySocket } from "./notify-socket.ts";
import { waitFor } from "../../test/helpers/wait.ts";

function recorded() {
  const sent: string[] = [];
  const socket: NotifySocket = {
    send: (text) => sent.push(text) > 0,
    monotonicMicroseconds: () => 12_345n,
  };
  return { sent, open: (path: string) => Promise.resolve(path === "/run/notify" ? socket : null) };
}

test("each step is told in the words of the protocol, on one line each", async () => {
  const { sent, open } = recorded();
  using manager = await findServiceManager({ NOTIFY_SOCKET: "/run/notify" }, open);
  manager?.status("upgrading\nREADY=1");
  manager?.ready("Listening on http://127.0.0.1:8080");
  manager?.reload(() => void sent.push("(reads)"));
  manager?.stopping();
  const ready = "READY=1\nSTATUS=Listening on http://127.0.0.1:8080";
  expect(sent).toEqual([
    "STATUS=upgrading READY=1",
    ready,
    "RELOADING=1\nMONOTONIC_USEC=12345",
    "(reads)",
    ready,
    "STOPPING=1\nSTATUS=Finishing requests",
  ]);
});

test("a reload that throws ends in readiness all the same", async () => {
  const { sent, open } = recorded();
  using manager = await findServiceManager({ NOTIFY_SOCKET: "/run/notify" }, open);
  manager?.ready("here");
  expect(() =>
    manager?.reload(() => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(sent.at(-1)).toBe("READY=1\nSTATUS=here");
});

test("the watchdog is fed from readiness to the end, and by this process only where it is meant", async () => {
  const { sent, open } = recorded();
  const env = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: "30000" };
  const pings = () => sent.filter((text) => text === "WATCHDOG=1").length;
  {
    using manager = await findServiceManager({ ...env, WATCHDOG_PID: String(process.pid) }, open);
    expect(pings()).toBe(0);
    manager?.ready("here");
    await waitFor("three signs of life", () => (pings() >= 3 ? true : undefined));
    // A thread that is stuck sends none.
    const before = pings();
    Bun.sleepSync(100);
    expect(pings()).toBe(before);
  }
  sent.length = 0;
  using other = await findServiceManager({ ...env, WATCHDOG_PID: "1" }, open);
  other?.ready("here");
  await waitFor("a turn of the loop", () => Bun.sleep(100).then(() => true));
  expect(sent).toEqual(["READY=1\nSTATUS=here"]);
});

test("where nobody asks, or the socket cannot be used, there is no manager", async () => {
  const { open } = recorded();
  for (const env of [{}, { NOTIFY_SOCKET: "" }, { NOTIFY_SOCKET: "/run/other" }])
    expect(await findServiceManager(env, open)).toBeNull();
  expect(await findServiceManager({ NOTIFY_SOCKET: "vsock:2:1234" })).toBeNull();
  expect(await findServiceManager({ NOTIFY_SOCKET: `/${"x".repeat(200)}` })).toBeNull();
});

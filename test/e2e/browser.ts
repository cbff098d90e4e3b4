/** A headless Chromium, driven over its DevTools protocol: what a person would click, type and see. */
import { join } from "node:path";
import { waitFor } from "../helpers/wait.ts";
import type { Place } from "./binary.ts";

export const chromium = Bun.which("chromium") ?? Bun.which("chromium-browser") ?? Bun.which("google-chrome");

export interface Page extends AsyncDisposable {
  open(url: string): Promise<void>;
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits for the element, then clicks it. */
  click(selector: string): Promise<void>;
  type(selector: string, text: string): Promise<void>;
  /** Waits until the element is there and resolves to its text. */
  textOf(selector: string): Promise<string>;
  /** Waits until the expression is true in the page. */
  until(what: string, expression: string): Promise<void>;
  /** Waits until the page's text holds this. */
  untilText(text: string): Promise<void>;
  /** One key, such as `j` or `Enter`, as typed. */
  press(key: string): Promise<void>;
  /** Drops files, or folders, of this machine onto the middle of the page. */
  drop(paths: readonly string[]): Promise<void>;
  /** The size of the window, and the colours that the system is set to. */
  view(view: { width: number; height: number; scheme?: "light" | "dark" }): Promise<void>;
  /** What is seen, as PNG. */
  screenshot(): Promise<Uint8Array>;
  /** Every address asked for. */
  requests(): readonly string[];
  /** Requests that failed or were answered with an error, and what the console was told of errors. */
  failures(): readonly string[];
}

interface Message {
  id?: number;
  result?: Record<string, unknown>;
  error?: { message: string };
  method?: string;
  params?: Record<string, unknown>;
}

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

export async function openPage(where: Place): Promise<Page> {
  const child = Bun.spawn([chromium ?? "", ...FLAGS, `--user-data-dir=${join(where.tmp, "profile")}`, "about:blank"], {
    env: { HOME: where.home, PATH: "/usr/bin:/bin" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let log = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const piece of child.stderr) log += decoder.decode(piece, { stream: true });
  })();
  const browser = await waitFor("the browser listens", () => /DevTools listening on ws:\/\/(\S+?)\//.exec(log)?.[1]);
  const target = await waitFor("the browser has a page", async () => {
    const targets = (await (await fetch(`http://${browser}/json/list`)).json()) as Record<string, string>[];
    return targets.find(({ type }) => type === "page")?.["webSocketDebuggerUrl"];
  });
  const requests: string[] = [];
  const failures: string[] = [];
  const socket = new WebSocket(target);
  const waiting = new Map<number, { resolve: (result: Record<string, unknown>) => void; reject: (e: Error) => void }>();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) {
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) call?.reject(new Error(message.error.message));
      else call?.resolve(message.result ?? {});
    } else {
      watch(message, requests, failures);
    }
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  let last = 0;
  const send = (method: string, params: object = {}): Promise<Record<string, unknown>> => {
    const id = ++last;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    waiting.set(id, answer);
    socket.send(JSON.stringify({ id, method, params }));
    return answer.promise;
  };
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await send(`${domain}.enable`);

  const page: Page = {
    async open(url) {
      await send("Page.navigate", { url });
    },
    async evaluate<T>(expression: string) {
      const asked = { expression, returnByValue: true, awaitPromise: true };
      const { result, exceptionDetails } = await send("Runtime.evaluate", asked);
      if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
      return (result as { value: T }).value;
    },
    async click(selector) {
      await page.textOf(selector);
      await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
    },
    async type(selector, text) {
      await page.click(selector);
      await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`);
      await send("Input.insertText", { text });
    },
    textOf: (selector) =>
      waitFor(`${selector} is in the page`, async () => {
        const expression = `document.querySelector(${JSON.stringify(selector)})?.textContent ?? null`;
        // A page that is just being left answers with an error.
        return (await page.evaluate<string | null>(expression).catch(() => null)) ?? undefined;
      }),
    ...actions(send, (expression) => page.evaluate(expression)),
    requests: () => requests,
    failures: () => failures,
    async [Symbol.asyncDispose]() {
      socket.close();
      child.kill("SIGKILL");
      await Promise.all([child.exited, reading]);
    },
  };
  return page;
}

type Send = (method: string, params?: object) => Promise<Record<string, unknown>>;

function actions(
  send: Send,
  evaluate: (expression: string) => Promise<unknown>,
): Pick<Page, "until" | "untilText" | "press" | "drop" | "view" | "screenshot"> {
  const until = async (what: string, expression: string) => {
    // A page that is just being left answers with an error.
    await waitFor(what, async () => (await evaluate(expression).catch(() => false)) === true || undefined);
  };
  return {
    until,
    untilText: (text) => until(`"${text}" is seen`, `document.body.innerText.includes(${JSON.stringify(text)})`),
    async press(key) {
      const text = key.length === 1 ? { text: key } : key === "Enter" ? { text: "\r" } : {};
      const code = key === "Enter" ? { windowsVirtualKeyCode: 13 } : {};
      await send("Input.dispatchKeyEvent", { type: "keyDown", key, ...text, ...code });
      await send("Input.dispatchKeyEvent", { type: "keyUp", key, ...code });
    },
    async drop(paths) {
      const data = { items: [], files: paths, dragOperationsMask: 1 };
      const at = { x: 300, y: 300, data };
      for (const type of ["dragEnter", "dragOver", "drop"]) await send("Input.dispatchDragEvent", { type, ...at });
    },
    async view({ width, height, scheme = "light" }) {
      await send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
      await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    },
    async screenshot() {
      const { data } = await send("Page.captureScreenshot", { format: "png" });
      return Buffer.from(String(data), "base64");
    },
  };
}

function watch({ method, params = {} }: Message, requests: string[], failures: string[]): void {
  if (method === "Network.requestWillBeSent") requests.push((params["request"] as { url: string }).url);
  // What the page itself gave up is no failure.
  if (method === "Network.loadingFailed" && params["canceled"] !== true)
    failures.push(`failed: ${String(params["errorText"])}`);
  if (method === "Network.responseReceived") {
    const { status, url } = params["response"] as { status: number; url: string };
    if (status >= 400) failures.push(`${status} ${url}`);
  }
  if (method === "Runtime.exceptionThrown") failures.push(JSON.stringify(params["exceptionDetails"]));
  if (method === "Log.entryAdded") {
    const { level, text } = params["entry"] as { level: string; text: string };
    if (level === "error") failures.push(text);
  }
}

import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { configOf, connect, CONNECTION_FLAGS } from "./connect.ts";
import { McpBridge } from "./mcp-bridge.ts";
import { printable, UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const MCP_FLAGS = {
  store: { value: "STORE", help: "only this store, by its name or id; all that the key may see unless set" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const MCP_HELP = `Speaks the Model Context Protocol on standard input and output, for programs that start it: Claude Desktop, Cursor and
others. They can search and read, and change nothing. It ends when its standard input does.
Without --url the server of the data directory is used. If none runs, one runs inside this command while messages come
and for 30 seconds after the last; \`lectern serve\` can be started when it has ended. Its links lead to where
\`lectern serve\` would be: --public-url, or host and port, by the environment.`;

/** Without a message for so long, the data directory is given back. */
const IDLE_MS = 30_000;
/** Characters of one message. */
const LONGEST_LINE = 1024 * 1024;

export async function mcp(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, MCP_FLAGS);
  if (args.words.length > 0) throw new UsageError("lectern mcp takes options only, such as --store NAME.");
  const store = args.get("store");
  const url = args.get("url") ?? terminal.env["LECTERN_URL"];
  const inside = url ? terminal : withServedLinks(terminal);
  if (terminal.outIsTerminal) terminal.err("Programs start this and speak the Model Context Protocol with it.\n");
  await using bridge = new McpBridge({
    connect: () => connect(args, inside, { mayCreate: false }),
    path: store === undefined ? "/mcp" : `/mcp/${encodeURIComponent(store)}`,
    write: (line) => terminal.out(line),
    warn: (text) => terminal.err(`lectern: ${printable(text)}\n`),
    idleMs: IDLE_MS,
  });
  const ended = new Promise<void>((resolve) =>
    terminal.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  await Promise.race([carry(bridge, terminal.input?.() ?? nothing()), ended]);
  return 0;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Every line of the input; whoever sends more than is taken waits. */
async function carry(bridge: McpBridge, input: AsyncIterable<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let length = 0;
  for await (const bytes of input) {
    const [first = "", ...lines] = decoder.decode(bytes, { stream: true }).split("\n");
    for (const piece of [first, ...lines].entries()) {
      const [i, text] = piece;
      if (i > 0) {
        if (length > LONGEST_LINE) bridge.refuseLong();
        else if (length > 0 && parts.join("").trim() !== "") await bridge.take(parts.join(""));
        [parts, length] = [[], 0];
      }
      length += text.length;
      if (length <= LONGEST_LINE) parts.push(text);
      else parts = [];
    }
  }
}

/** A server inside this command is soon gone again: links lead to where `lectern serve` would be. */
function withServedLinks(terminal: Terminal): Terminal {
  const { host, port, publicUrl } = configOf(terminal);
  if (publicUrl !== null || port === 0) return terminal;
  const name = ["0.0.0.0", "::"].includes(host) ? "127.0.0.1" : host;
  const served = `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
  return { ...terminal, env: { ...terminal.env, LECTERN_PUBLIC_URL: served } };
}

/**
 * `make clients`: the walk of the contract with clients of other languages, against dist/lectern. What a language needs is
 * installed below dist/clients; a client whose toolchain is missing is skipped by name. One line of totals at the end.
 */
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { LECTERN, ROOT, startServer } from "../helpers/server.ts";
import { startChatUpstream } from "./chat-upstream.ts";

interface Client {
  name: string;
  /** Program that must be on the PATH. */
  needs: string;
  /** Commands that install it, and the one that walks; run in its folder below dist/clients. */
  install: string[][];
  walk: string[];
  /** Commands after these that only it needs. */
  also?: string[][];
  /** Folder of its sources, beside this file. */
  source: string;
  env?: Record<string, string>;
  /** Its server has a chat model. */
  chats?: boolean;
}

const WORK = join(ROOT, "dist/clients");
const pythonOf = (source: string) => join(WORK, source, "venv/bin/python");
const pipOf = (source: string) => [pythonOf(source), "-m", "pip", "--quiet", "--disable-pip-version-check"];
const venvOf = (source: string) => [
  ["python3", "-m", "venv", "venv"],
  [...pipOf(source), "install", "-r", "requirements.txt"],
];
const OPEN_WEBUI = "open-webui==0.12.4";
/** No client of these may speak to anybody but the server under test. */
const QUIET = {
  LITELLM_LOCAL_MODEL_COST_MAP: "True",
  HAYSTACK_TELEMETRY_ENABLED: "False",
};

const python = (name: string, walk: string, more: Partial<Client> = {}): Client => ({
  name,
  needs: "python3",
  source: "python",
  install: venvOf(more.source ?? "python"),
  walk: [pythonOf(more.source ?? "python"), walk],
  env: QUIET,
  ...more,
});

/** Its models want an older version of OpenAI's client than the others. */
const LLAMA_INDEX = {
  source: "python-llama-index",
  env: { ...QUIET, PYTHONPATH: join(import.meta.dir, "python"), PYTHONDONTWRITEBYTECODE: "1" },
  chats: true,
};

const CLIENTS: readonly Client[] = [
  python("openai (Python)", "openai_walk.py"),
  python("openai assistants (Python)", "openai_assistants_walk.py"),
  python("openai with a chat model (Python)", "openai_chat_walk.py", { chats: true }),
  python("LangChain (Python)", "langchain_walk.py"),
  python("LangChain with a chat model (Python)", "langchain_chat_walk.py", { chats: true }),
  python("LlamaIndex (Python)", "llama_index_walk.py"),
  python("LlamaIndex with a chat model (Python)", "llama_index_chat_walk.py", LLAMA_INDEX),
  python("LiteLLM (Python)", "litellm_walk.py"),
  python("Haystack (Python)", "haystack_walk.py"),
  python("Cohere (Python)", "cohere_walk.py"),
  python("Voyage (Python)", "voyage_walk.py"),
  python("Ollama (Python)", "ollama_walk.py"),
  python("TEI (Python)", "tei_walk.py"),
  // Its package is read, not installed: it wants half a hundred others.
  python("Open WebUI (Python)", "openwebui_walk.py", {
    also: [[...pipOf("python"), "download", "--no-deps", "--dest", "wheels", OPEN_WEBUI]],
  }),
  python("MCP (Python)", "mcp_walk.py"),
  // A server in place of a client: Lectern is the client.
  python("llama.cpp (Python)", "", {
    source: "python-llama-cpp",
    walk: [process.execPath, join(import.meta.dir, "llama-cpp-walk.ts"), pythonOf("python-llama-cpp")],
  }),
  {
    name: "openai-go",
    needs: "go",
    source: "go",
    install: [["go", "build", "-o", "walk", "."]],
    walk: ["./walk"],
  },
  {
    name: "async-openai (Rust)",
    needs: "cargo",
    source: "rust",
    install: [["cargo", "build", "--quiet", "--locked"]],
    walk: ["target/debug/lectern-clients"],
  },
  {
    name: "openai-java",
    needs: "mvn",
    source: "java",
    install: [["mvn", "--quiet", "--batch-mode", "compile"]],
    walk: ["mvn", "--quiet", "--batch-mode", "exec:java"],
  },
];

/** Installing may wait for a registry, a walk only for the server. */
const INSTALL_SECONDS = 900;
const WALK_SECONDS = 180;

/** How `lectern` is called, for clients that start it. */
const LECTERN_PROGRAM = JSON.stringify(LECTERN);

const asked = process.argv.slice(2);
const installed = new Map<string, boolean>();
const skipped: string[] = [];
let passed = 0;
let failed = 0;

const env = { LECTERN_API_KEY: "sk-clients-0123456789abcdef0123456789" };
await using server = await startServer({ env });
await using upstream = await startChatUpstream();
const args = ["--chat-address", upstream.address, "--chat-model", "walk", "--allow-private-addresses"];
await using chatting = await startServer({ env, args });
for (const client of CLIENTS) {
  if (asked.length > 0 && !asked.some((word) => client.name.toLowerCase().includes(word.toLowerCase()))) continue;
  if (Bun.which(client.needs) === null) {
    skipped.push(`${client.name} (no ${client.needs})`);
    continue;
  }
  console.log(`\n== ${client.name}`);
  const directory = join(WORK, client.source);
  const isInstalled = installed.get(client.source) ?? (await install(client, directory));
  installed.set(client.source, isInstalled);
  if (!isInstalled || !(await runAll(client.also ?? [], client, directory))) {
    failed += 1;
    continue;
  }
  const { code, output } = await run(client.walk, directory, client, WALK_SECONDS);
  process.stdout.write(output);
  const lines = Bun.stripANSI(output).split("\n");
  const ok = lines.filter((line) => line.startsWith("ok ")).length;
  const refused = lines.filter((line) => line.startsWith("FAIL ")).length;
  passed += ok;
  // A walk that broke off is a failure whatever it printed.
  failed += code === 0 && ok > 0 ? refused : Math.max(1, refused);
}
const missing = skipped.length > 0 ? `, ${skipped.length} skipped: ${skipped.join(", ")}` : "";
console.log(`\nclients: ${passed} passed, ${failed} failed${missing}`);
process.exitCode = failed === 0 ? 0 : 1;

async function install(client: Client, directory: string): Promise<boolean> {
  mkdirSync(directory, { recursive: true });
  cpSync(join(import.meta.dir, client.source), directory, { recursive: true });
  return await runAll(client.install, client, directory);
}

async function runAll(commands: readonly string[][], client: Client, directory: string): Promise<boolean> {
  for (const command of commands) {
    if (command.includes("venv") && existsSync(join(directory, "venv/bin/python"))) continue;
    const { code, output } = await run(command, directory, client, INSTALL_SECONDS);
    if (code === 0) continue;
    console.log(`FAIL ${command.join(" ")}:\n${output.split("\n").slice(-40).join("\n")}`);
    return false;
  }
  return true;
}

async function run(
  command: string[],
  cwd: string,
  { env: more, chats }: Client,
  seconds: number,
): Promise<{ code: number; output: string }> {
  const { url, key } = chats === true ? chatting : server;
  const child = Bun.spawn(command, {
    cwd,
    env: { ...process.env, ...more, LECTERN_URL: url, LECTERN_API_KEY: key, LECTERN_PROGRAM },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: seconds * 1000,
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, output: out + err };
}

/** The verbs of the command line: one row each, from which `lectern help` derives. */
import { version, versionText } from "../platform/build-info.ts";
import { nearest } from "../config/config.ts";
import { describeFlags, parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { printJson } from "./output.ts";
import { UsageError } from "./terminal.ts";
import type { Verb } from "./verb.ts";
import type { Terminal } from "./terminal.ts";

export const VERBS: Readonly<Record<string, Verb>> = {
  serve: {
    usage: "lectern serve [options]",
    summary: "run the server",
    load: async () => {
      const { serve, serveFlags, serveHelp } = await import("./serve.ts");
      return { help: serveHelp(), flags: serveFlags(), run: serve };
    },
  },
  ingest: {
    usage: "lectern ingest PATH... --store NAME [options]",
    summary: "put files and folders into a vector store",
    takesPaths: true,
    load: async () => {
      const { ingest } = await import("./ingest.ts");
      const { INGEST_FLAGS } = await import("./ingest-options.ts");
      return { help: `${INGEST_HELP}\n\n${describeFlags(INGEST_FLAGS)}`, flags: INGEST_FLAGS, run: ingest };
    },
  },
  sync: {
    usage: "lectern sync DIR --store NAME [--watch] [options]",
    summary: "keep a vector store in step with a folder",
    takesPaths: true,
    load: async () => {
      const { sync } = await import("./sync.ts");
      const { SYNC_FLAGS, SYNC_HELP } = await import("./sync-options.ts");
      return { help: `${SYNC_HELP}\n\n${describeFlags(SYNC_FLAGS)}`, flags: SYNC_FLAGS, run: sync };
    },
  },
  search: {
    usage: 'lectern search STORE "words" [options]',
    summary: "search a vector store",
    load: async () => {
      const { search, SEARCH_FLAGS } = await import("./search.ts");
      return { help: `STORE is a name or an id.\n\n${describeFlags(SEARCH_FLAGS)}`, flags: SEARCH_FLAGS, run: search };
    },
  },
  ask: {
    usage: 'lectern ask STORE "question" [options]',
    summary: "answer a question from a vector store's documents",
    load: async () => {
      const { ask, ASK_FLAGS, ASK_HELP } = await import("./ask.ts");
      return { help: `${ASK_HELP}\n\n${describeFlags(ASK_FLAGS)}`, flags: ASK_FLAGS, run: ask };
    },
  },
  eval: {
    usage: "lectern eval STORE [--queries FILE] [options]",
    summary: "measure how well a store answers judged queries",
    load: async () => {
      const { evaluate, EVAL_FLAGS, EVAL_HELP } = await import("./eval.ts");
      return { help: `${EVAL_HELP}\n\n${describeFlags(EVAL_FLAGS)}`, flags: EVAL_FLAGS, run: evaluate };
    },
  },
  stores: {
    usage: "lectern stores list | show STORE | rename STORE NAME | delete STORE [options]",
    summary: "list, show, rename and delete vector stores",
    actions: ["list", "show", "rename", "delete"],
    load: async () => {
      const { stores, STORES_FLAGS, STORES_HELP } = await import("./stores.ts");
      return { help: `${STORES_HELP}\n\n${describeFlags(STORES_FLAGS)}`, flags: STORES_FLAGS, run: stores };
    },
  },
  files: {
    usage: "lectern files STORE [list] | retry FILE... | retry --all-failed | remove FILE... [options]",
    summary: "list a store's files with their states, index them again, take them out",
    actions: ["list", "retry", "remove"],
    load: async () => {
      const { files, FILES_FLAGS, FILES_HELP } = await import("./files.ts");
      return { help: `${FILES_HELP}\n\n${describeFlags(FILES_FLAGS)}`, flags: FILES_FLAGS, run: files };
    },
  },
  status: {
    usage: "lectern status [options]",
    summary: "say what the running server is doing",
    load: async () => {
      const { status, STATUS_FLAGS, STATUS_HELP } = await import("./status.ts");
      return { help: `${STATUS_HELP}\n\n${describeFlags(STATUS_FLAGS)}`, flags: STATUS_FLAGS, run: status };
    },
  },
  health: {
    usage: "lectern health [--live] [--url URL] [--data DIR]",
    summary: "exit with 0 if the server is ready for requests",
    load: async () => {
      const { health, HEALTH_FLAGS, HEALTH_HELP } = await import("./health.ts");
      return { help: `${HEALTH_HELP}\n\n${describeFlags(HEALTH_FLAGS)}`, flags: HEALTH_FLAGS, run: health };
    },
  },
  migrate: {
    usage: "lectern migrate STORE --model NAME [--dry-run] [--wait] [options]",
    summary: "change a store's embedding model while it is searched",
    load: async () => {
      const { migrate, MIGRATE_FLAGS, MIGRATE_HELP } = await import("./migrate.ts");
      return { help: `${MIGRATE_HELP}\n\n${describeFlags(MIGRATE_FLAGS)}`, flags: MIGRATE_FLAGS, run: migrate };
    },
  },
  promote: {
    usage: "lectern promote STORE [options]",
    summary: "make the index of a migration live that waits for it",
    load: async () => {
      const { promote, PROMOTE_HELP, SWITCH_FLAGS } = await import("./migrate.ts");
      return { help: `${PROMOTE_HELP}\n\n${describeFlags(SWITCH_FLAGS)}`, flags: SWITCH_FLAGS, run: promote };
    },
  },
  rollback: {
    usage: "lectern rollback STORE [options]",
    summary: "go back to the index before a migration",
    load: async () => {
      const { rollback, ROLLBACK_HELP, SWITCH_FLAGS } = await import("./migrate.ts");
      return { help: `${ROLLBACK_HELP}\n\n${describeFlags(SWITCH_FLAGS)}`, flags: SWITCH_FLAGS, run: rollback };
    },
  },
  models: {
    usage:
      "lectern models list | add DIR | add --remote | add --chat | pull NAME[@REVISION] | verify [NAME or DIR...] | remove NAME [options]",
    summary: "add, fetch, check and remove embedding models, rerankers and chat models",
    takesPaths: true,
    actions: ["list", "add", "pull", "verify", "remove"],
    load: async () => {
      const { models } = await import("./models.ts");
      const { MODELS_FLAGS } = await import("./model-requests.ts");
      return { help: `${MODELS_HELP}\n\n${describeFlags(MODELS_FLAGS)}`, flags: MODELS_FLAGS, run: models };
    },
  },
  ocr: {
    usage: "lectern ocr list | add FILE... | remove LANGUAGE... [--data DIR]",
    summary: "list, add and remove the languages that scans are read in",
    takesPaths: true,
    actions: ["list", "add", "remove"],
    load: async () => {
      const { ocr, OCR_FLAGS, OCR_HELP } = await import("./ocr.ts");
      return { help: `${OCR_HELP}\n\n${describeFlags(OCR_FLAGS)}`, flags: OCR_FLAGS, run: ocr };
    },
  },
  backup: {
    usage: "lectern backup FILE [options]",
    summary: "write everything into one file, while the server works",
    takesPaths: true,
    load: async () => {
      const { backup, BACKUP_FLAGS } = await import("./backup.ts");
      const words = "The file holds the database, the uploaded files and the models added; `lectern restore` reads it.";
      return { help: `${words}\n\n${describeFlags(BACKUP_FLAGS)}`, flags: BACKUP_FLAGS, run: backup };
    },
  },
  restore: {
    usage: "lectern restore FILE [--data DIR] [--new-keys] | restore --before-upgrade [--data DIR]",
    summary: "make a data directory from a backup, or go back to before the last upgrade",
    takesPaths: true,
    load: async () => {
      const { restore, RESTORE_FLAGS } = await import("./restore.ts");
      return { help: `${RESTORE_HELP}\n\n${describeFlags(RESTORE_FLAGS)}`, flags: RESTORE_FLAGS, run: restore };
    },
  },
  move: {
    usage: "lectern move --data DIR --database ADDRESS [--blobs PLACE] [--into DIR] [--dry-run | --verify]",
    summary: "bring a data directory into a PostgreSQL database, and prove that both are equal",
    load: async () => {
      const { move, MOVE_FLAGS, MOVE_HELP } = await import("./move.ts");
      return { help: `${MOVE_HELP}\n\n${describeFlags(MOVE_FLAGS)}`, flags: MOVE_FLAGS, run: move };
    },
  },
  keys: {
    usage: "lectern keys create NAME | list | revoke KEY... [options]",
    summary: "make, list and revoke API keys",
    actions: ["create", "list", "revoke"],
    load: async () => {
      const { keys, KEYS_FLAGS } = await import("./keys.ts");
      const words = "`create` prints the new key, and nothing else, to standard output.";
      return { help: `${words}\n\n${describeFlags(KEYS_FLAGS)}`, flags: KEYS_FLAGS, run: keys };
    },
  },
  tenants: {
    usage: "lectern tenants create NAME | list | set TENANT | suspend TENANT | resume TENANT | delete TENANT [options]",
    summary: "manage customers that know nothing of each other",
    actions: ["create", "list", "set", "suspend", "resume", "delete"],
    load: async () => {
      const { tenants, TENANTS_FLAGS } = await import("./tenants.ts");
      const words =
        "TENANT is a name or an id. Keys of a tenant are made with: lectern keys create NAME --tenant TENANT.";
      return { help: `${words}\n\n${describeFlags(TENANTS_FLAGS)}`, flags: TENANTS_FLAGS, run: tenants };
    },
  },
  mcp: {
    usage: "lectern mcp [--store STORE] [options]",
    summary: "give programs that speak MCP tools to search and read, on standard input and output",
    load: async () => {
      const { mcp, MCP_FLAGS, MCP_HELP } = await import("./mcp.ts");
      return { help: `${MCP_HELP}\n\n${describeFlags(MCP_FLAGS)}`, run: mcp, flags: MCP_FLAGS };
    },
  },
  open: {
    usage: "lectern open [options]",
    summary: "open the web console in a browser, signed in",
    load: async () => {
      const { open, OPEN_FLAGS, OPEN_HELP } = await import("./open.ts");
      return { help: `${OPEN_HELP}\n\n${describeFlags(OPEN_FLAGS)}`, flags: OPEN_FLAGS, run: open };
    },
  },
  doctor: {
    usage: "lectern doctor [options]",
    summary: "check the machine, the data directory and the running server",
    load: async () => {
      const { doctor, DOCTOR_FLAGS } = await import("./doctor.ts");
      const words = "Prints one line a check; the exit status is 1 if one failed.";
      return { help: `${words}\n\n${describeFlags(DOCTOR_FLAGS)}`, flags: DOCTOR_FLAGS, run: doctor };
    },
  },
  support: {
    usage: "lectern support FILE.tar.gz [--log FILE] [options]",
    summary: "write an archive for whoever helps, without documents, names and keys",
    takesPaths: true,
    load: async () => {
      const { support, SUPPORT_FLAGS, SUPPORT_HELP } = await import("./support.ts");
      return { help: `${SUPPORT_HELP}\n\n${describeFlags(SUPPORT_FLAGS)}`, flags: SUPPORT_FLAGS, run: support };
    },
  },
  completion: {
    usage: "lectern completion bash | zsh | fish",
    summary: "print a script that completes verbs and options in a shell",
    actions: ["bash", "zsh", "fish"],
    load: async () => {
      const { completion, COMPLETION_HELP } = await import("./completion.ts");
      return { help: COMPLETION_HELP, run: (argv, terminal) => completion(argv, terminal, VERBS) };
    },
  },
  version: {
    usage: "lectern version [--json]",
    summary: "print the version",
    load: () => Promise.resolve({ help: describeFlags(VERSION_FLAGS), flags: VERSION_FLAGS, run: printVersion }),
  },
  help: {
    usage: "lectern help [VERB]",
    summary: "explain a verb",
    load: () => Promise.resolve({ help: "", run: help }),
  },
};

const MODELS_HELP = `DIR is an ONNX sentence-embedding model or cross-encoder (a reranker) in Hugging Face's layout; it is checked, then copied
into the data directory.
A model at a provider or another server is added with --remote and kept in models.toml in the data directory, without its
key: --api-key-env names the variable of the server's environment that holds it, which is the provider's own
(LECTERN_OPENAI_API_KEY) or one that the server's model-key-variables lists.
A language model that answers is added with --chat in the same way; its variable has to be listed.
pull NAME fetches an ONNX model by its name at a hub, such as BAAI/bge-small-en-v1.5: what is to come, its size and its
licence are shown first. After an interruption the same command goes on. The token of --token-file goes to the hub alone.
verify NAME asks the model for a vector, or a word. One that came with a backup is inactive until then: its address and variable are
shown, and it is used from then on.`;

const RESTORE_HELP = `Every byte is checked before anything is written, then the database: its schema must be Lectern's own.
Nothing that comes with a backup acts by itself. Its remote models are named with their address and the variable of
their key, and are inactive until \`lectern models verify NAME\`. Its keys are valid, also those that were revoked later,
unless --new-keys is given.
--before-upgrade puts the database back that a newer version kept before it changed the tables. What came since is put
aside; the older version is started on it then.`;

const INGEST_HELP = `Uploads the files and waits until they can be searched. The store is made if there is none of that name. PATH is a file,
a folder, or - for standard input, whose document --name calls something.
A file that the store holds unchanged is skipped: the path and the SHA-256 are kept in the attributes "path" and
"sha256". A changed file replaces the old one once it is indexed. After an interruption the same command goes on.
A file is the same whether it is named itself, by its folder or by a folder above: the folder that "path" begins below is
kept in the attribute "path_root". With --prune, documents whose files have left the folders that are named are removed.
In folders, hidden entries, node_modules, empty files and files that hold no text by their name (pictures, archives,
programs) are left out; a file named on the command line is always taken.
Without --url the server of the data directory is used; if none runs, one runs inside this command.
The exit status is 0 if every file is in the store, 1 if one failed, 130 if it was interrupted.`;

/** Runs `argv[0]`. Throws `UsageError` for a verb that does not exist. */
export async function runVerb(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first = "help", ...rest] = argv;
  const name = (Object.hasOwn(ALIASES, first) ? ALIASES[first] : undefined) ?? first;
  const verb = findVerb(name);
  if (rest.some((argument) => argument === "--help" || argument === "-h")) return await help([name], terminal);
  return await (await verb.load()).run(rest, { ...terminal, verb: name });
}

const ALIASES: Readonly<Record<string, string>> = {
  "--help": "help",
  "-h": "help",
  "--version": "version",
  "-v": "version",
};

function findVerb(name: string): Verb {
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb) return verb;
  const near = nearest(name, Object.keys(VERBS));
  throw new UsageError(
    `There is no verb ${JSON.stringify(name)}; ${near ? `did you mean ${near}?` : "lectern help lists them."}`,
  );
}

const VERSION_FLAGS = { json: { help: "print it as JSON" } } as const satisfies Flags;

function printVersion(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, VERSION_FLAGS);
  if (args.words.length > 0) throw new UsageError("lectern version takes no words.");
  if (args.has("json")) printJson(terminal, { object: "version", version, build: versionText });
  else terminal.out(`lectern ${versionText}\n`);
  return Promise.resolve(0);
}

async function help(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name] = argv;
  if (name !== undefined) {
    const verb = findVerb(name);
    const more = (await verb.load()).help;
    terminal.out(`${verb.usage}\n  ${verb.summary}\n${more && `\n${more}`}`);
    return 0;
  }
  const width = Math.max(...Object.keys(VERBS).map((verb) => verb.length));
  const lines = Object.entries(VERBS).map(([verb, { summary }]) => `  ${verb.padEnd(width)}  ${summary}\n`);
  terminal.out(`lectern ${version}: OpenAI's Files, Vector Stores, Embeddings and Models APIs on this machine

${lines.join("")}
lectern help VERB says more. A first try:

  lectern ingest docs --store handbook
  lectern search handbook "how are refunds handled"
  lectern serve
`);
  return 0;
}

import { ConfigError, key, keyFile, number, setting, text, textOrNone } from "./setting.ts";

/** Programs whose addresses are served. */
export const ADAPTERS = ["mcp", "dify", "openwebui", "librechat", "tei", "cohere", "ollama"] as const;
export type AdapterName = (typeof ADAPTERS)[number];

/** Rows of the table of settings about other programs' addresses. */
export const ADAPTER_SETTINGS = {
  noAdapter: setting(
    "Other programs",
    "no-adapter",
    textOrNone(),
    null,
    `do not serve the addresses of this program: ${ADAPTERS.join(", ")}; may be repeated, or separated by commas`,
    { many: true },
  ),
  openwebuiSeconds: setting(
    "Other programs",
    "openwebui-seconds",
    number(1, 3600),
    28,
    "time after which reading a document for Open WebUI answers 504; some versions of it wait for 30 seconds, others for ever",
    { reload: true },
  ),
  librechatJwtKey: key(
    "Other programs",
    "librechat-jwt-secret",
    "LibreChat's JWT_SECRET: requests that are signed with it may keep and search files in librechat-store",
  ),
  librechatJwtKeyFile: keyFile("Other programs", "librechat-jwt-secret"),
  librechatStore: setting(
    "Other programs",
    "librechat-store",
    text(),
    "librechat",
    "vector store that LibreChat's files go into: its id, or the name of one of the first tenant's, made if missing",
  ),
} as const;

/** `"dify, ollama"` -> names. */
export function adapterList(given: string | null): ReadonlySet<AdapterName> {
  const names = (given?.split(",") ?? []).map((part) => part.trim()).filter((part) => part !== "");
  const wrong = names.find((name) => !isAdapter(name));
  if (wrong === undefined) return new Set(names.filter(isAdapter));
  throw new ConfigError(`--no-adapter must be one of ${ADAPTERS.join(", ")}, not ${JSON.stringify(wrong)}.`);
}

function isAdapter(name: string): name is AdapterName {
  return ADAPTERS.some((known) => known === name);
}

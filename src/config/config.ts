/**
 * From flags, environment and file to one checked `Config`. The settings themselves are in settings.ts.
 *
 * An option `max-upload-mb` is `--max-upload-mb` on the command line, `LECTERN_MAX_UPLOAD_MB` in the environment
 * and `max-upload-mb` (or `max_upload_mb`) in the TOML file that `--config` names; precedence flag > environment >
 * file > default. Reading is pure: what it needs from the machine is handed in by main.ts.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import { parse as parseToml } from "smol-toml";
import type { ChatModelTable } from "../chat/tables.ts";
import { readModelTables } from "../models/model-tables.ts";
import type { ModelTables, RemoteModelTable } from "../models/model-tables.ts";
import { type KeyFileRead, readKeyFile } from "../platform/key-file.ts";
import { type AdapterName, adapterList } from "./adapter-settings.ts";
import { takeKeysFromFiles } from "./key-files.ts";
import { ConfigError, MAX } from "./setting.ts";
import type { Machine, Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";
import { messageOf } from "../errors.ts";

export type SettingName = keyof typeof SETTINGS;
type Settings = { -readonly [K in SettingName]: Static<(typeof SETTINGS)[K]["schema"]> };

export interface Config extends Settings {
  /** `[[models]]` of the configuration file. */
  remoteModels: readonly RemoteModelTable[];
  /** `[[chat_models]]` of the configuration file. */
  chatModels: readonly ChatModelTable[];
  /** `--alias` and `[aliases]`: a name that clients may use -> a model, or another name. */
  modelNames: ReadonlyMap<string, string>;
  /** `--cors-origin`, as browsers write origins; `*` is any. */
  corsOrigins: readonly string[];
  /** `--no-adapter`: programs whose addresses are not served. */
  withoutAdapters: ReadonlySet<AdapterName>;
  /** Where keys of remote models are that are named by `api_key_env`. */
  environment: (variable: string) => string | undefined;
  /** `--model-key-variables`. */
  modelKeyNames: ReadonlySet<string>;
  /** What a person should mend, a line each. */
  warnings: readonly string[];
}

export type Dialect = Config["dialect"];

export interface ConfigInput {
  /** Arguments after the verb. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  machine: Machine;
  /** The text of the file that `--config` or `LECTERN_CONFIG` names. */
  readFile: (path: string) => string;
  /** A file that holds a key; this machine's where not given. */
  readKey?: ((path: string) => KeyFileRead) | undefined;
}

const NAMES = Object.keys(SETTINGS) as SettingName[];
const BY_OPTION = new Map<string, SettingName>(NAMES.map((name) => [SETTINGS[name].option, name]));
/** Variables that belong to verbs, not to the server; they share the prefix. */
const FOREIGN_ENV = new Set(["LECTERN_URL", "LECTERN_CONFIG"]);
/** What Kubernetes puts into every container when a service is called `lectern`. */
const KUBERNETES_ENV = /^LECTERN_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_\w+)?)$/;

export const envName = (option: string): string => `LECTERN_${option.replaceAll("-", "_").toUpperCase()}`;

/**
 * All settings of a server. Throws `ConfigError` for an unknown option, a value that does not fit, two values
 * that contradict each other, or a file that cannot be read.
 */
export function readConfig({ argv, env, machine, readFile, readKey = readKeyFile }: ConfigInput): Config {
  const flags = readFlags(argv);
  const path = flags.get("config") ?? env["LECTERN_CONFIG"];
  flags.delete("config");
  const file = path ? readFileLayer(String(path), readFile) : NO_FILE;
  const layers = [flagLayer(flags), envLayer(env), file.layer];

  const config: Record<string, unknown> = {};
  for (const name of NAMES) {
    const { default: fallback, schema } = SETTINGS[name] as Setting<TSchema>;
    const given = layers.map((layer) => layer.get(name)).find((value) => value !== undefined);
    if (given) config[name] = fit(name, schema, given);
    else
      config[name] = typeof fallback === "function" ? (fallback as (machine: Machine) => unknown)(machine) : fallback;
  }
  const warnings = takeKeysFromFiles(config, (name) => SETTINGS[name as SettingName].option, readKey);
  // Every property was fitted to its own schema just above.
  const settings = config as Settings;
  refuseContradictions(settings);
  return {
    ...settings,
    remoteModels: file.tables.models,
    chatModels: file.tables.chatModels,
    modelNames: new Map([...Object.entries(file.tables.aliases), ...aliasPairs(settings.aliases)]),
    corsOrigins: originList(settings.corsOrigin),
    withoutAdapters: adapterList(settings.noAdapter),
    publicUrl: settings.publicUrl === null ? null : publicAddress(settings.publicUrl),
    environment: (variable) => env[variable],
    modelKeyNames: new Set(variableList(settings.modelKeyVariables)),
    warnings,
  };
}

/** The settings as they may be logged: without secrets. */
export function redactedConfig(config: Config): Record<string, string | number | boolean | null> {
  return Object.fromEntries(
    NAMES.map((name) => [
      SETTINGS[name].option,
      (SETTINGS[name] as Setting<TSchema>).secret && config[name] !== null ? "(set)" : config[name],
    ]),
  );
}

/** Takes over into `config` what can change without a restart; names the options that changed, of both kinds. */
export function reloadSettings(config: Config, wanted: Config): { applied: string[]; restartNeeded: string[] } {
  const changed = NAMES.filter((name) => config[name] !== wanted[name]);
  const canReload = (name: SettingName) => (SETTINGS[name] as Setting<TSchema>).reload === true;
  Object.assign(config, Object.fromEntries(changed.filter(canReload).map((name) => [name, wanted[name]])));
  const optionsOf = (names: readonly SettingName[]) => names.map((name) => SETTINGS[name].option);
  const tables = ({ remoteModels, chatModels, modelNames }: Config) =>
    JSON.stringify([remoteModels, chatModels, [...modelNames]]);
  const newModels = tables(config) === tables(wanted) ? [] : ["models"];
  return {
    applied: optionsOf(changed.filter(canReload)),
    restartNeeded: [...optionsOf(changed.filter((name) => !canReload(name))), ...newModels],
  };
}

interface Given {
  raw: unknown;
  /** How the user wrote it: `--port`, `LECTERN_PORT`, `port in lectern.toml`. */
  source: string;
}

/** `--name value`, `--name=value`, and `--name` alone for a switch. */
function readFlags(argv: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? "";
    if (!argument.startsWith("--") || argument === "--") {
      throw new ConfigError(
        `Unexpected argument ${JSON.stringify(argument)}: options start with --; see lectern help serve.`,
      );
    }
    const equals = argument.indexOf("=");
    const option = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
    const name = BY_OPTION.get(option);
    if (name === undefined && option !== "config") throw unknownOption(`--${option}`, option, (known) => `--${known}`);
    let value = equals < 0 ? undefined : argument.slice(equals + 1);
    if (value === undefined && name !== undefined && SETTINGS[name].schema["type"] === "boolean") value = "true";
    value ??= argv[++i];
    if (value === undefined) throw new ConfigError(`--${option} needs a value: --${option} VALUE.`);
    const before = flags.get(option);
    const isList = name !== undefined && (SETTINGS[name] as Setting<TSchema>).many === true;
    if (before !== undefined && before !== value && !isList)
      throw new ConfigError(`--${option} is given twice with different values.`);
    flags.set(option, before !== undefined && isList ? `${before},${value}` : value);
  }
  return flags;
}

function flagLayer(flags: Map<string, string>): Map<SettingName, Given> {
  const layer = new Map<SettingName, Given>();
  for (const [option, raw] of flags) {
    const name = BY_OPTION.get(option);
    if (name) layer.set(name, { raw, source: `--${option}` });
  }
  return layer;
}

function envLayer(env: ConfigInput["env"]): Map<SettingName, Given> {
  const layer = new Map<SettingName, Given>();
  for (const name of NAMES) {
    const { option, otherEnv = [] } = SETTINGS[name] as Setting<TSchema>;
    for (const variable of [envName(option), ...otherEnv]) {
      const raw = env[variable];
      // An empty variable is an unset one: that is how compose files and unit files leave something out.
      if (raw === undefined || raw === "" || (variable === "LECTERN_PORT" && raw.startsWith("tcp://"))) continue;
      if (!layer.has(name)) layer.set(name, { raw, source: variable });
    }
  }
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith("LECTERN_") || FOREIGN_ENV.has(variable) || KUBERNETES_ENV.test(variable)) continue;
    const option = variable.slice("LECTERN_".length).toLowerCase().replaceAll("_", "-");
    if (!BY_OPTION.has(option)) throw unknownOption(`Environment variable ${variable}`, option, envName);
  }
  return layer;
}

interface FileLayer {
  layer: Map<SettingName, Given>;
  tables: ModelTables;
}

const NO_FILE: FileLayer = { layer: new Map(), tables: { models: [], aliases: {}, chatModels: [] } };

function readFileLayer(path: string, readFile: (path: string) => string): FileLayer {
  let table: Record<string, unknown>;
  try {
    table = parseToml(readFile(path));
  } catch (error) {
    const reason = messageOf(error).split("\n")[0] ?? "";
    throw new ConfigError(`Configuration file ${path} cannot be used: ${reason}`);
  }
  const layer = new Map<SettingName, Given>();
  const read = readModelTables(table);
  if (!read.ok) throw new ConfigError(`Configuration file ${path} cannot be used: ${read.problem}.`);
  for (const [key, raw] of Object.entries(table)) {
    if (["models", "chat_models", "aliases"].includes(key)) continue;
    const option = key.replaceAll("_", "-");
    const name = BY_OPTION.get(option);
    if (!name) throw unknownOption(`${key} in ${path}`, option, (known) => known);
    layer.set(name, { raw: joinedList(name, raw), source: `${key} in ${path}` });
  }
  return { layer, tables: read.tables };
}

/** What may be given more than once may be a list of texts in the file. */
function joinedList(name: SettingName, raw: unknown): unknown {
  const isList = (SETTINGS[name] as Setting<TSchema>).many === true && Array.isArray(raw);
  return isList && raw.every((part) => typeof part === "string") ? raw.join(",") || null : raw;
}

/** `"a=b,c=d"` -> pairs. */
function aliasPairs(text: string | null): [string, string][] {
  return (text?.split(",") ?? []).flatMap((pair) => {
    if (pair.trim() === "") return [];
    const equals = pair.indexOf("=");
    const [name, model] = [pair.slice(0, Math.max(0, equals)).trim(), pair.slice(equals + 1).trim()];
    if (name === "" || model === "")
      throw new ConfigError(`--alias must be NAME=MODEL, not ${JSON.stringify(pair.trim())}.`);
    return [[name, model]];
  });
}

/** `"https://a.example, http://b.example:3000"` -> origins as browsers write them; a slash at the end is forgiven. */
function originList(text: string | null): string[] {
  return (text?.split(",") ?? []).flatMap((part) => {
    const given = part.trim();
    if (given === "" || given === "*") return given === "" ? [] : ["*"];
    const url = URL.canParse(given) ? new URL(given) : null;
    const isOrigin =
      url !== null &&
      url.pathname.length <= 1 &&
      `${url.search}${url.hash}${url.username}` === "" &&
      !url.host.includes("*");
    if (isOrigin && /^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(given)) return [`${url.protocol}//${url.host}`];
    throw new ConfigError(
      `--cors-origin must be an origin such as https://app.example, without a path, or *; not ${JSON.stringify(given)}.`,
    );
  });
}

/** The address without a slash at its end, so that paths can follow it. */
function publicAddress(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  const isAddress = url !== null && /^https?:$/.test(url.protocol) && `${url.search}${url.hash}${url.username}` === "";
  if (isAddress) return url.href.replace(/\/+$/, "");
  throw new ConfigError(
    `--public-url must be an address such as https://docs.example/lectern, not ${JSON.stringify(given)}.`,
  );
}

/** `"HOUSE_KEY, OTHER_KEY"` -> names of variables. */
function variableList(text: string | null): string[] {
  return (text?.split(",") ?? []).flatMap((part) => {
    const name = part.trim();
    if (name === "" || /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name === "" ? [] : [name];
    throw new ConfigError(
      `--model-key-variables must be names of environment variables such as HOUSE_KEY, not ${JSON.stringify(name)}.`,
    );
  });
}

/** The value as its schema wants it; text (flags, environment) is read as the schema's type. */
function fit(name: SettingName, schema: TSchema, { raw, source }: Given): unknown {
  const variants: TSchema[] = schema["anyOf"] ?? [schema];
  for (const variant of variants) {
    const value = typeof raw === "string" ? fromText(variant, raw) : raw;
    if (matches(variant, value)) return value;
  }
  const shown = (SETTINGS[name] as Setting<TSchema>).secret ? "" : `, not ${JSON.stringify(raw)}`;
  throw new ConfigError(`${source} must be ${expected(variants)}${shown}.`);
}

function fromText(schema: TSchema, raw: string): unknown {
  const word = raw.trim().toLowerCase();
  if (schema["type"] === "boolean") {
    if (["true", "1", "yes", "on"].includes(word)) return true;
    if (["false", "0", "no", "off"].includes(word)) return false;
    return undefined;
  }
  if (schema["type"] === "integer" || schema["type"] === "number") {
    return /^-?\d+(\.\d+)?$/.test(word) ? Number(word) : undefined;
  }
  if (schema["type"] === "null") return word === "none" ? null : undefined;
  return raw;
}

function matches(schema: TSchema, value: unknown): boolean {
  if (schema["const"] !== undefined) return value === schema["const"];
  if (schema["type"] === "null") return value === null;
  if (schema["type"] === "boolean") return typeof value === "boolean";
  if (schema["type"] === "string") return typeof value === "string" && value.length > 0 && !/[\0\n\r]/.test(value);
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  if (schema["type"] === "integer" && !Number.isInteger(value)) return false;
  return value >= schema["minimum"] && value <= schema["maximum"];
}

function expected(variants: TSchema[]): string {
  const words = variants.map((schema) => {
    if (schema["const"] !== undefined) return String(schema["const"]);
    if (schema["type"] === "null") return "none";
    if (schema["type"] === "boolean") return "true or false";
    if (schema["type"] === "string") return "text of at least one character on one line";
    const kind = schema["type"] === "integer" ? "a whole number" : "a number";
    return schema["maximum"] === MAX
      ? `${kind} of at least ${schema["minimum"]}`
      : `${kind} from ${schema["minimum"]} to ${schema["maximum"]}`;
  });
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} or ${words.at(-1)}` : (words[0] ?? "");
}

function refuseContradictions(config: Settings): void {
  if ((config.chatAddress === null) !== (config.chatModel === null))
    throw new ConfigError("chat-address and chat-model go together: set both, or none.");
  const { maxUserVectorStores: key, maxTeamVectorStores: tenant } = config;
  if (key !== null && tenant !== null && key > tenant) {
    throw new ConfigError(
      `max-user-vector-stores (${key}) is above max-team-vector-stores (${tenant}), so it could never be reached: lower it or raise the other.`,
    );
  }
  if (config.maxFileTextMb > config.parseMemoryMb) {
    throw new ConfigError(
      `max-file-text-mb (${config.maxFileTextMb}) is above parse-memory-mb (${config.parseMemoryMb}): a document's text could not be held; lower it or raise the other.`,
    );
  }
}

function unknownOption(shown: string, option: string, write: (known: string) => string): ConfigError {
  const near = nearest(option, [...BY_OPTION.keys(), "config"]);
  const hint = near ? `did you mean ${write(near)}?` : "lectern help serve lists all there are.";
  return new ConfigError(`${shown} is not an option; ${hint}`);
}

/** The known word at the smallest edit distance, if that is small for its length. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** A setting as people read it. */
export interface SettingDescription {
  group: string;
  option: string;
  /** Names of variables, the first one wins. */
  env: string;
  default: string;
  help: string;
  /** Taken over without a restart. */
  reload: boolean;
  /** Needs no value on the command line. */
  isSwitch: boolean;
  /** The values that there are, where they are a choice of words. */
  choices: readonly string[];
}

/** One row per setting, for the help text and docs/configuration.md. */
export function describeSettings(): SettingDescription[] {
  return NAMES.map((name) => {
    const { group, option, otherEnv = [], help, default: fallback, ...more } = SETTINGS[name] as Setting<TSchema>;
    const { defaultText, reload = false } = more;
    const shown = defaultText ?? (fallback === null ? "none" : fallback === false ? "off" : String(fallback));
    const variants: TSchema[] = SETTINGS[name].schema["anyOf"] ?? [];
    const words = variants.flatMap((variant) => (variant["const"] === undefined ? [] : [String(variant["const"])]));
    return {
      group,
      option,
      env: [envName(option), ...otherEnv].join(", "),
      default: shown,
      help: words.length > 0 ? `${help} (${words.join(", ")})` : help,
      reload,
      isSwitch: SETTINGS[name].schema["type"] === "boolean",
      choices: words,
    };
  });
}

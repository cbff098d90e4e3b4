/** The page that `man lectern` shows, made from the tables of verbs and settings, so that it can name no others. */
import type { Flags } from "../cli/arguments.ts";
import { VERBS } from "../cli/verbs.ts";
import { describeSettings } from "../config/config.ts";
import { version } from "../platform/build-info.ts";

/** In roff, for section 1. @param epoch Unix seconds: the date in the page's foot. */
export async function manPage(epoch: number): Promise<string> {
  const day = new Date(epoch * 1000).toISOString().slice(0, 10);
  const verbs = await Promise.all(Object.keys(VERBS).map(verbSection));
  return [
    `.TH LECTERN 1 ${day} ${quoted(`Lectern ${version}`)} ${quoted("User Commands")}`,
    ".SH NAME",
    roff("lectern - OpenAI's Files, Vector Stores, Embeddings and Responses APIs on your own machine"),
    ".SH SYNOPSIS",
    `.B lectern\n.I VERB\n${roff("[WORD...] [--OPTION [VALUE]]...")}`,
    ".SH DESCRIPTION",
    roff(
      "Lectern keeps documents in vector stores and searches them, for programs that use OpenAI's APIs and from the command line. One executable holds the server, its web console, its models and the verbs below.",
    ),
    ".PP",
    roff(
      "The server runs with lectern serve. The other verbs find it through its data directory, or at the address that --url names; where none runs, those that need one run it inside themselves.",
    ),
    ".SH VERBS",
    ...verbs,
    ".SH ENVIRONMENT",
    roff(
      "Every option of serve has a variable, given with it above. LECTERN_URL, LECTERN_API_KEY and LECTERN_API_KEY_FILE tell the verbs which server to talk to and with which key.",
    ),
    ".SH FILES",
    term("./lectern-data", "The data directory unless --data or LECTERN_DATA names another."),
    term("lectern.toml", "A configuration file that --config names: every option of serve without its dashes."),
    ".SH EXIT STATUS",
    term("0", "Done."),
    term("1", "It could not be done."),
    term("2", "The command line cannot be followed."),
    term("130", "Interrupted."),
    "",
  ].join("\n");
}

async function verbSection(name: string): Promise<string> {
  const verb = VERBS[name];
  if (verb === undefined) throw new Error(`there is no verb ${name}`);
  const { help, flags = {} } = await verb.load();
  const options = name === "serve" ? settings(flags) : optionsOf(flags);
  // The help text ends with the table of options, which the page sets as its own list.
  const words = name === "serve" ? "" : help.split(/^ {2}--/m)[0]!.trim();
  return [
    `.SS ${quoted(roff(verb.usage))}`,
    roff(`${verb.summary[0]?.toUpperCase()}${verb.summary.slice(1)}.`),
    ...(words === "" ? [] : [".PP", words.split("\n").map(roff).join("\n")]),
    ...options,
  ].join("\n");
}

function optionsOf(flags: Flags): string[] {
  return Object.entries(flags).map(([name, { value, help, many }]) =>
    term(`--${name}${value === undefined ? "" : ` ${value}`}`, `${help}${many === true ? " (may be repeated)" : ""}.`),
  );
}

/** With their defaults and variables; first those options of `serve` that are no settings. */
function settings(flags: Flags): string[] {
  const known = new Set(describeSettings().map(({ option }) => option));
  const others = Object.fromEntries(Object.entries(flags).filter(([name]) => !known.has(name)));
  const groups = [...Map.groupBy(describeSettings(), ({ group }) => group)].flatMap(([group, rows]) => [
    `.PP\n${roff(`${group}:`)}`,
    ...rows.map(({ option, help, default: usual, env }) =>
      term(`--${option}`, `${help}. Default: ${usual}. Variable: ${env}.`),
    ),
  ]);
  return [...optionsOf(others), ...groups];
}

/** A paragraph that hangs below its bold first line. */
function term(name: string, text: string): string {
  return `.TP\n.B ${roff(name)}\n${roff(text)}`;
}

/** As text: what roff would take for an order or a sign of its own is no longer one. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replace(/[^\x20-\x7e\n]/gu, (sign) => `\\[u${sign.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}]`)
    .replace(/^(?=[.'])/gm, "\\&");
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

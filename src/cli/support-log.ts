import type { Scrub } from "./support-scrub.ts";

/** Lines of a log as they may leave the house: of what the server itself wrote, numbers and words of a known kind. */
export const LOG_LINES = 2000;

/** Fields whose words are the program's own. */
const OWN_WORDS = new Set([
  "time",
  "level",
  "method",
  "route",
  "code",
  "param",
  "kind",
  "stage",
  "lane",
  "outcome",
  "applied",
  "restart_needed",
]);
const LEVELS = new Set(["debug", "info", "warn", "error"]);

/** The last lines. Whatever is no line of Lectern's own is left out, and counted. */
export function scrubbedLog(text: string, scrub: Scrub): string {
  const lines = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-LOG_LINES);
  const kept = lines.flatMap((line) => scrubbedLine(line, scrub) ?? []);
  const left = lines.length - kept.length;
  return `${kept.join("\n")}\n${left === 0 ? "" : `(${left} other lines left out)\n`}`;
}

function scrubbedLine(line: string, scrub: Scrub): string | null {
  const fields = fieldsOf(line);
  if (fields === null) return null;
  const kept = Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
    if (typeof value === "number" || typeof value === "boolean") return [[name, value]];
    if (typeof value !== "string") return [];
    if (name === "message") return [[name, scrub.text(value)]];
    if (name === "cause") return [[name, framesOf(value)]];
    if (OWN_WORDS.has(name) && /^[\w /{}:.,_-]{1,200}$/.test(value)) return [[name, value]];
    return [[name, "(left out)"]];
  });
  return JSON.stringify(Object.fromEntries(kept));
}

function fieldsOf(line: string): Record<string, unknown> | null {
  try {
    // journalctl and container engines put words of their own before a line.
    const fields: unknown = JSON.parse(line.slice(Math.max(0, line.indexOf("{"))));
    if (typeof fields !== "object" || fields === null || !("level" in fields) || !("message" in fields)) return null;
    return LEVELS.has(String(fields.level)) ? { ...fields } : null;
  } catch {
    return null;
  }
}

/** Where an error came from, without what it said. */
function framesOf(stack: string): string {
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.replace(/\(?(?:\/|file:)\S*\/(?=[\w.-]+:\d+)/, ""))
    .join("\n");
}

/** Text that was meant for a terminal or a printer: what is left once it is shown. */

const ESCAPE_SEQUENCE =
  /\x1b(?:\[[0-?]{0,40}[ -/]{0,4}[@-~]|\][^\x07\x1b\n]{0,2000}(?:\x07|\x1b\\)|[()*+][A-Za-z0-9]|[PX^_][^\x1b\n]{0,2000}\x1b\\|[@-Z\\^_=>78cMH])/g;
const CONTROLS = /[\x00-\x08\x0e-\x1f\x7f]/g;

/** Without colours and cursor movements, with overstruck characters once; other control characters become blanks. */
export function plainOfTerminal(text: string): string {
  // Files that have none of them are nearly all.
  if (text.search(CONTROLS) < 0) return text;
  const plain = text.includes("\x1b") ? text.replace(ESCAPE_SEQUENCE, "") : text;
  const shown = plain.includes("\b") ? withoutOverstrikes(plain) : plain;
  // What DOS wrote at a file's end.
  return shown.replace(/\x1a+\s*$/, "").replace(CONTROLS, " ");
}

/** "N\bN" is a bold N, "_\bN" and "N\b_" an underlined one, "o\b+" a bullet. */
function withoutOverstrikes(text: string): string {
  const parts: string[] = [];
  let done = 0;
  // Each run of overstruck characters is settled by itself: the last that is no line wins.
  for (const match of text.matchAll(/([^\n\x08])((?:\x08[^\n\x08])+)/gu)) {
    const struck = [match[1]!, ...match[2]!.split("\b").slice(1)];
    parts.push(text.slice(done, match.index), struck.findLast((sign) => sign !== "_") ?? "_");
    done = match.index + match[0].length;
  }
  parts.push(text.slice(done));
  // Lone ones, and those that go back over several characters.
  return parts.join("").replaceAll("\b", "");
}

/**
 * What each line of a Markdown text is: CommonMark's blocks as far as headings and code need them. Containers (quotes,
 * list items) are followed so that fences in them are seen; their own text is never a heading of the document.
 */
export interface MarkdownLine {
  /** The line as it stands in the text. */
  line: string;
  at: number;
  /** "code" is fenced or indented, "html" a block of markup, "text" all else. */
  kind: "text" | "code" | "html";
  /** Inside a quote or a list item. */
  isNested: boolean;
}

interface Fence {
  mark: string;
  length: number;
  /** Columns of the list items that hold it; 0 at the top. */
  indent: number;
  quotes: number;
}

export function* markdownLines(text: string, from: number): Generator<MarkdownLine> {
  const scanner = new Scanner(text);
  for (let at = from; at < text.length;) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 ? text.length : end;
    const line = text.slice(at, stop);
    yield { line, at, ...scanner.next(line, stop + 1) };
    at = stop + 1;
  }
}

const FENCE_OPEN = /^ {0,3}(?:(`{3,})(?=[^`]*$)|(~{3,}))/;
const FENCE_CLOSE = /^ *(`{3,}|~{3,})[ \t]*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?=[ \t]|$)/;
/** Tags that begin a block of markup which ends at a blank line. */
const BLOCK_TAG =
  /^ {0,3}<\/?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)(?:[\s/>]|$)/i;
const LONE_TAG =
  /^ {0,3}(?:<[a-z][\w-]*(?:\s+[\w:.-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?)*\s*\/?>|<\/[a-z][\w-]*\s*>)[ \t]*$/i;
/** Blocks of markup that end at a mark of their own, blank lines or not. */
const VERBATIM: readonly [start: RegExp, end: RegExp][] = [
  [/^ {0,3}<(?:pre|script|style|textarea)(?:[\s>]|$)/i, /<\/(?:pre|script|style|textarea)>/i],
  [/^ {0,3}<!--/, /-->/],
  [/^ {0,3}<\?/, /\?>/],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/],
  [/^ {0,3}<![a-z]/i, />/],
];
const BLANK_LINE = /^\s*$/;

class Scanner {
  readonly #text: string;
  #fence: Fence | null = null;
  /** What ends the open block of markup. */
  #html: RegExp | null = null;
  /** Columns at which the contents of the open list items begin. */
  #items: number[] = [];
  #inParagraph = false;
  #wasBlank = true;
  /** The next fence below of one kind, so that it is looked for once. */
  #ahead: { at: number; mark: string; length: number; indent: number } | null = null;

  constructor(text: string) {
    this.#text = text;
  }

  next(line: string, after: number): { kind: MarkdownLine["kind"]; isNested: boolean } {
    const { rest, quotes } = withoutQuotes(expandTabs(line));
    const nested = (): boolean => quotes > 0 || this.#items.length > 0;
    if (this.#fence !== null && this.#staysInFence(rest, quotes, after)) return { kind: "code", isNested: nested() };
    if (this.#html !== null) {
      if (this.#html.test(rest)) this.#html = null;
      return { kind: "html", isNested: nested() };
    }
    const kind = this.#block(rest, quotes);
    this.#wasBlank = BLANK_LINE.test(rest);
    return { kind, isNested: nested() };
  }

  /** Whether the line belongs to the open fence; the line that closes it does. */
  #staysInFence(rest: string, quotes: number, after: number): boolean {
    const fence = this.#fence!;
    const indent = rest.search(/\S/);
    const close = FENCE_CLOSE.exec(rest)?.[1];
    const ends =
      quotes < fence.quotes ||
      (indent >= 0 && indent < fence.indent && !this.#isClosedBelow(fence, after) && close === undefined);
    if (ends) {
      this.#fence = null;
      return false;
    }
    if (close !== undefined && close[0] === fence.mark && close.length >= fence.length && indent <= fence.indent + 3)
      this.#fence = null;
    return true;
  }

  /**
   * Code in a list item is often pasted without its indentation. It is still code where the next fence below is a
   * closing one that stands in the item.
   */
  #isClosedBelow(fence: Fence, after: number): boolean {
    const known = this.#ahead;
    if (known === null || known.at < after || known.mark !== fence.mark || known.length !== fence.length) {
      const pattern = new RegExp(`^([ \\t]*)(?:${fence.mark}{${fence.length},})([^\\n]*)$`, "m");
      const found = pattern.exec(this.#text.slice(after, after + MAX_LOOK_AHEAD));
      this.#ahead = {
        at: after + (found?.index ?? MAX_LOOK_AHEAD),
        mark: fence.mark,
        length: fence.length,
        // Of what carries words, or is not there, nothing is closed.
        indent: found === null || found[2]!.trim() !== "" ? -1 : expandTabs(found[1]!).length,
      };
    }
    return this.#ahead!.indent >= fence.indent;
  }

  #block(line: string, quotes: number): MarkdownLine["kind"] {
    if (BLANK_LINE.test(line)) {
      this.#inParagraph = false;
      return "text";
    }
    let rest = this.#insideItems(line);
    for (let item = this.#itemStart(rest); item !== null; item = this.#itemStart(rest)) {
      this.#items.push((this.#items.at(-1) ?? 0) + item.width);
      rest = item.rest;
      this.#inParagraph = false;
    }
    if (!this.#inParagraph && /^ {4}/.test(rest)) return "code";
    const fence = FENCE_OPEN.exec(rest);
    if (fence !== null) {
      const mark = fence[1] ?? fence[2]!;
      this.#fence = { mark: mark[0]!, length: mark.length, indent: this.#items.at(-1) ?? 0, quotes };
      this.#inParagraph = false;
      return "code";
    }
    return this.#markup(rest);
  }

  #markup(rest: string): MarkdownLine["kind"] {
    const verbatim = VERBATIM.find(([start]) => start.test(rest));
    if (verbatim !== undefined) {
      const start = verbatim[0].exec(rest)![0].length;
      if (!verbatim[1].test(rest.slice(start))) this.#html = verbatim[1];
    } else if (BLOCK_TAG.test(rest) || (!this.#inParagraph && LONE_TAG.test(rest))) {
      this.#html = BLANK_LINE;
    } else {
      this.#inParagraph = !/^ {0,3}(?:#{1,6}(?:[ \t]|$)|(?:[-*_][ \t]*){3,}$)/.test(rest);
      return "text";
    }
    this.#inParagraph = false;
    return "html";
  }

  /** The line without the columns of the items that it belongs to; others end here. A paragraph may go on lazily. */
  #insideItems(line: string): string {
    const indent = line.search(/\S/);
    let depth = 0;
    while (depth < this.#items.length && indent >= this.#items[depth]!) depth++;
    const isLazy = this.#inParagraph && !this.#wasBlank && depth < this.#items.length && !startsBlock(line);
    if (!isLazy) this.#items.length = depth;
    return line.slice(this.#items[depth - 1] ?? 0);
  }

  #itemStart(rest: string): { width: number; rest: string } | null {
    const found = this.#items.length < MAX_ITEMS ? ITEM.exec(rest) : null;
    if (found === null || /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,})$/.test(rest)) return null;
    const head = found[0].length;
    const body = rest.slice(head);
    // Only a list that begins with 1 and says something interrupts a paragraph.
    if (this.#inParagraph && this.#items.length === 0 && (body.trim() === "" || !/^(?:[-*+]|1[.)])$/.test(found[2]!)))
      return null;
    const spaces = body.search(/\S/);
    const width = spaces < 0 || spaces > 4 ? head + 1 : head + spaces;
    return { width, rest: rest.slice(width) };
  }
}

const MAX_ITEMS = 50;
const MAX_LOOK_AHEAD = 20_000;

function startsBlock(line: string): boolean {
  return /^\s*(?:#{1,6}(?:\s|$)|(?:```|~~~)|(?:[-*+]|\d{1,9}[.)])(?:\s|$)|(?:[-*_][ \t]*){3,}$|>)/.test(line);
}

function withoutQuotes(line: string): { rest: string; quotes: number } {
  let rest = line;
  let quotes = 0;
  for (let found = /^ {0,3}> ?/.exec(rest); found !== null && quotes < MAX_ITEMS; found = /^ {0,3}> ?/.exec(rest)) {
    rest = rest.slice(found[0].length);
    quotes++;
  }
  return { rest, quotes };
}

/** Tabs reach to the next column of four; those behind the first word do not matter here. */
function expandTabs(line: string): string {
  const lead = /^[ \t>\-*+\d.)]*/.exec(line)![0];
  if (!lead.includes("\t")) return line;
  let out = "";
  for (const sign of lead) out += sign === "\t" ? " ".repeat(4 - (out.length % 4)) : sign;
  return out + line.slice(lead.length);
}

/**
 * Formulas as one line of text that keeps their meaning: "x=12/34", "10^6", "∑_(i=1)^10 x_i", "[1, 2; 3, 4]". Reads
 * Office's markup (OMML, under <m:oMath>) and MathML (<math>), whose element names have nothing in common.
 *
 * While an XML or HTML reader is inside a formula it hands its events to a FormulaReader instead of its own handlers:
 *
 *     open(name, attributes) {
 *       if (this.#formula !== null) return this.#formula.open(name, attributes);
 *       if (name === "math" || name === "oMath") {
 *         this.#formula = new FormulaReader();
 *         return this.#formula.open(name, attributes);
 *       }
 *     }
 *     text(text) { if (this.#formula !== null) return this.#formula.text(text); }
 *     close(name) {
 *       const line = this.#formula?.close();         // null until the formula itself is closed
 *       if (line != null) { this.#formula = null; … add `line` to the text … }
 *     }
 *
 * Names may carry a prefix ("m:oMath", "mml:math"). Whoever has a tree calls linearFormula() with its nodes.
 */
import { normalized } from "../stream-safe.ts";
export interface FormulaNode {
  /** Local name. */
  name: string;
  attributes: Record<string, string>;
  children: (FormulaNode | string)[];
}

/** What lies deeper belongs to the element at this depth: the text stays, only its structure is lost. */
const MAX_DEPTH = 60;

export class FormulaReader {
  readonly #open: FormulaNode[] = [];
  #depth = 0;

  open(name: string, attributes: Record<string, string>): void {
    if (++this.#depth > MAX_DEPTH) return;
    // The last one has no structure of its own, so that nothing below it is passed over.
    const node: FormulaNode = { name: this.#depth === MAX_DEPTH ? "" : localName(name), attributes, children: [] };
    this.#open.at(-1)?.children.push(node);
    this.#open.push(node);
  }

  text(text: string): void {
    this.#open.at(-1)?.children.push(text);
  }

  /** The formula as one line once its outermost element is closed; null before. */
  close(): string | null {
    if (this.#depth-- > MAX_DEPTH) return null;
    const node = this.#open.pop();
    return node === undefined || this.#open.length > 0 ? null : linearFormula(node);
  }
}

/** One line for the formula in `root`: an <m:oMath>, a <math>, or any element inside one. */
export function linearFormula(root: FormulaNode): string {
  return pieceOf(root).text.replace(/\s+/g, " ").trim();
}

/** How a part meets its neighbours: after a script, a fraction or an operator with bounds "2" needs a space. */
interface Piece {
  text: string;
  kind: "run" | "word" | "script" | "fraction" | "bounds" | "name" | "bracket" | "token";
}

const EMPTY: Piece = { text: "", kind: "run" };

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

function isNode(child: FormulaNode | string): child is FormulaNode {
  return typeof child !== "string";
}

function elements(node: FormulaNode): FormulaNode[] {
  return node.children.filter(isNode);
}

function child(node: FormulaNode, name: string): FormulaNode | undefined {
  return elements(node).find((one) => one.name === name);
}

/** A property such as <m:naryPr><m:chr m:val="∑"/></m:naryPr>; undefined where it is not set. */
function property(node: FormulaNode, name: string): string | undefined {
  const properties = child(node, `${node.name}Pr`);
  const found = properties === undefined ? undefined : child(properties, name);
  if (found === undefined) return undefined;
  return found.attributes["m:val"] ?? found.attributes["val"] ?? "";
}

const isOn = (value: string | undefined): boolean => value !== undefined && !/^(?:0|off|false)$/.test(value);

function partText(node: FormulaNode, name: string): string {
  const part = child(node, name);
  return part === undefined ? "" : rowPiece(part).text.trim();
}

function rowPiece(node: FormulaNode): Piece {
  return joined(elements(node).map(pieceOf));
}

const STARTS_ALNUM = /^[\p{L}\p{N}√∛∜]/u;
const ENDS_ALNUM = /[\p{L}\p{M}\p{N}]$/u;

function joined(pieces: readonly Piece[]): Piece {
  const said = pieces.filter((piece) => piece.text !== "");
  if (said.length === 1) return said[0]!;
  let text = "";
  let before: Piece = EMPTY;
  for (const piece of said) {
    text += (text !== "" && needsSpace(before, piece) ? " " : "") + piece.text;
    before = piece;
  }
  return { text, kind: "run" };
}

function needsSpace(before: Piece, after: Piece): boolean {
  if (before.kind === "bounds") return !/^\s/.test(after.text);
  if (before.kind === "name" && after.kind !== "bracket") return !/^[\s(]/.test(after.text);
  if (!STARTS_ALNUM.test(after.text)) return false;
  if (!ENDS_ALNUM.test(before.text)) return before.kind === "fraction";
  if (before.kind === "script" || before.kind === "fraction" || after.kind === "fraction") return true;
  if (after.kind === "bounds" || after.kind === "name" || before.kind === "word" || after.kind === "word") return true;
  // Runs are cut anywhere; between two numbers that are elements of their own the cut means something.
  const isCut = before.kind !== "run" || after.kind !== "run";
  return isCut && /\p{N}$/u.test(before.text) && /^\p{N}/u.test(after.text);
}

const BUILDERS: Record<string, (node: FormulaNode) => Piece> = {
  // OMML
  r: (node) => ({ text: plainLetters(textOf(node, "t")), kind: "run" }),
  t: (node) => ({ text: plainLetters(textOf(node, null)), kind: "run" }),
  f: (node) => fraction(partText(node, "num"), partText(node, "den"), property(node, "type") === "noBar"),
  sSup: (node) => scripts(partText(node, "e"), "", partText(node, "sup")),
  sSub: (node) => scripts(partText(node, "e"), partText(node, "sub"), ""),
  sSubSup: (node) => scripts(partText(node, "e"), partText(node, "sub"), partText(node, "sup")),
  sPre: (node) => before(partText(node, "e"), partText(node, "sub"), partText(node, "sup")),
  rad: (node) => root(partText(node, "e"), isOn(property(node, "degHide")) ? "" : partText(node, "deg")),
  nary: (node) => {
    const sub = isOn(property(node, "subHide")) ? "" : partText(node, "sub");
    const sup = isOn(property(node, "supHide")) ? "" : partText(node, "sup");
    const sign: Piece = { text: scripts(property(node, "chr") ?? "∫", sub, sup).text, kind: "bounds" };
    return { text: joined([sign, { text: partText(node, "e"), kind: "run" }]).text, kind: "script" };
  },
  limLow: (node) => ({ text: scripts(partText(node, "e"), partText(node, "lim"), "").text, kind: "bounds" }),
  limUpp: (node) => scripts(partText(node, "e"), "", partText(node, "lim")),
  func: (node) =>
    joined([
      { text: partText(node, "fName"), kind: "name" },
      { text: partText(node, "e"), kind: "run" },
    ]),
  d: (node) => {
    const parts = elements(node).filter((one) => one.name === "e");
    const inner = parts.map((part) => bareTable(part) ?? rowPiece(part).text.trim());
    return bracketed(
      property(node, "begChr") ?? "(",
      inner.join(property(node, "sepChr") ?? "|"),
      property(node, "endChr") ?? ")",
    );
  },
  m: (node) => bracketed("[", tableText(node), "]"),
  eqArr: (node) => ({ text: tableText(node), kind: "run" }),
  acc: (node) => accent(partText(node, "e"), property(node, "chr") ?? "\u0302"),
  bar: (node) => accent(partText(node, "e"), property(node, "pos") === "bot" ? "\u0332" : "\u0305"),
  phant: (node) => {
    const show = property(node, "show");
    return show !== undefined && !isOn(show) ? EMPTY : { text: partText(node, "e"), kind: "run" };
  },
  // MathML
  mi: (node) => {
    const text = tokenText(node);
    return { text, kind: [...text].length > 1 ? "word" : "token" };
  },
  mn: (node) => ({ text: tokenText(node), kind: "token" }),
  mo: (node) => operator(tokenText(node)),
  mtext: (node) => ({ text: plainLetters(textOf(node, null)).replace(/\s+/g, " "), kind: "word" }),
  ms: (node) => ({ text: `"${tokenText(node)}"`, kind: "word" }),
  mspace: () => ({ text: " ", kind: "run" }),
  mfrac: (node) =>
    fraction(nth(node, 0), nth(node, 1), /^0(?:\D|$)/.test((node.attributes["linethickness"] ?? "1").trim())),
  msqrt: (node) => root(rowPiece(node).text.trim(), ""),
  mroot: (node) => root(nth(node, 0), nth(node, 1)),
  msup: (node) => scripts(nth(node, 0), "", nth(node, 1)),
  msub: (node) => scripts(nth(node, 0), nth(node, 1), ""),
  msubsup: (node) => scripts(nth(node, 0), nth(node, 1), nth(node, 2)),
  munder: (node) => underOver(nth(node, 0), nth(node, 1), ""),
  mover: (node) => underOver(nth(node, 0), "", nth(node, 1)),
  munderover: (node) => underOver(nth(node, 0), nth(node, 1), nth(node, 2)),
  mmultiscripts: multiscripts,
  mtable: (node) => bracketed("[", tableText(node), "]"),
  mfenced: (node) => {
    const separators = [...(node.attributes["separators"] ?? ",").replace(/\s/g, "")];
    const inner = elements(node).reduce((text, part, i) => {
      const separator = i === 0 ? "" : (separators[Math.min(i - 1, separators.length - 1)] ?? "");
      return text + separator + (bareTable(part) ?? pieceOf(part).text.trim());
    }, "");
    return bracketed(node.attributes["open"] ?? "(", inner, node.attributes["close"] ?? ")");
  },
  mphantom: () => EMPTY,
  maction: (node) => ({ text: nth(node, 0), kind: "run" }),
  semantics: (node) => {
    const shown = elements(node).find((one) => !one.name.startsWith("annotation"));
    const piece = shown === undefined ? EMPTY : pieceOf(shown);
    // Nothing but its source in another language, as some converters leave.
    return piece.text !== "" ? piece : { text: textOf(node, null), kind: "run" };
  },
};

function pieceOf(node: FormulaNode): Piece {
  const build = Object.hasOwn(BUILDERS, node.name) ? BUILDERS[node.name] : undefined;
  if (build !== undefined) return build(node);
  if (node.name.endsWith("Pr") || node.name.startsWith("annotation")) return EMPTY;
  const brackets = fencedTable(node);
  if (brackets !== null) return brackets;
  const hasElements = node.children.some(isNode);
  return hasElements ? rowPiece(node) : { text: plainLetters(textOf(node, null)), kind: "run" };
}

/** All text below a node, or below its children of one name. */
function textOf(node: FormulaNode, name: string | null): string {
  let text = "";
  for (const one of node.children) {
    if (!isNode(one)) text += name === null ? one : "";
    else if (name === null || one.name === name) text += textOf(one, null);
  }
  return text;
}

function tokenText(node: FormulaNode): string {
  return plainLetters(textOf(node, null)).trim();
}

function nth(node: FormulaNode, index: number): string {
  const part = elements(node)[index];
  return part === undefined ? "" : pieceOf(part).text.trim();
}

/** Letters of mathematical alphabets (𝑥, 𝐀) as the letters that they are. */
function plainLetters(text: string): string {
  return text.replace(/[\u{1d400}-\u{1d7ff}]+/gu, (letters) => normalized(letters, "NFKC"));
}

/** U+2061 to U+2064 are operators that are not drawn. */
function operator(text: string): Piece {
  if (text === "\u2061") return EMPTY;
  if (text === "\u2063") return { text: ",", kind: "run" };
  if (text === "\u2062" || text === "\u2064") return EMPTY;
  return { text, kind: /^\p{L}{2,}$/u.test(text) ? "name" : /^[([{]$/.test(text) ? "bracket" : "run" };
}

function fraction(above: string, below: string, isBinomial: boolean): Piece {
  if (isBinomial) return { text: `${above} choose ${below}`, kind: "fraction" };
  return { text: `${grouped(above)}/${grouped(below)}`, kind: "fraction" };
}

function scripts(base: string, sub: string, sup: string): Piece {
  const below = sub === "" ? "" : `_${grouped(sub)}`;
  // "e^ix" would leave open how much of it is raised.
  const above = sup === "" ? "" : `^${/^\p{L}{2,}$/u.test(sup) ? `(${sup})` : grouped(sup)}`;
  return { text: `${grouped(base)}${below}${above}`, kind: below + above === "" ? "run" : "script" };
}

function before(base: string, sub: string, sup: string): Piece {
  const marks = scripts("", sub, sup).text;
  return { text: marks === "" ? base : `${marks} ${base}`, kind: "script" };
}

const ROOT_SIGNS: Record<string, string> = { "": "√", "2": "√", "3": "∛", "4": "∜" };

function root(of: string, degree: string): Piece {
  return { text: `${ROOT_SIGNS[degree] ?? `√[${degree}]`}${grouped(of)}`, kind: "script" };
}

const ACCENTS: Record<string, [combining: string, word: string]> = {
  "^": ["\u0302", "hat"],
  ˆ: ["\u0302", "hat"],
  "\u0302": ["\u0302", "hat"],
  "~": ["\u0303", "tilde"],
  "˜": ["\u0303", "tilde"],
  "\u0303": ["\u0303", "tilde"],
  "¯": ["\u0304", "bar"],
  "‾": ["\u0304", "bar"],
  "―": ["\u0304", "bar"],
  "\u0304": ["\u0304", "bar"],
  "\u0305": ["\u0304", "bar"],
  "\u0332": ["\u0332", "underline"],
  "→": ["\u20d7", "vec"],
  "⃗": ["\u20d7", "vec"],
  "˙": ["\u0307", "dot"],
  "\u0307": ["\u0307", "dot"],
  "¨": ["\u0308", "ddot"],
  "\u0308": ["\u0308", "ddot"],
};

/** A mark above one letter is written with it; above several it is said. */
function accent(base: string, mark: string): Piece {
  const known = ACCENTS[mark];
  if (base === "" || known === undefined) return { text: base, kind: "run" };
  const [combining, word] = known;
  if ([...base].length === 1) return { text: normalized(base + combining, "NFC"), kind: "run" };
  return { text: `${word}(${base})`, kind: "script" };
}

const BIG_OPERATORS = /^(?:[∑∏∐∫∬∭∮⋃⋂⋁⋀⨁⨂]|lim|max|min|sup|inf|lim ?sup|lim ?inf|arg ?max|arg ?min)$/i;

function underOver(base: string, under: string, over: string): Piece {
  if (under === "" && Object.hasOwn(ACCENTS, over)) return accent(base, over);
  if (over === "" && /^[_\u0332¯―]$/.test(under)) return accent(base, "\u0332");
  // A brace or bracket under or over a part only shows how far a label reaches.
  if (/^[⏞⏟︷︸⎴⎵]$/.test(under + over)) return { text: base, kind: "run" };
  return { text: scripts(base, under, over).text, kind: BIG_OPERATORS.test(base) ? "bounds" : "script" };
}

/** Base, pairs of scripts behind it, then <mprescripts/> and pairs before it. */
function multiscripts(node: FormulaNode): Piece {
  const [base, ...rest] = elements(node);
  const cut = rest.findIndex((one) => one.name === "mprescripts");
  const said = (parts: FormulaNode[]): [string, string] => {
    const text = (odd: number): string =>
      parts.reduce((all, part, i) => (i % 2 === odd ? all + pieceOf(part).text.trim() : all), "");
    return [text(0), text(1)];
  };
  const after = scripts(
    base === undefined ? "" : pieceOf(base).text.trim(),
    ...said(cut < 0 ? rest : rest.slice(0, cut)),
  );
  return cut < 0 ? after : before(after.text, ...said(rest.slice(cut + 1)));
}

/** Rows apart by semicolons, cells by commas. */
function tableText(node: FormulaNode): string {
  const rows = elements(node).filter((one) => !one.name.endsWith("Pr"));
  return rows
    .map((row) => {
      if (row.name !== "mr" && row.name !== "mtr" && row.name !== "mlabeledtr") return rowPiece(row).text.trim();
      return elements(row)
        .map((cell) => rowPiece(cell).text.trim())
        .join(", ");
    })
    .join("; ");
}

/** The cells of a table that is alone in its brackets; null for anything else. */
function bareTable(node: FormulaNode): string | null {
  const parts = elements(node).filter((one) => !one.name.endsWith("Pr"));
  const [only] = parts;
  if (node.name === "mtable") return tableText(node);
  if (only === undefined || parts.length !== 1) return null;
  if (only.name === "m" || only.name === "mtable") return tableText(only);
  return only.name === "mrow" ? bareTable(only) : null;
}

/** Brackets that are operators before and behind a table. */
function fencedTable(node: FormulaNode): Piece | null {
  const parts = elements(node);
  const at = parts.findIndex((one) => one.name === "mtable");
  const open = parts[at - 1];
  if (at < 1 || open?.name !== "mo" || parts[at] === undefined) return null;
  const close = parts[at + 1]?.name === "mo" ? parts[at + 1] : undefined;
  const left = tokenText(open);
  const right = close === undefined ? "" : tokenText(close);
  if (!/^[([{|‖⌈⌊]$/.test(left)) return null;
  const fenced = bracketed(left, tableText(parts[at]), /^[)\]}|‖⌉⌋]?$/.test(right) ? right : "");
  const rest = parts.slice(/^[)\]}|‖⌉⌋]$/.test(right) ? at + 2 : at + 1);
  return joined([...parts.slice(0, at - 1).map(pieceOf), fenced, ...rest.map(pieceOf)]);
}

function bracketed(open: string, inner: string, close: string): Piece {
  return { text: `${open}${inner}${close}`, kind: "bracket" };
}

/** In brackets unless it is one number, one word, one sign, or in brackets already. */
function grouped(text: string): string {
  if (/^(?:[\p{L}\p{M}'′]+|[\p{N}.,]*\p{N}|.)?$/u.test(text)) return text;
  return isBracketed(text) ? text : `(${text})`;
}

function isBracketed(text: string): boolean {
  if (!text.startsWith("(") || !text.endsWith(")")) return false;
  let depth = 0;
  for (let i = 0; i < text.length - 1; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return false;
  }
  return true;
}

/**
 * XML as a stream of events under local names. Document types are not read: no entity is ever
 * expanded beyond the five of XML and character references, and none is fetched.
 */
export interface XmlHandler {
  open?(name: string, attributes: Record<string, string>): void;
  text?(text: string): void;
  close?(name: string): void;
}

/**
 * Well-formed XML -> events, in less time than a parser that forgives everything. It reads as long as each
 * construct is one that programs write (elements with quoted attributes, text, comments, CDATA, instructions, the five
 * entities and character references), and stops before the first that is not. The events up to there are exactly those
 * of htmlparser2 in its XML mode, and so are the pieces in which a text comes: an entity is a piece of its own.
 */
export interface Unread {
  /** UTF-16 offset of the text, tag or other construct that was not understood. */
  at: number;
  /** Full names of the elements that are open there, the outermost first. */
  open: string[];
}

/** Null where all was read, what was left open closed at the end. */
export function scanXml(text: string, start: number, handler: XmlHandler): Unread | null {
  const scanner = new XmlScanner(text, handler);
  const at = scanner.run(start);
  return at < 0 ? null : { at, open: scanner.open.map((name) => name.full) };
}

interface Name {
  full: string;
  /** Without its prefix. */
  local: string;
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const FORM_FEED = 0x0c;
const RETURN = 0x0d;
const SPACE = 0x20;
const EXCLAMATION = 0x21;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const EQUALS = 0x3d;
const GREATER = 0x3e;
const QUESTION = 0x3f;

/** Names that were read before, at the place that their hash gives: a document has few, each thousands of times. */
const MOST_NAMES = 512;
const NO_ATTRIBUTES: Record<string, string> = Object.freeze({});

class XmlScanner {
  readonly open: Name[] = [];
  readonly #text: string;
  readonly #handler: XmlHandler;
  readonly #names: Name[] = [];
  /** The first ampersand at or behind the place that is read; the text's length for none. */
  #ampersand = -1;
  /** Where the construct ends that was read last. */
  #end = 0;
  #name: Name = { full: "", local: "" };

  constructor(text: string, handler: XmlHandler) {
    this.#text = text;
    this.#handler = handler;
  }

  /** -1 where all was read, else where it stopped. */
  run(start: number): number {
    const text = this.#text;
    let at = start;
    while (at < text.length) {
      const found = text.indexOf("<", at);
      const tag = found < 0 ? text.length : found;
      if (tag > at) {
        const stop = this.#readText(at, tag);
        if (stop >= 0) return stop;
        at = tag;
        if (at === text.length) break;
      }
      if (!this.#readMarkup(at)) return at;
      at = this.#end;
    }
    for (let i = this.open.length - 1; i >= 0; i--) this.#handler.close?.(this.open[i]!.local);
    return -1;
  }

  /** -1, or where it stopped. */
  #readText(from: number, to: number): number {
    const text = this.#text;
    let at = from;
    for (let entity = this.#ampersandFrom(at); entity < to; entity = this.#ampersandFrom(at)) {
      const character = this.#readEntity(entity, to);
      if (character === "") return at;
      if (entity > at) this.#handler.text?.(text.slice(at, entity));
      this.#handler.text?.(character);
      at = this.#end;
    }
    if (at < to) this.#handler.text?.(text.slice(at, to));
    return -1;
  }

  #ampersandFrom(at: number): number {
    if (this.#ampersand >= at) return this.#ampersand;
    const found = this.#text.indexOf("&", at);
    return (this.#ampersand = found < 0 ? this.#text.length : found);
  }

  /** "" for one that is none here. */
  #readEntity(at: number, to: number): string {
    const end = this.#text.indexOf(";", at);
    if (end < 0 || end >= to || end - at > LONGEST_ENTITY) return "";
    this.#end = end + 1;
    return entityText(this.#text.slice(at + 1, end));
  }

  /** False where it is not understood; nothing has been said of it then. */
  #readMarkup(at: number): boolean {
    switch (this.#text.charCodeAt(at + 1)) {
      case SLASH:
        return this.#readClosingTag(at + 2);
      case QUESTION:
        return this.#skipTo("?>", at + 2);
      case EXCLAMATION:
        return this.#readDeclaration(at);
      default:
        return this.#readTag(at + 1);
    }
  }

  #skipTo(mark: string, from: number): boolean {
    const end = this.#text.indexOf(mark, from);
    this.#end = end + mark.length;
    return end >= 0;
  }

  #readDeclaration(at: number): boolean {
    const text = this.#text;
    if (text.startsWith("<![CDATA[", at)) {
      if (!this.#skipTo("]]>", at + 9)) return false;
      this.#handler.text?.(text.slice(at + 9, this.#end - 3));
      return true;
    }
    // Two dashes end a comment only before ">", but they may stand in none.
    return text.startsWith("<!--", at) && this.#skipTo("--", at + 4) && text.charCodeAt(this.#end++) === GREATER;
  }

  /** Of the innermost open element only. */
  #readClosingTag(from: number): boolean {
    const text = this.#text;
    const name = this.open[this.open.length - 1];
    if (name === undefined || !isAt(text, name.full, from)) return false;
    let at = from + name.full.length;
    while (isBlank(text.charCodeAt(at))) at++;
    if (text.charCodeAt(at) !== GREATER) return false;
    this.open.pop();
    this.#end = at + 1;
    this.#handler.close?.(name.local);
    return true;
  }

  #readTag(from: number): boolean {
    const text = this.#text;
    if (!this.#readName(from)) return false;
    const name = this.#name;
    let attributes = NO_ATTRIBUTES;
    let at = this.#end;
    for (;;) {
      let code = text.charCodeAt(at);
      while (isBlank(code)) code = text.charCodeAt(++at);
      if (code === GREATER) {
        this.#end = at + 1;
        this.open.push(name);
        this.#handler.open?.(name.local, attributes);
        return true;
      }
      if (code === SLASH) {
        if (text.charCodeAt(at + 1) !== GREATER) return false;
        this.#end = at + 2;
        this.#handler.open?.(name.local, attributes);
        this.#handler.close?.(name.local);
        return true;
      }
      if (attributes === NO_ATTRIBUTES) attributes = {};
      if (!this.#readAttribute(at, attributes)) return false;
      at = this.#end;
    }
  }

  /** Of two with one name the first counts. */
  #readAttribute(from: number, into: Record<string, string>): boolean {
    const text = this.#text;
    if (!this.#readName(from)) return false;
    const { full } = this.#name;
    if (text.charCodeAt(this.#end) !== EQUALS) return false;
    const start = this.#end + 2;
    const quote = text.charCodeAt(start - 1);
    if (quote !== QUOTE && quote !== APOSTROPHE) return false;
    const end = text.indexOf(quote === QUOTE ? '"' : "'", start);
    if (end < 0) return false;
    const value = this.#ampersandFrom(start) < end ? this.#decoded(start, end) : text.slice(start, end);
    if (value === null) return false;
    if (into[full] === undefined || !Object.hasOwn(into, full)) into[full] = value;
    this.#end = end + 1;
    return true;
  }

  #decoded(from: number, to: number): string | null {
    let value = "";
    let at = from;
    for (let entity = this.#ampersandFrom(at); entity < to; entity = this.#ampersandFrom(at)) {
      const character = this.#readEntity(entity, to);
      if (character === "") return null;
      value += this.#text.slice(at, entity) + character;
      at = this.#end;
    }
    return value + this.#text.slice(at, to);
  }

  /** The name of a tag or attribute that begins here; false for none. */
  #readName(from: number): boolean {
    const text = this.#text;
    let at = from;
    let hash = 0;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === EQUALS || code === GREATER || code === SLASH || isBlank(code)) break;
      hash = (Math.imul(hash, 31) + code) | 0;
    }
    if (at === from || at === text.length) return false;
    this.#end = at;
    const place = (hash ^ (hash >>> 9)) & (MOST_NAMES - 1);
    const known = this.#names[place];
    if (known !== undefined && known.full.length === at - from && isAt(text, known.full, from)) this.#name = known;
    else this.#name = this.#names[place] = nameOf(text.slice(from, at));
    return true;
  }
}

function nameOf(full: string): Name {
  const colon = full.indexOf(":");
  return { full, local: colon < 0 ? full : full.slice(colon + 1) };
}

function isAt(text: string, wanted: string, at: number): boolean {
  for (let i = 0; i < wanted.length; i++) if (text.charCodeAt(at + i) !== wanted.charCodeAt(i)) return false;
  return true;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === LINE_FEED || code === TAB || code === RETURN || code === FORM_FEED;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);
/** From the ampersand to the semicolon. */
const LONGEST_ENTITY = 9;
const REFERENCE = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i;

function entityText(name: string): string {
  const known = ENTITIES.get(name);
  if (known !== undefined) return known;
  const [, hexadecimal, decimal] = REFERENCE.exec(name) ?? [];
  const code = Number.parseInt(hexadecimal ?? decimal ?? "", hexadecimal === undefined ? 10 : 16);
  // What is no character of XML has rules of its own.
  const isCharacter =
    code >= SPACE && code <= 0x10ffff && (code < 0x7f || code > 0x9f) && (code < 0xd800 || code > 0xdfff);
  return isCharacter || code === TAB || code === LINE_FEED || code === RETURN ? String.fromCodePoint(code) : "";
}

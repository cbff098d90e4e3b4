import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import type { OleFile } from "../legacy/ole.ts";
import { parseRtf } from "../legacy/rtf.ts";
import type { ParseLimits } from "../limits.ts";
import { decodeText } from "../text/encoding.ts";
import { parseHtml } from "../text/html.ts";
import { htmlCharset } from "../text/markup-text.ts";
import type { ParseNested } from "./mail.ts";
import { APPOINTMENT, joinPath, MsgProperties, namedIds } from "./msg-properties.ts";
import { inflateRtf } from "./msg-rtf.ts";

/** Outlook messages and appointments: head lines with everybody's address, the body, attachments as text. */

const ID = {
  class: 0x001a,
  subject: 0x0037,
  submitted: 0x0039,
  start: 0x0060,
  end: 0x0061,
  recipientKind: 0x0c15,
  sender: 0x0c1a,
  senderAddress: 0x0c1f,
  bcc: 0x0e02,
  cc: 0x0e03,
  to: 0x0e04,
  delivered: 0x0e06,
  body: 0x1000,
  rtf: 0x1009,
  html: 0x1013,
  name: 0x3001,
  address: 0x3003,
  attachment: 0x3701,
  attachmentNames: [0x3707, 0x3704, 0x3001],
  smtpAddress: 0x39fe,
  senderSmtp: 0x5d01,
} as const;
/** Numbers of names in the set of appointments. */
const NAMED = { place: 0x8208, start: 0x820d, end: 0x820e } as const;
const MAX_NESTING = 5;

export async function parseMsg(ole: OleFile, limits: ParseLimits, nested: ParseNested): Promise<ParsedDocument> {
  const reader = new MsgReader(ole, limits, nested);
  await reader.writeMessage("", 1);
  return reader.out.build("msg");
}

class MsgReader {
  readonly out: DocumentBuilder;
  readonly #ole: OleFile;
  readonly #limits: ParseLimits;
  readonly #nested: ParseNested;
  readonly #named: Map<string, number>;

  constructor(ole: OleFile, limits: ParseLimits, nested: ParseNested) {
    this.out = new DocumentBuilder(limits.maxTextLength);
    this.#ole = ole;
    this.#limits = limits;
    this.#nested = nested;
    this.#named = namedIds(ole);
  }

  async writeMessage(folder: string, level: number): Promise<void> {
    const { out } = this;
    const properties = new MsgProperties(this.#ole, folder);
    const subject = properties.text(ID.subject).replace(/\s+/g, " ").trim();
    const head = this.#head(folder, properties);
    out.heading(level, subject === "" ? "(no subject)" : subject);
    out.block([...head].map(([name, value]) => `${name}: ${value}`).join("\n"));
    if (level === 1) {
      if (subject !== "") out.title = subject;
      for (const [key, name] of [
        ["author", "From"],
        ["to", "To"],
        ["created", "Date"],
      ] as const) {
        const value = head.get(name);
        if (value !== undefined) out.metadata[key] = value.slice(0, 500);
      }
    }
    this.#writeBody(properties);
    out.title = level === 1 && subject !== "" ? subject : out.title;
    for (const attachment of this.#parts(folder, "__attach_version1.0_"))
      await this.#writeAttachment(attachment, level, properties.encoding);
  }

  /** What a reader of the message sees above it, in this order; empty values are left out. */
  #head(folder: string, properties: MsgProperties): Map<string, string> {
    const people = this.#recipients(folder, properties.encoding);
    const addresses = [properties.text(ID.senderAddress), properties.text(ID.senderSmtp)];
    const lines: [string, string][] = [
      ["From", person(properties.text(ID.sender), addresses.find((address) => address.includes("@")) ?? "")],
      ["To", people[1]?.join("; ") ?? properties.text(ID.to)],
      ["Cc", people[2]?.join("; ") ?? properties.text(ID.cc)],
      ["Bcc", people[3]?.join("; ") ?? properties.text(ID.bcc)],
      ["Date", properties.date(ID.submitted) || properties.date(ID.delivered)],
      ...this.#appointment(properties),
    ];
    return new Map(lines.map(([name, value]) => [name, value.trim()] as const).filter(([, value]) => value !== ""));
  }

  #appointment(properties: MsgProperties): [string, string][] {
    const named = (number: number): number => this.#named.get(`${APPOINTMENT}/${number}`) ?? 0;
    const isMeeting = /^IPM\.(?:Appointment|Schedule)/i.test(properties.text(ID.class));
    const date = (name: number, plain: number): string =>
      properties.date(named(name)) || (isMeeting ? properties.date(plain) : "");
    return [
      ["Location", named(NAMED.place) === 0 ? "" : properties.text(named(NAMED.place))],
      ["Start", date(NAMED.start, ID.start)],
      ["End", date(NAMED.end, ID.end)],
    ];
  }

  /** People by kind: 1 is To, 2 Cc, 3 Bcc. */
  #recipients(folder: string, encoding: string | null): Record<number, string[] | undefined> {
    const out: Record<number, string[] | undefined> = {};
    for (const path of this.#parts(folder, "__recip_version1.0_")) {
      const properties = new MsgProperties(this.#ole, path, encoding);
      const addresses = [properties.text(ID.smtpAddress), properties.text(ID.address)];
      const shown = person(properties.text(ID.name), addresses.find((address) => address.includes("@")) ?? "");
      // The upper bits say whether it has been sent.
      const kind = (properties.number(ID.recipientKind) ?? 1) & 15;
      if (shown !== "") (out[kind] ??= []).push(shown);
    }
    return out;
  }

  #writeBody(properties: MsgProperties): void {
    const plain = properties.text(ID.body).replace(/\r\n?/g, "\n").trim();
    const html = properties.bytes(ID.html);
    const htmlText = html === null ? properties.text(ID.html) : decodeText(html, htmlCharset(html)).text;
    if (plain !== "") this.out.block(plain);
    else if (htmlText !== "") parseHtml(htmlText, this.out);
    else {
      const packed = properties.bytes(ID.rtf);
      const rtf = packed === null ? null : inflateRtf(packed, this.#limits.maxTextLength);
      if (rtf !== null) this.out.append(parseRtf(rtf, this.#limits), 1);
    }
  }

  async #writeAttachment(folder: string, level: number, encoding: string | null): Promise<void> {
    const message = joinPath(folder, "__substg1.0_3701000D");
    if (this.#ole.entries.get(message.toLowerCase())?.isStorage === true) {
      if (level < MAX_NESTING) await this.writeMessage(message, level + 1);
      return;
    }
    const properties = new MsgProperties(this.#ole, folder, encoding);
    const name = ID.attachmentNames.map((id) => properties.text(id).trim()).find((value) => value !== "") ?? "";
    const data = properties.bytes(ID.attachment);
    if (name === "" || data === null || data.length === 0) return;
    const document = await this.#nested(data, name, null);
    if (document === null) {
      this.out.block(`[Attachment: ${name}]`);
      return;
    }
    this.out.heading(level + 1, `Attachment: ${name}`);
    this.out.append(document, level + 1);
  }

  /** Paths of the storages of one kind directly in a folder, in the order in which they are numbered. */
  #parts(folder: string, prefix: string): string[] {
    const start = joinPath(folder, prefix).toLowerCase();
    const out: string[] = [];
    for (const [key, entry] of this.#ole.entries)
      if (entry.isStorage && key.startsWith(start) && !key.slice(start.length).includes("/")) out.push(entry.path);
    return out.sort();
  }
}

/** "Name <address>", or the address alone where the name says no more. */
function person(name: string, address: string): string {
  const clean = name
    .replace(/\s+/g, " ")
    .replace(/^'(.*)'$/, "$1")
    .trim();
  if (clean === "" || clean.toLowerCase() === address.toLowerCase()) return address;
  return address === "" || clean.includes(address) ? clean : `${clean} <${address}>`;
}

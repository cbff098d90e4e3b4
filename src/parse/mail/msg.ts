import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { canonicalEncoding, decodeAs, decodeText } from "../text/encoding.ts";
import { htmlCharset, parseHtml } from "../text/html.ts";
import type { ParseLimits } from "../limits.ts";
import type { ParseNested } from "./mail.ts";
import type { OleFile } from "../legacy/ole.ts";
import { fileTime } from "../legacy/ole-summary.ts";

/** Outlook messages: properties are streams named by their id and type. */

const SUBJECT = "0037";
const BODY = "1000";
const HTML = "1013";
const SENDER = "0C1A";
const SENDER_ADDRESS = "0C1F";
const TO = "0E04";
const CC = "0E03";
const ATTACHMENT_DATA = "37010102";
const ATTACHMENT_NAMES = ["3707", "3704", "3001"];
const DELIVERY_TIME = 0x0e06;
const SUBMIT_TIME = 0x0039;
const CODE_PAGE = 0x3fde;
const MESSAGE_CODE_PAGE = 0x3ffd;

export async function parseMsg(ole: OleFile, limits: ParseLimits, nested: ParseNested): Promise<ParsedDocument> {
  const out = new DocumentBuilder(limits.maxTextLength);
  await writeMessage(ole, "", out, nested, 1);
  return out.build("msg");
}

async function writeMessage(
  ole: OleFile,
  folder: string,
  out: DocumentBuilder,
  nested: ParseNested,
  level: number,
): Promise<void> {
  const properties = fixedProperties(ole, folder);
  const text = (id: string): string => propertyText(ole, folder, id, properties);
  const subject = text(SUBJECT).replace(/\s+/g, " ").trim();
  const address = text(SENDER_ADDRESS);
  const from = [text(SENDER), address.includes("@") ? `<${address}>` : ""].filter((part) => part !== "").join(" ");
  const date = properties.dates.get(SUBMIT_TIME) ?? properties.dates.get(DELIVERY_TIME) ?? "";
  out.heading(level, subject === "" ? "(no subject)" : subject);
  const head = [
    ["From", from],
    ["To", text(TO)],
    ["Cc", text(CC)],
    ["Date", date],
  ] as const;
  out.block(
    head
      .filter(([, value]) => value.trim() !== "")
      .map(([name, value]) => `${name}: ${value.trim()}`)
      .join("\n"),
  );
  if (level === 1) {
    if (subject !== "") out.title = subject;
    if (from !== "") out.metadata["author"] = from;
    if (date !== "") out.metadata["created"] = date;
  }
  const plain = text(BODY).replace(/\r\n?/g, "\n").trim();
  const html = ole.read(join(folder, `__substg1.0_${HTML}0102`));
  if (plain !== "") out.block(plain);
  else if (html !== null) parseHtml(decodeText(html, htmlCharset(html)).text, out);
  out.title = level === 1 && subject !== "" ? subject : out.title;
  for (const entry of ole.entries.values()) {
    if (
      entry.isStorage &&
      entry.path.startsWith(join(folder, "__attach_version1.0_")) &&
      !entry.path.slice(join(folder, "_").length).includes("/")
    ) {
      await writeAttachment(ole, entry.path, out, nested, level, properties);
    }
  }
}

async function writeAttachment(
  ole: OleFile,
  folder: string,
  out: DocumentBuilder,
  nested: ParseNested,
  level: number,
  properties: FixedProperties,
): Promise<void> {
  const message = join(folder, "__substg1.0_3701000D");
  if (ole.entries.get(message.toLowerCase())?.isStorage === true) {
    if (level < 5) await writeMessage(ole, message, out, nested, level + 1);
    return;
  }
  const name =
    ATTACHMENT_NAMES.map((id) => propertyText(ole, folder, id, properties).trim()).find((value) => value !== "") ?? "";
  const data = ole.read(join(folder, `__substg1.0_${ATTACHMENT_DATA}`));
  if (name === "" || data === null || data.length === 0) return;
  const document = await nested(data, name, null);
  if (document === null) {
    out.block(`[Attachment: ${name}]`);
    return;
  }
  out.heading(level + 1, `Attachment: ${name}`);
  out.append(document, level + 1);
}

function join(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

interface FixedProperties {
  dates: Map<number, string>;
  encoding: string | null;
}

/** Dates and the code page of eight-bit strings, from the stream of fixed-size properties. */
function fixedProperties(ole: OleFile, folder: string): FixedProperties {
  const out: FixedProperties = { dates: new Map(), encoding: null };
  const bytes = ole.read(join(folder, "__properties_version1.0"));
  if (bytes === null) return out;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = folder === "" ? 32 : 24; at + 16 <= bytes.length; at += 16) {
    const type = view.getUint16(at, true);
    const id = view.getUint16(at + 2, true);
    if (type === 0x40) {
      const date = fileTime(view, at + 8);
      if (date !== "") out.dates.set(id, date);
    } else if (type === 3 && (id === CODE_PAGE || id === MESSAGE_CODE_PAGE)) {
      const page = view.getUint32(at + 8, true);
      const encoding =
        page === 65_001 ? "utf-8" : (canonicalEncoding(`windows-${page}`) ?? canonicalEncoding(`cp${page}`));
      if (encoding !== null) out.encoding = encoding;
    }
  }
  return out;
}

function propertyText(ole: OleFile, folder: string, id: string, properties: FixedProperties): string {
  const wide = ole.read(join(folder, `__substg1.0_${id}001F`));
  if (wide !== null) return decodeAs(wide, "utf-16le").replace(/\0+$/, "");
  const narrow = ole.read(join(folder, `__substg1.0_${id}001E`));
  if (narrow === null) return "";
  const guess = decodeText(narrow, properties.encoding);
  return guess.text.replace(/\0+$/, "");
}

import { fileTime } from "../legacy/ole-summary.ts";
import type { OleFile } from "../legacy/ole.ts";
import { canonicalEncoding, decodeAs, decodeText } from "../text/encoding.ts";

/**
 * Properties of an object in an Outlook message: strings are streams named by their id and type, numbers and dates stand
 * in one stream of fixed-size entries. `folder` is the object's place, "" for the message itself.
 */
export class MsgProperties {
  readonly #ole: OleFile;
  readonly #folder: string;
  readonly #dates = new Map<number, string>();
  readonly #numbers = new Map<number, number>();
  readonly encoding: string | null;

  /** `inherited` is the code page of the message that the object is a part of. */
  constructor(ole: OleFile, folder: string, inherited: string | null = null) {
    this.#ole = ole;
    this.#folder = folder;
    this.#readFixed();
    const page = this.#numbers.get(CODE_PAGE) ?? this.#numbers.get(MESSAGE_CODE_PAGE);
    this.encoding = page === undefined ? inherited : (pageName(page) ?? inherited);
  }

  text(id: number): string {
    const name = `__substg1.0_${hex(id)}`;
    const wide = this.#ole.read(joinPath(this.#folder, `${name}001F`));
    if (wide !== null) return decodeAs(wide, "utf-16le").replace(/\0+$/, "");
    const narrow = this.#ole.read(joinPath(this.#folder, `${name}001E`));
    return narrow === null ? "" : decodeText(narrow, this.encoding).text.replace(/\0+$/, "");
  }

  bytes(id: number): Uint8Array | null {
    return this.#ole.read(joinPath(this.#folder, `__substg1.0_${hex(id)}0102`));
  }

  /** ISO 8601; "" for none. */
  date(id: number): string {
    return this.#dates.get(id) ?? "";
  }

  number(id: number): number | undefined {
    return this.#numbers.get(id);
  }

  #readFixed(): void {
    const bytes = this.#ole.read(joinPath(this.#folder, "__properties_version1.0"));
    if (bytes === null) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = headLength(this.#folder); at + 16 <= bytes.length; at += 16) {
      const type = view.getUint16(at, true);
      const id = view.getUint16(at + 2, true);
      if (type === TIME) {
        const date = fileTime(view, at + 8);
        if (date !== "") this.#dates.set(id, date);
      } else if (type === INTEGER) {
        this.#numbers.set(id, view.getUint32(at + 8, true));
      }
    }
  }
}

const TIME = 0x40;
const INTEGER = 3;
const CODE_PAGE = 0x3fde;
const MESSAGE_CODE_PAGE = 0x3ffd;

/** What stands before the entries differs between the message, one in it, and recipients and attachments. */
function headLength(folder: string): number {
  if (folder === "") return 32;
  return /__(?:recip|attach)_version1\.0_#?[^/]*$/i.test(folder) ? 8 : 24;
}

function pageName(page: number): string | null {
  return page === 65_001 ? "utf-8" : (canonicalEncoding(`windows-${page}`) ?? canonicalEncoding(`cp${page}`));
}

export function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function hex(id: number): string {
  return id.toString(16).toUpperCase().padStart(4, "0");
}

/** Set of the names that belong to appointments, as the bytes of its GUID {00062002-0000-0000-C000-000000000046}. */
export const APPOINTMENT = "0220060000000000c000000000000046";

/**
 * Ids that this file gave to named properties, by the name's set and number ("set/number"); a property of that name
 * has the id in every object of the file.
 */
export function namedIds(ole: OleFile): Map<string, number> {
  const out = new Map<string, number>();
  const sets = ole.read("__nameid_version1.0/__substg1.0_00020102");
  const entries = ole.read("__nameid_version1.0/__substg1.0_00030102");
  if (sets === null || entries === null) return out;
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  for (let at = 0; at + 8 <= entries.length; at += 8) {
    const kind = view.getUint16(at + 4, true);
    // Odd ones are named by a string; the first three sets are understood.
    const set = (kind >> 1) - 3;
    if ((kind & 1) === 1 || set < 0) continue;
    const guid = Buffer.from(sets.subarray(16 * set, 16 * set + 16)).toString("hex");
    out.set(`${guid}/${view.getUint32(at, true)}`, 0x8000 + view.getUint16(at + 6, true));
  }
  return out;
}

/** What the tracer recorded: what took effect on files below the watched root, in its order. */

export interface DiskRecord {
  /** What the client had been told by then. */
  mark: number;
  /**
   * W data at an offset, T a length, A a least length, C a file, M a folder, R a rename, U a removal, L a link, S a sync,
   * F a sync that failed.
   */
  kind: "W" | "T" | "A" | "C" | "M" | "R" | "U" | "L" | "S" | "F";
  path: string;
  /** Of a rename, where to. */
  other: string;
  offset: number;
  data: Uint8Array;
}

const NEWLINE = 10;

export function readRecords(recorded: Uint8Array): DiskRecord[] {
  const bytes = Buffer.from(recorded.buffer, recorded.byteOffset, recorded.byteLength);
  const records: DiskRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, at);
    const [mark = "", kind = "", offset = "", length = "", ofPath = "", ofOther = ""] = bytes
      .toString("latin1", at, end)
      .split(" ");
    at = end + 1;
    const take = (count: string) => bytes.subarray(at, (at += Number(count)));
    const name = take(ofPath).toString("utf8");
    const other = take(ofOther).toString("utf8");
    const data = new Uint8Array(take(length));
    if (bytes[at++] !== NEWLINE) throw new Error(`the record is torn at byte ${at}`);
    records.push({
      ...{ mark: Number(mark), kind: kind as DiskRecord["kind"], path: name, other },
      ...{ offset: Number(offset), data },
    });
  }
  return records;
}

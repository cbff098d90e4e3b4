import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** What a file with one key in it holds, or why it cannot be used; a person reads the problem after the file's name. */
export type KeyFileRead =
  | { ok: true; key: string; /** Other users of the machine may read it too. */ isOpenToOthers: boolean }
  | { ok: false; problem: string };

/** A key is a line. */
const MOST_BYTES = 64 * 1024;

/** Reads a file that holds a key and nothing else; white space around it does not count. */
export function readKeyFile(path: string): KeyFileRead {
  let file: number;
  try {
    // Opening a pipe would wait for its other end.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return { ok: false, problem: `cannot be read (${codeOf(error)})` };
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return { ok: false, problem: "is not a file" };
    if (stat.size > MOST_BYTES) return { ok: false, problem: "is larger than 64 KiB, so it is no key" };
    const bytes = new Uint8Array(MOST_BYTES);
    const key = new TextDecoder().decode(bytes.subarray(0, readSync(file, bytes))).trim();
    if (key === "") return { ok: false, problem: "is empty" };
    if (/[\p{Cc}\u2028\u2029]/u.test(key)) return { ok: false, problem: "holds more than one line" };
    return { ok: true, key, isOpenToOthers: (stat.mode & 0o044) !== 0 };
  } catch (error) {
    return { ok: false, problem: `cannot be read (${codeOf(error)})` };
  } finally {
    closeSync(file);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}

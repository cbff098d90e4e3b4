import { mkdirSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../errors.ts";
import { storing } from "../stored-files/incoming.ts";
import type { Reservation } from "../stored-files/space.ts";

/** A file of a model's folder: letters, digits and a few signs in each part, so that it cannot lead elsewhere. */
const PART = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const MOST_PARTS = 3;
/** What is read as one text. */
const TEXT_FILE = /\.(json|txt|md)$/i;
const MOST_TEXT_BYTES = 64 * 1024 * 1024;

/** Why a path is none in a model's folder; null where it is. */
export function pathProblem(path: string): string | null {
  const parts = path.split("/");
  if (parts.length > MOST_PARTS) return "it lies too deep";
  if (parts.every((part) => PART.test(part))) return null;
  return "it must be a path in the folder, of letters, digits, '.', '_' and '-'";
}

/** Files of a folder as they come, one after the other. */
export class IncomingFolder {
  readonly #directory: string;
  readonly #room: Reservation;
  #file: FileHandle | null = null;
  #name = "";
  #ofFile = 0;
  #bytes = 0;

  constructor(directory: string, room: Reservation) {
    this.#directory = directory;
    this.#room = room;
  }

  /** @throws AppError `invalid_value` for a path that leads elsewhere, or came before. */
  async begin(name: string): Promise<void> {
    await this.close();
    const problem = pathProblem(name);
    if (problem !== null) throw invalidPath(name, problem);
    const path = join(this.#directory, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#file = await open(path, "wx", 0o600).catch((cause: unknown) => {
      const { code } = cause as { code?: unknown };
      throw code === "EEXIST" || code === "EISDIR" ? invalidPath(name, "it came before") : cause;
    });
    [this.#name, this.#ofFile] = [name, 0];
  }

  /** @throws AppError `payload_too_large`, `insufficient_storage` */
  async write(chunk: Uint8Array): Promise<void> {
    this.#ofFile += chunk.byteLength;
    if (TEXT_FILE.test(this.#name) && this.#ofFile > MOST_TEXT_BYTES)
      throw new AppError("payload_too_large", `The file '${this.#name}' is too large for one that is read as text.`, {
        param: "files",
      });
    await this.#room.grow(this.#bytes + chunk.byteLength);
    await storing(this.#file?.writeFile(chunk) ?? Promise.resolve());
    this.#bytes += chunk.byteLength;
    this.#room.wrote(this.#bytes);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }
}

function invalidPath(name: string, problem: string): AppError {
  const shown = JSON.stringify(name.slice(0, 200));
  return new AppError("invalid_value", `Invalid file name ${shown} in 'files': ${problem}.`, { param: "files" });
}

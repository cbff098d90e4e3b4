/**
 * What the pieces of a storm of kills came to. One that was broken off goes on with the next call: the kills of an
 * executable add up, and so do its wrong answers.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { LECTERN } from "../helpers/server.ts";

interface Piece {
  seed: number;
  /** SHA-256 of what was killed. */
  of: string;
  kills: number;
  wrong: readonly string[];
}

export class StormRecord {
  readonly #path: string;
  readonly #of: string;
  readonly #before: readonly Piece[];

  private constructor(path: string, of: string) {
    this.#path = path;
    this.#of = of;
    // Written by `keep` alone.
    this.#before = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Piece[]) : [];
  }

  static async open(path: string): Promise<StormRecord> {
    const hash = new Bun.CryptoHasher("sha256");
    for await (const bytes of Bun.file(LECTERN.at(-1) ?? "").stream()) hash.update(bytes);
    return new StormRecord(path, hash.digest("hex"));
  }

  /** Of earlier pieces of the same executable. */
  get before(): { kills: number; wrong: number } {
    const same = this.#before.filter(({ of }) => of === this.#of);
    const sum = (count: (piece: Piece) => number) => same.reduce((total, piece) => total + count(piece), 0);
    return { kills: sum(({ kills }) => kills), wrong: sum(({ wrong }) => wrong.length) };
  }

  /** The piece under way, as far as it has come. */
  keep(piece: Omit<Piece, "of">): void {
    writeFileSync(`${this.#path}.new`, JSON.stringify([...this.#before, { ...piece, of: this.#of }], null, 1));
    renameSync(`${this.#path}.new`, this.#path);
  }
}

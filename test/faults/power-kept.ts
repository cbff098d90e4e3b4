/**
 * What a long run of power cuts keeps in a folder: the record that the states are built from, and a line of JSON for each
 * state that was looked at. Both count for the executable that the record was made with alone.
 */
import { deserialize, serialize } from "bun:jsc";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Known } from "./desk.ts";
import type { Session } from "./power.ts";
import { readRecords } from "./record.ts";
import { digestOfLectern } from "./results.ts";

export interface TriedState {
  pass: number;
  point: number;
  /** A digest of what was left on the disk, and of what the client knew. */
  state: string;
  problems: readonly string[];
}

type Place = Pick<TriedState, "pass" | "point">;
const placeOf = ({ pass, point }: Place) => `${pass} ${point}`;
const STATES = "states.jsonl";

export class States {
  readonly tried: TriedState[] = [];
  readonly seen = new Set<string>();
  readonly #places = new Set<string>();
  readonly #path: string | null;

  /** Without a folder nothing is kept. */
  constructor(folder: string | undefined) {
    this.#path = folder === undefined ? null : join(folder, STATES);
    if (this.#path === null || !existsSync(this.#path)) return;
    for (const line of readFileSync(this.#path, "utf8").split("\n").filter(Boolean)) {
      const state = JSON.parse(line) as TriedState;
      this.tried.push(state);
      this.#note(state);
    }
  }

  has(place: Place): boolean {
    return this.#places.has(placeOf(place));
  }

  keep(state: TriedState): TriedState {
    this.#note(state);
    if (this.#path !== null) appendFileSync(this.#path, `${JSON.stringify(state)}\n`);
    return state;
  }

  #note(state: TriedState): void {
    this.#places.add(placeOf(state));
    this.seen.add(state.state);
  }
}

/** Null where there is none of this executable. */
export function keptSession(folder: string): Session | null {
  const of = join(folder, "of");
  if (!existsSync(of) || readFileSync(of, "utf8") !== digestOfLectern()) return null;
  const recorded = readFileSync(join(folder, "record"));
  const told = deserialize(readFileSync(join(folder, "told"))) as Known[];
  return { base: join(folder, "base"), recorded, records: readRecords(recorded), told, [Symbol.dispose]: () => {} };
}

/** In place of what was kept before, its states included. */
export function keepSession(folder: string, { base, recorded, told }: Session): void {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  cpSync(base, join(partial, "base"), { recursive: true });
  writeFileSync(join(partial, "record"), recorded);
  writeFileSync(join(partial, "told"), new Uint8Array(serialize(told)));
  writeFileSync(join(partial, "of"), digestOfLectern());
  rmSync(folder, { recursive: true, force: true });
  renameSync(partial, folder);
}

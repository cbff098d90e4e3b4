/** Records every kind of write, then cuts the power at every point of it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { seededRandom, type SeededRandom } from "../helpers/random.ts";
import { Desk, Finding, type Known } from "./desk.ts";
import { type Cut, CUTS, Disk, LEFT_OUT } from "./disk.ts";
import { problemsOf } from "./kept.ts";
import { keepSession, keptSession, States, type TriedState } from "./power-kept.ts";
import { type DiskRecord, readRecords } from "./record.ts";
import { type Script, SCRIPTS } from "./scripts.ts";

export interface PowerOptions {
  states: number;
  seed: number;
  scripts?: readonly string[] | undefined;
  /** First a sync of the database's log fails, and the server is started again. */
  afterFailedSync?: boolean;
  /** Told after each time from the first record to the last. */
  onPass?: (result: PowerResult) => void;
  /** Where record and states are kept, so that they can be broken off and gone on with; nowhere unless given. */
  keepIn?: string | undefined;
  /** Whether to break off before the next state. */
  isOver?: () => boolean;
  /** As if these had not been made: for tests of this test. */
  without?: (record: DiskRecord) => boolean;
}

export interface PowerResult {
  states: number;
  distinct: number;
  points: number;
  records: number;
  problems: Map<string, { count: number; example: string }>;
}

export interface Session extends Disposable {
  /** The disk before the first record. */
  base: string;
  /** The records as the tracer wrote them. */
  recorded: Uint8Array;
  records: DiskRecord[];
  /** By mark. */
  told: Known[];
}

/** Where states are laid out: in memory if there is such a place. */
const SCRATCH = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export async function cutPower(options: PowerOptions): Promise<PowerResult> {
  const { without, keepIn } = options;
  using session = await sessionOf(options);
  const records = without === undefined ? session.records : session.records.filter((record) => !without(record));
  const scratch = mkdtempSync(join(SCRATCH, "lectern-power-"));
  try {
    return await new PowerCuts({ ...session, records }, scratch, new States(keepIn)).run(options);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The one that was kept, if the same executable made it. */
async function sessionOf(options: PowerOptions): Promise<Session> {
  const { keepIn } = options;
  const kept = keepIn === undefined ? null : keptSession(keepIn);
  if (kept !== null) return kept;
  const session = await recordSession(options);
  if (keepIn !== undefined) keepSession(keepIn, session);
  return session;
}

class PowerCuts {
  readonly #session: Pick<Session, "base" | "records" | "told">;
  readonly #scratch: string;
  readonly #states: States;
  readonly #result: PowerResult;

  constructor(session: Pick<Session, "base" | "records" | "told">, scratch: string, states: States) {
    this.#session = session;
    this.#scratch = scratch;
    this.#states = states;
    const records = session.records.length;
    this.#result = { states: 0, distinct: 0, points: countPoints(session), records, problems: new Map() };
    for (const tried of states.tried) this.#count(tried);
  }

  /** Again and again from the first record to the last, at each point in another way. */
  async run(options: PowerOptions): Promise<PowerResult> {
    const { states, onPass, isOver } = options;
    const result = this.#result;
    for (let pass = 0; ; pass++) {
      // What is left over is a pass of which only a part is wanted.
      const chance = Math.min(1, states / result.points - pass);
      if (chance <= 0 || isOver?.() === true) break;
      await this.#pass(pass, chance, options);
      onPass?.(result);
    }
    return result;
  }

  async #pass(pass: number, chance: number, { seed, isOver }: PowerOptions): Promise<void> {
    const { base, records } = this.#session;
    const disk = Disk.from(base);
    let point = 0;
    for (const [i, record] of records.entries()) {
      // Only where something changed is a point.
      if (!disk.apply(record)) continue;
      const cut = CUTS[(point + pass) % CUTS.length] ?? "all lost";
      const place = { pass, point: point++ };
      // Of each state its own, so that a run that goes on comes to the same.
      const random = seededRandom(Bun.hash.xxHash32(`${seed} ${place.pass} ${place.point}`));
      if (random() >= chance || this.#states.has(place)) continue;
      if (isOver?.() === true) return;
      const state = `${this.#layOut(disk, cut, random)} ${record.mark}`;
      this.#count(this.#states.keep({ ...place, state, problems: await this.#look(state, cut, { i, record }) }));
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  get #folder(): string {
    return join(this.#scratch, "state");
  }

  #layOut(disk: Disk, cut: Cut, random: SeededRandom): string {
    mkdirSync(this.#folder);
    return disk.cut(this.#folder, cut, random);
  }

  /** What is wrong, each with an example of where. */
  async #look(state: string, cut: Cut, { i, record }: { i: number; record: DiskRecord }): Promise<string[]> {
    const known = this.#session.told[record.mark];
    if (known === undefined) throw new Error(`no client knows of mark ${record.mark}`);
    // The same is not looked at twice, unless the client knows more.
    if (this.#states.seen.has(state)) return [];
    const found = await problemsOf(join(this.#folder, "data"), known);
    return found.map((problem) => `${cut} after record ${i} (${record.kind} ${record.path}): ${problem}`);
  }

  #count({ problems: found }: TriedState): void {
    const result = this.#result;
    result.states++;
    result.distinct = this.#states.seen.size;
    for (const example of found) {
      const problem = example.slice(example.indexOf("): ") + 3);
      const kind = problem.replaceAll(/\b[a-z_]+[-_][A-Za-z0-9]{12,}\b/g, "…").replaceAll(/\d+/g, "n");
      const before = result.problems.get(kind);
      result.problems.set(kind, { count: (before?.count ?? 0) + 1, example: before?.example ?? example });
    }
  }
}

function countPoints({ base, records }: Pick<Session, "base" | "records">): number {
  const disk = Disk.from(base);
  return records.filter((record) => disk.apply(record)).length;
}

/** Each script twice, so that the second meets what the first left. */
async function recordSession({ scripts: names, afterFailedSync }: PowerOptions): Promise<Session> {
  const desk = await Desk.open();
  const base = mkdtempSync(join(SCRATCH, "lectern-base-"));
  const told: Known[] = [];
  const scripts = SCRIPTS.filter(({ name }) => names?.includes(name) !== false);
  desk.onKnown = (known) => {
    told.push(structuredClone(known));
    desk.control.mark(told.length - 1);
  };
  try {
    await desk.start();
    for (const script of scripts) await script.ready?.(desk);
    await desk.server.stop();
    desk.note(() => {});
    cpSync(desk.root, base, { recursive: true, filter: (path) => !LEFT_OUT.test(relative(desk.root, path)) });
    desk.record = `${desk.control.path}.record`;
    await desk.start();
    if (afterFailedSync === true) await failSync(desk);
    for (const script of scripts) for (let turn = 0; turn < 2; turn++) await perform(desk, script);
    await desk.server.stop();
    if (desk.control.unknown !== null) throw new Finding(`a way to write that is not known: ${desk.control.unknown}`);
    const recorded = readFileSync(desk.record);
    return {
      base,
      recorded,
      records: readRecords(recorded),
      told,
      [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
    };
  } finally {
    await desk[Symbol.asyncDispose]();
  }
}

async function perform(desk: Desk, script: Script): Promise<void> {
  const subjects = await script.prepare(desk);
  const answer = await script.run(desk, subjects);
  if (!answer.ok) throw new Finding(`without a fault, ${script.name}: ${answer.status} ${answer.message}`);
  await script.settle?.(desk, subjects);
}

/** Work that waits for no disk stands in the log when a sync of it fails: the system shows it, the disk does not have it. */
async function failSync(desk: Desk): Promise<void> {
  const [attach, upload] = ["attach", "upload"].map((name) => SCRIPTS.find((script) => script.name === name));
  if (attach === undefined || upload === undefined) throw new Error("there is no such script");
  await perform(desk, attach);
  desk.control.arm({ kind: "sync", action: "EIO", nth: 1, on: "meta.sqlite-wal" });
  const answer = await upload.run(desk, []);
  if (answer.ok || desk.control.disarm() !== 1) throw new Finding("the sync did not fail");
  await desk.restart();
}

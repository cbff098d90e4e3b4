/** Records every kind of write, then cuts the power at every point of it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { seededRandom } from "../helpers/random.ts";
import { Desk, Finding, type Known } from "./desk.ts";
import { CUTS, Disk, LEFT_OUT } from "./disk.ts";
import { problemsOf } from "./kept.ts";
import { type DiskRecord, readRecords } from "./record.ts";
import { type Script, SCRIPTS } from "./scripts.ts";

export interface PowerOptions {
  states: number;
  seed: number;
  scripts?: readonly string[] | undefined;
  /** First a sync of the database's log fails, and the server is started again. */
  afterFailedSync?: boolean;
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

interface Session extends Disposable {
  /** The disk before the first record. */
  base: string;
  records: DiskRecord[];
  /** By mark. */
  told: Known[];
}

/** Where states are laid out: in memory if there is such a place. */
const SCRATCH = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export async function cutPower(options: PowerOptions): Promise<PowerResult> {
  using session = await recordSession(options);
  const { told, base } = session;
  const { without } = options;
  const records = without === undefined ? session.records : session.records.filter((record) => !without(record));
  const random = seededRandom(options.seed);
  const problems: PowerResult["problems"] = new Map();
  const seen = new Set<string>();
  const disk = Disk.from(base);
  // Only points at which something changed are points.
  const points = countPoints(base, records);
  const perPoint = Math.max(1, Math.ceil(options.states / points));
  const chance = Math.min(1, options.states / points);
  const result = { states: 0, distinct: 0, points: 0, records: records.length, problems };
  const scratch = mkdtempSync(join(SCRATCH, "lectern-power-"));
  try {
    for (const [i, record] of records.entries()) {
      if (!disk.apply(record) || random() >= chance) continue;
      result.points++;
      const known = told[record.mark];
      if (known === undefined) throw new Error(`no client knows of mark ${record.mark}`);
      for (let n = 0; n < perPoint; n++) {
        const cut = CUTS[(result.points + n) % CUTS.length] ?? "all lost";
        result.states++;
        const folder = join(scratch, "state");
        mkdirSync(folder);
        const digest = disk.cut(folder, cut, random);
        // The same is not looked at twice, unless the client knows more.
        const state = `${digest} ${record.mark}`;
        if (seen.has(state)) {
          rmSync(folder, { recursive: true, force: true });
          continue;
        }
        seen.add(state);
        const found = await problemsOf(join(folder, "data"), known);
        for (const problem of found) {
          const kind = problem.replaceAll(/\b[a-z_]+[-_][A-Za-z0-9]{12,}\b/g, "…").replaceAll(/\d+/g, "n");
          const before = problems.get(kind);
          const example = `${cut} after record ${i} (${record.kind} ${record.path}): ${problem}`;
          problems.set(kind, { count: (before?.count ?? 0) + 1, example: before?.example ?? example });
        }
        rmSync(folder, { recursive: true, force: true });
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  result.distinct = seen.size;
  return result;
}

function countPoints(base: string, records: readonly DiskRecord[]): number {
  const disk = Disk.from(base);
  return records.filter((record) => disk.apply(record)).length;
}

/** Each script twice, so that the second meets what the first left. */
async function recordSession({ scripts: names, afterFailedSync }: PowerOptions): Promise<Session> {
  const desk = await Desk.open();
  const base = mkdtempSync(join(SCRATCH, "lectern-base-"));
  const told: Known[] = [];
  desk.onKnown = (known) => {
    told.push(structuredClone(known));
    desk.control.mark(told.length - 1);
  };
  try {
    desk.note(() => {});
    cpSync(desk.root, base, { recursive: true, filter: (path) => !LEFT_OUT.test(relative(desk.root, path)) });
    desk.record = `${desk.control.path}.record`;
    await desk.start();
    if (afterFailedSync === true) await failSync(desk);
    for (const script of SCRIPTS)
      if (names?.includes(script.name) !== false) for (let turn = 0; turn < 2; turn++) await perform(desk, script);
    await desk.server.stop();
    if (desk.control.unknown !== null) throw new Finding(`a way to write that is not known: ${desk.control.unknown}`);
    const records = readRecords(desk.record);
    return { base, records, told, [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }) };
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

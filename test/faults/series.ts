/**
 * One call after the other fails: the client is told the truth, what was acknowledged stays, the same is asked for again
 * and done.
 */
import { messageOf } from "../../src/errors.ts";
import { Desk, Finding } from "./desk.ts";
import type { Script } from "./scripts.ts";
import type { Action, Fault, Kind } from "./tracer.ts";

/** What a disk, or a process that has used up what it may, says to each kind of call. */
export const ERRORS: Partial<Record<Kind, readonly Action[]>> = {
  write: ["EIO", "ENOSPC", "EDQUOT", "short"],
  sync: ["EIO", "ENOSPC", "EDQUOT"],
  rename: ["EIO", "ENOSPC", "EDQUOT"],
  open: ["EMFILE", "ENOSPC", "EIO", "ENFILE", "EACCES", "EDQUOT"],
  truncate: ["EIO", "ENOSPC", "EDQUOT"],
  unlink: ["EIO"],
  mkdir: ["ENOSPC", "EIO", "EDQUOT"],
  link: ["EIO"],
  copy: ["EIO", "ENOSPC", "EDQUOT", "short"],
  mmap: ["ENOMEM", "EIO"],
  // A file system on another machine says so when the file is closed.
  close: ["EIO", "ENOSPC", "EDQUOT"],
};

export interface Tally {
  script: string;
  kind: Kind;
  action: Action;
  /** Calls that failed, each once. */
  failed: number;
  refused: number;
  /** Starts that a failed sync, or a process that ended, made necessary. */
  stopped: number;
  findings: string[];
  /** The call in turn, where it was broken off. */
  next?: number | undefined;
}

/** How many faults one life of the server sees before it is killed and everything is looked at. */
const FAULTS_OF_A_LIFE = 24;

export interface SeriesOptions {
  script: Script;
  kind: Kind;
  action: Action;
  /** Which calls, at most; all unless given. */
  most?: number;
  /** Of these the first to fail, and every how many-th. */
  from?: number;
  step?: number;
  /** What an earlier run of the same series came to. */
  before?: Tally | undefined;
  /** Whether to break off before the next call. */
  isOver?: () => boolean;
  /** Told after each look at everything, with what was tried by then; the last time perhaps after the series. */
  onChecked?: (tally: Tally) => void;
  onFinding?: (finding: string) => void;
}

/** A server from a start to the look at everything after the next: what was tried meanwhile counts from then on. */
class Life {
  readonly desk: Desk;
  #faults = 0;
  readonly #unchecked = new Map<Tally, (tally: Tally) => void>();

  private constructor(desk: Desk) {
    this.desk = desk;
  }

  static async begin(): Promise<Life> {
    const desk = await Desk.open();
    await desk.start();
    return new Life(desk);
  }

  /** A call of this series failed. `onChecked` is told what the series came to by the look, which may be later than its end. */
  async failed(tally: Tally, onChecked: (tally: Tally) => void): Promise<void> {
    this.#unchecked.set(tally, onChecked);
    if (++this.#faults >= FAULTS_OF_A_LIFE) await this.check();
  }

  async check(): Promise<void> {
    if (this.#faults === 0) return;
    await this.desk.restart();
    await this.desk.check();
    for (const [tally, onChecked] of this.#unchecked) onChecked({ ...tally });
    this.#unchecked.clear();
    this.#faults = 0;
  }

  /** Whether the series waits for a look. */
  owes(tally: Tally): boolean {
    return this.#unchecked.has(tally);
  }

  async end(): Promise<void> {
    await this.desk[Symbol.asyncDispose]();
  }
}

/** The one that the last series left. */
let spare: Life | null = null;

/** At the end of all series: the last look. What it found, or null. */
export async function closeSpare(): Promise<string | null> {
  const life = spare;
  spare = null;
  if (life === null) return null;
  try {
    await life.check();
    return null;
  } catch (error) {
    return `at the end: ${messageOf(error)}\n${lastLines(life.desk)}`;
  } finally {
    await life.end();
  }
}

export async function series(options: SeriesOptions): Promise<Tally> {
  const { script, kind, action, most = Infinity, from = 1, step = 1, onChecked = () => {} } = options;
  const none: Tally = { script: script.name, kind, action, failed: 0, refused: 0, stopped: 0, findings: [] };
  const tally: Tally = { ...none, ...options.before };
  const find = (finding: string) => {
    tally.findings.push(finding);
    options.onFinding?.(finding);
  };
  let life = spare ?? (await Life.begin());
  spare = null;
  for (tally.next = from; tally.next !== undefined && tally.findings.length < 5;) {
    if (options.isOver?.() === true) break;
    const fault: Fault = { kind, action, nth: tally.next };
    try {
      const struck = tally.failed < most ? await once(life.desk, script, fault, tally) : null;
      tally.next = struck === null ? undefined : tally.next + step;
      if (struck === null) break;
      tally.failed++;
      await life.failed(tally, onChecked);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      tally.failed++;
      tally.next = fault.nth + step;
      const where = `${script.name}, ${kind} ${fault.nth} ${action} (${life.desk.control.struck})`;
      find(`${where}: ${messageOf(error)}\n${lastLines(life.desk)}`);
      // A state that is not understood is left behind.
      await life.end();
      life = await Life.begin();
    }
  }
  const { unknown } = life.desk.control;
  if (unknown !== null) find(`unknown: ${unknown}`);
  if (!life.owes(tally)) onChecked({ ...tally });
  if (unknown === null) spare = life;
  else await life.end();
  return tally;
}

/** Each of the faults once, on one server; what was found. */
export async function sample(faults: readonly { script: Script; fault: Fault }[]): Promise<Tally> {
  const tally: Tally = { script: "all", kind: "write", action: "EIO", failed: 0, refused: 0, stopped: 0, findings: [] };
  await using desk = await Desk.open();
  await desk.start();
  for (const { script, fault } of faults) {
    try {
      if ((await once(desk, script, fault, tally)) !== null) tally.failed++;
    } catch (error) {
      const { kind, nth, action } = fault;
      tally.findings.push(`${script.name}, ${kind} ${nth} ${action} (${desk.control.struck}): ${messageOf(error)}`);
      if (!desk.isRunning) await desk.restart();
    }
  }
  await desk.restart();
  await desk.check();
  return tally;
}

/** One fault; null where there are fewer calls than that. */
async function once(desk: Desk, script: Script, fault: Fault, tally: Tally): Promise<string | null> {
  const subjects = await script.prepare(desk);
  desk.control.arm(fault);
  const answer = await script.run(desk, subjects);
  if (answer.ok) await script.settle?.(desk, subjects);
  const hits = desk.control.disarm();
  if (hits === 0 && answer.ok) return null;
  if (hits === 0 && !answer.ok) throw new Finding(`refused without a fault: ${answer.status} ${answer.message}`);
  if (!answer.ok) tally.refused++;
  const unready = desk.isRunning ? await desk.unready() : "the process has ended";
  if (unready !== null) {
    tally.stopped++;
    if (fault.kind !== "sync") throw new Finding(`not ready after it: ${unready}`);
    await desk.restart();
    await desk.check();
  }
  desk.moveClock();
  if (!answer.ok) {
    const again = await script.run(desk, subjects);
    // Refused, and done all the same, as far as the client can tell.
    const isDone = !again.ok && (again.status === 404 || again.status === 409);
    if (!again.ok && !isDone) throw new Finding(`again: ${again.status} ${again.message}`);
  }
  await script.settle?.(desk, subjects);
  return desk.control.struck;
}

function lastLines(desk: Desk): string {
  return desk.server
    .log()
    .split("\n")
    .filter((line) => !line.includes('"level":"info"') || line.includes("error"))
    .slice(-6)
    .map((line) => `      ${line.slice(0, 400)}`)
    .join("\n");
}

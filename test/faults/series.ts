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
  write: ["EIO", "ENOSPC", "short", "EDQUOT"],
  sync: ["EIO", "ENOSPC", "EDQUOT"],
  rename: ["EIO", "ENOSPC", "EDQUOT"],
  open: ["EMFILE", "ENOSPC", "EIO", "ENFILE", "EACCES", "EDQUOT"],
  truncate: ["EIO", "ENOSPC", "EDQUOT"],
  unlink: ["EIO"],
  mkdir: ["ENOSPC", "EIO", "EDQUOT"],
  link: ["EIO"],
  mmap: ["ENOMEM", "EIO"],
  close: ["EIO"],
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
  /** Told after each look at everything, with what was tried by then and the next call in turn. */
  onChecked?: (tally: Tally, next: number) => void;
  onFinding?: (finding: string) => void;
}

/** The one that the last series left, as good as new. */
let spare: Desk | null = null;

async function newDesk(): Promise<Desk> {
  const desk = await Desk.open();
  await desk.start();
  return desk;
}

/** At the end of all series. */
export async function closeSpare(): Promise<void> {
  await spare?.[Symbol.asyncDispose]();
  spare = null;
}

export async function series(options: SeriesOptions): Promise<Tally> {
  const { script, kind, action, most = Infinity, from = 1, step = 1 } = options;
  const none: Tally = { script: script.name, kind, action, failed: 0, refused: 0, stopped: 0, findings: [] };
  const tally = { ...none, ...options.before };
  let desk = spare ?? (await newDesk());
  spare = null;
  try {
    for (let nth = from; tally.failed < most; nth += step) {
      const fault: Fault = { kind, action, nth };
      let struck: string | null = null;
      try {
        struck = await once(desk, script, fault, tally);
        if (struck === null) break;
        tally.failed++;
        if (tally.failed % FAULTS_OF_A_LIFE === 0) {
          await desk.restart();
          await desk.check();
          options.onChecked?.(tally, nth + step);
        }
      } catch (error) {
        if (!(error instanceof Finding) && !(error instanceof Error)) throw error;
        tally.failed++;
        const where = `${script.name}, ${kind} ${nth} ${action} (${desk.control.struck})`;
        tally.findings.push(`${where}: ${messageOf(error)}\n${lastLines(desk)}`);
        options.onFinding?.(tally.findings.at(-1) ?? "");
        if (tally.findings.length >= 5) break;
        // A state that is not understood is left behind.
        await desk[Symbol.asyncDispose]();
        desk = await newDesk();
      }
    }
    if (tally.failed % FAULTS_OF_A_LIFE !== 0) {
      await desk.restart();
      await desk.check();
    }
  } catch (error) {
    tally.findings.push(`${script.name}, ${kind} ${action}, at the end: ${messageOf(error)}\n${lastLines(desk)}`);
    options.onFinding?.(tally.findings.at(-1) ?? "");
  } finally {
    if (desk.control.unknown !== null) {
      tally.findings.push(`unknown: ${desk.control.unknown}`);
      options.onFinding?.(tally.findings.at(-1) ?? "");
    }
    if (tally.findings.length === 0) spare = desk;
    else await desk[Symbol.asyncDispose]();
  }
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

/** The same for what is over when the command is: a start, a backup into a file, a restore from one. */
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { LECTERN, plainEnv, startServer, TEST_KEY } from "../helpers/server.ts";
import { Desk, Finding } from "./desk.ts";
import { LEFT_OUT } from "./disk.ts";
import { problemsOf } from "./kept.ts";
import { SCRIPTS } from "./scripts.ts";
import type { SeriesOptions, Tally } from "./series.ts";
import { type Fault, startTraced, traced } from "./tracer.ts";

export const VERBS = ["start", "backup", "restore"] as const;
type Verb = (typeof VERBS)[number];
/** Of restores, how many are looked at by the server's code without a server for each with one. */
const SERVED_EVERY = 12;

/** Of those that failed, after how many the command is given once more without a fault. */
const AGAIN_EVERY = 4;

interface Ended {
  ok: boolean;
  said: string;
}

/** A desk with something in it, whose server is not traced: the command beside it is. */
class Bench implements AsyncDisposable {
  readonly desk: Desk;
  readonly archive: string;
  readonly copy: string;
  /** Of the archive that restores read. */
  #archived = "";
  #restored = 0;

  private constructor(desk: Desk) {
    this.desk = desk;
    this.archive = join(desk.root, "kept", "backup.tar");
    this.copy = join(desk.root, "kept", "restored");
  }

  static async open(verb: Verb): Promise<Bench> {
    const bench = new Bench(await Desk.open());
    const { desk } = bench;
    cpSync(join(desk.root, "data/tried-models.json"), join(desk.root, "kept/.keep"), { recursive: true });
    // Of a large file it is always the same call: what an archive holds is the database and the bytes of uploads.
    if (verb !== "start") rmSync(join(desk.dataDir, "models"), { recursive: true });
    desk.server = await startServer({ dataDir: desk.dataDir, args: desk.args });
    for (const name of ["attach", "insert", "key"]) {
      const script = SCRIPTS.find((one) => one.name === name);
      const subjects = (await script?.prepare(desk)) ?? [];
      await script?.run(desk, subjects);
      await script?.settle?.(desk, subjects);
    }
    if (verb === "restore" && !(await bench.backup(null)).ok) throw new Finding("no backup could be taken");
    if (verb === "restore") bench.#archived = digestOf(bench.archive);
    if (verb !== "backup") await desk.server.stop();
    return bench;
  }

  /** The command, with a fault or without. */
  async run(verb: Verb, fault: Fault | null): Promise<Ended> {
    return await this[verb](fault);
  }

  async start(fault: Fault | null): Promise<Ended> {
    const { desk } = this;
    if (fault !== null) desk.control.arm(fault);
    try {
      const { control, root, dataDir, args } = desk;
      desk.server = await startTraced({ control, root }, { dataDir, args });
    } catch (error) {
      await this.#assertKept();
      return { ok: false, said: messageOf(error) };
    }
    desk.control.disarm();
    if (await desk.unready()) return { ok: false, said: "started, and not ready" };
    await desk.check();
    await desk.server.stop();
    return { ok: true, said: "" };
  }

  /** What a start that failed leaves still holds everything; looked at in a copy, so that the next start meets it as it is. */
  async #assertKept(): Promise<void> {
    const { desk, copy } = this;
    rmSync(copy, { recursive: true, force: true });
    cpSync(desk.dataDir, copy, {
      recursive: true,
      filter: (path) => !LEFT_OUT.test(join("data", relative(desk.dataDir, path))),
    });
    const problems = await problemsOf(copy, desk.known);
    if (problems.length > 0) throw new Finding(`what the start left: ${problems.join("; ")}`);
  }

  async backup(fault: Fault | null): Promise<Ended> {
    rmSync(this.archive, { force: true });
    const { url } = this.desk.server;
    const ended = await this.#command(["backup", this.archive, "--url", url], fault);
    // Where only its name could not be made durable, it is there.
    if ((ended.ok || existsSync(this.archive)) && !(await this.#command(["restore", this.archive, "--check"], null)).ok)
      throw new Finding("a backup that is there is not whole");
    return ended;
  }

  async restore(fault: Fault | null): Promise<Ended> {
    rmSync(this.copy, { recursive: true, force: true });
    const ended = await this.#command(["restore", this.archive, "--data", this.copy], fault);
    if (!ended.ok && existsSync(join(this.copy, "meta.sqlite"))) throw new Finding("a restore that failed is there");
    if (!ended.ok) return ended;
    if (digestOf(this.archive) !== this.#archived) throw new Finding("the backup is not what it was");
    if (this.#restored++ % SERVED_EVERY === 0) {
      await using server = await startServer({ dataDir: this.copy, args: this.desk.args });
      this.desk.server = server;
      await this.desk.check();
    }
    const problems = await problemsOf(this.copy, this.desk.known);
    if (problems.length > 0) throw new Finding(`what was restored: ${problems.join("; ")}`);
    return ended;
  }

  async #command(args: readonly string[], fault: Fault | null): Promise<Ended> {
    const { control, root } = this.desk;
    if (fault !== null) control.arm(fault);
    const child = Bun.spawn(traced({ control, root }, [...LECTERN, ...args]), {
      cwd: join(root, ".."),
      env: plainEnv({ LECTERN_API_KEY: TEST_KEY }),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    // What looks at the outcome is not to meet it.
    if (fault !== null) control.disarm();
    return { ok: status === 0, said: out + err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.desk.server[Symbol.asyncDispose]();
    await this.desk[Symbol.asyncDispose]();
  }
}

const digestOf = (path: string) => new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");

/** Those that the last series left as they were. */
const spare = new Map<Verb, Bench>();

/** At the end of all series. */
export async function closeBenches(): Promise<void> {
  for (const bench of spare.values()) await bench[Symbol.asyncDispose]();
  spare.clear();
}

export async function verbSeries(verb: Verb, options: Omit<SeriesOptions, "script">): Promise<Tally> {
  const { kind, action, most = Infinity, from = 1, step = 1 } = options;
  const none: Tally = { script: verb, kind, action, failed: 0, refused: 0, stopped: 0, findings: [] };
  const tally: Tally = { ...none, ...options.before, next: undefined };
  const bench = spare.get(verb) ?? (await Bench.open(verb));
  spare.delete(verb);
  const { control } = bench.desk;
  for (let nth = from; tally.failed < most && tally.findings.length < 5; nth += step) {
    if (options.isOver?.() === true) {
      tally.next = nth;
      break;
    }
    options.onChecked?.({ ...tally, next: nth });
    try {
      const ended = await bench.run(verb, { kind, action, nth });
      const struck = control.disarm() > 0;
      if (!struck && ended.ok) break;
      if (!struck) throw new Finding(`without a fault: ${ended.said}`);
      tally.failed++;
      if (ended.ok) continue;
      tally.refused++;
      if (!/^lectern: /m.test(ended.said) || /\n\s+at /.test(ended.said))
        throw new Finding(`it did not say why: ${ended.said}`);
      // The next one meets what a failed one left in any case; here it is to do it, too.
      if (tally.refused % AGAIN_EVERY !== 1) continue;
      const again = await bench.run(verb, null);
      if (!again.ok) throw new Finding(`again: ${again.said}`);
    } catch (error) {
      tally.failed++;
      tally.findings.push(`${verb}, ${kind} ${nth} ${action} (${control.struck}): ${messageOf(error)}`);
      options.onFinding?.(tally.findings.at(-1) ?? "");
    }
  }
  options.onChecked?.({ ...tally });
  if (tally.findings.length === 0) spare.set(verb, bench);
  else await bench[Symbol.asyncDispose]();
  return tally;
}

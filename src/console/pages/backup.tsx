import { useEffect, useRef, useState } from "preact/hooks";
import { download } from "../download.ts";
import { OPERATE } from "../operate-words.ts";
import { Failure } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { announce } from "../state/live.ts";
import { bytesText } from "../text/format.ts";
import { WORDS } from "../words.ts";

const WORD = OPERATE.health;

/** Of bytes that have come, a screen shows a few states a second. */
const SHOWN_EVERY_MS = 200;

/** A backup of everything into a file of this machine. */
export function BackupSection() {
  const { api } = useConsole();
  const [bytes, setBytes] = useState(0);
  const [state, setState] = useState<"idle" | "running" | "done">("idle");
  const [error, setError] = useState<Error | null>(null);
  const over = useRef<AbortController | null>(null);
  useEffect(() => () => over.current?.abort(), []);
  const start = async () => {
    const mine = new AbortController();
    over.current = mine;
    setState("running");
    setError(null);
    let shownAt = 0;
    let all = 0;
    const onBytes = (count: number) => {
      all = count;
      if (Date.now() - shownAt < SHOWN_EVERY_MS) return;
      shownAt = Date.now();
      setBytes(count);
    };
    setBytes(0);
    try {
      const day = new Date().toISOString().slice(0, 10);
      const asked = { path: "admin/backup", name: `lectern-backup-${day}.tar`, signal: mine.signal, onBytes };
      const isSaved = await download(api, asked);
      setBytes(all);
      setState(isSaved ? "done" : "idle");
      if (isSaved) announce(WORD.backupDone(bytesText(all)));
    } catch (thrown) {
      setState("idle");
      if (!mine.signal.aborted) setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
  };
  return (
    <section class="stack" aria-labelledby="backup">
      <h2 id="backup">{WORD.backup}</h2>
      <p>{WORD.backupHelp}</p>
      <div class="row">
        {state === "running" ? (
          <>
            <button type="button" onClick={() => over.current?.abort()}>
              {WORDS.cancel}
            </button>
            <span>{WORD.backupRunning(bytesText(bytes))}</span>
          </>
        ) : (
          <button type="button" onClick={() => void start()}>
            {WORD.backupNow}
          </button>
        )}
        {state === "done" && <span>{WORD.backupDone(bytesText(bytes))}</span>}
      </div>
      {error !== null && <Failure error={error} />}
    </section>
  );
}

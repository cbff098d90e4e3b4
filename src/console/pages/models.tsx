import { useState } from "preact/hooks";
import type { InstalledModel } from "../../api/models/schema.ts";
import { OPERATE } from "../operate-words.ts";
import { Failure, Load } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { AddFolder } from "./add-folder.tsx";
import { AddRemote } from "./add-remote.tsx";
import { ModelTable } from "./model-table.tsx";

const WORD = OPERATE.models;

/** The models of this server: where they run, who needs them, and what is wrong with those that cannot be used. */
export function ModelsPage() {
  const { api } = useConsole();
  const list = useLoad("admin/models", (signal) => api.get<{ data: InstalledModel[] }>("admin/models", signal));
  const [dialog, setDialog] = useState<"folder" | "remote" | null>(null);
  const [isLooking, setLooking] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const close = () => setDialog(null);
  const added = () => {
    close();
    list.reload();
  };
  const look = async () => {
    setLooking(true);
    setError(null);
    try {
      await api.send("POST", "admin/models/rescan");
      list.reload();
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setLooking(false);
  };
  return (
    <>
      <div class="row spread">
        <h1>{WORD.title}</h1>
        <div class="row">
          <button type="button" disabled={isLooking} onClick={() => void look()}>
            {WORD.again}
          </button>
          <button type="button" onClick={() => setDialog("remote")}>
            {WORD.addRemote}
          </button>
          <button type="button" class="primary" onClick={() => setDialog("folder")}>
            {WORD.addFolder}
          </button>
        </div>
      </div>
      {error !== null && <Failure error={error} />}
      <Load of={list}>
        {({ data }) => (data.length === 0 ? <p>{WORD.none}</p> : <ModelTable models={data} onChange={list.reload} />)}
      </Load>
      {dialog === "folder" && <AddFolder onClose={close} onDone={added} />}
      {dialog === "remote" && <AddRemote onClose={close} onDone={added} />}
    </>
  );
}

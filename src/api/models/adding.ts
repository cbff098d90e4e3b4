import { AppError } from "../../errors.ts";
import type { Caller } from "../../http/caller.ts";
import type { FolderAdder } from "../../models/folder-adder.ts";
import type { FoundModel } from "../../models/found-model.ts";
import type { RemoteModelTable } from "../../models/model-tables.ts";
import type { RemoteTrial } from "../../models/try-remote.ts";
import type { Space } from "../stored-files/space.ts";
import { IncomingFolder } from "./incoming-folder.ts";
import type { AddModelFields, AddRemoteModelBody, RemoteModelTrial } from "./schema.ts";

export interface AddingDeps {
  adder: FolderAdder;
  space: Pick<Space, "reserve">;
  found: () => FoundModel[];
  rescan: () => Promise<FoundModel[]>;
  tryRemote: (table: RemoteModelTable) => Promise<RemoteTrial>;
  rememberRemote: (table: RemoteModelTable) => boolean;
  forgetRemote: (id: string) => void;
}

/** A folder that is being sent; its files come in between. */
export interface FolderUpload {
  readonly files: IncomingFolder;
  readonly signal: AbortSignal;
  /** @throws AppError `invalid_value` where the folder cannot be used; then nothing of it is left. */
  finish(fields: AddModelFields): Promise<void>;
  end(): Promise<void>;
}

/** Puts models into the data directory, as `lectern models add` does on the server's machine. */
export interface AddingService {
  /** @throws AppError `overloaded` while another is being added, `insufficient_storage` */
  beginFolder(caller: Caller, bytes: number): Promise<FolderUpload>;
  /** @throws AppError `invalid_value` where the model does not answer. */
  addRemote(body: AddRemoteModelBody): Promise<RemoteModelTrial>;
}

export function addingService(deps: AddingDeps): AddingService {
  const { adder, space, found, rescan } = deps;

  function assertFree(id: string): void {
    if (adder.isTaken(id) || found().some((one) => one.id === id)) {
      const text = `There is a model '${id}' already: remove it first, or choose another name.`;
      throw new AppError("invalid_value", text, { param: "id" });
    }
  }

  /** After something was put where models are looked for: what is wrong with it. */
  async function problemsOf(id: string): Promise<readonly string[]> {
    return (await rescan()).find((one) => one.id === id)?.problems ?? ["the server does not find it"];
  }

  return {
    async beginFolder(caller, bytes) {
      const room = await space.reserve({ owner: caller, bytes, areNew: false });
      const folder = adder.begin();
      if (folder === null) {
        room.release();
        const text = "Another model is being added. Try again when it is done.";
        throw new AppError("overloaded", text, { retryAfterSeconds: 10 });
      }
      const files = new IncomingFolder(folder.partial, room);
      return {
        files,
        signal: room.signal,
        async finish({ id, variant, max_tokens: maxTokens, query_prefix, passage_prefix }) {
          await files.close();
          assertFree(id);
          const overrides = {
            ...(variant !== undefined && { variant }),
            ...(maxTokens !== undefined && { maxTokens: Number(maxTokens) }),
            ...(query_prefix !== undefined && { queryPrefix: query_prefix }),
            ...(passage_prefix !== undefined && { passagePrefix: passage_prefix }),
          };
          const problems = await folder.place(id, overrides);
          if (problems.length > 0) throw unusable("files", problems);
          const wrong = await problemsOf(id);
          if (wrong.length === 0) return;
          folder.undo(id);
          await rescan();
          throw unusable("files", wrong);
        },
        async end() {
          await files.close().catch(() => {});
          folder.end();
          room.release();
        },
      };
    },

    async addRemote({ dry_run: isDry, ...table }) {
      assertFree(table.id);
      const trial = await deps.tryRemote(table);
      if (!trial.ok) throw unusable("model", [trial.problem]);
      if (isDry !== true) {
        if (!deps.rememberRemote(trial.table)) assertFree(table.id);
        const wrong = await problemsOf(table.id);
        if (wrong.length > 0) {
          deps.forgetRemote(table.id);
          await rescan();
          throw unusable("model", wrong);
        }
      }
      return {
        id: table.id,
        object: "model.trial",
        added: isDry !== true,
        dimensions: trial.dimensions,
        max_tokens: trial.maxTokens,
        unrelated_cosine: trial.unrelated,
        latency_ms: Math.round(trial.latencyMs * 10) / 10,
      };
    },
  };
}

function unusable(param: string, problems: readonly string[]): AppError {
  return new AppError("invalid_value", `The model cannot be used: ${problems.join("; ")}.`, { param });
}

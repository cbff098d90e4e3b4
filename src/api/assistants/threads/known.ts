import type { Caller } from "../../../http/caller.ts";
import type { Storage } from "../../../storage/storage.ts";
import type { ThreadRow } from "../../../storage/threads.ts";
import { mayKnow, notFound } from "../access.ts";

/** Throws a 404 for a thread that the caller may not know of, too. */
export async function knownThread(
  { threads }: Pick<Storage, "threads">,
  caller: Caller,
  id: string,
): Promise<ThreadRow> {
  const row = await threads.get(caller.tenantId, id);
  if (row === null || !mayKnow(caller, row)) throw notFound("thread_not_found", id);
  return row;
}

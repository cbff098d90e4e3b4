import { AppError } from "../errors.ts";
import type { Cursor } from "./openai.ts";
import { shown } from "../platform/words.ts";

/**
 * A client's cursor as places in the list. `find` gives the place of an id, also of one that was removed since its
 * page was handed out. An id that never was is no cursor: a 400, whatever is listed; `kind` says in words what that is.
 */
export async function pageQuery<Place>(
  cursor: Cursor,
  find: (id: string) => Place | undefined | Promise<Place | undefined>,
  kind: string,
): Promise<{ limit: number; order: "asc" | "desc"; after: Place | undefined; before: Place | undefined }> {
  const place = async (param: "after" | "before"): Promise<Place | undefined> => {
    const id = cursor[param];
    if (id === null) return undefined;
    const seq = await find(id);
    if (seq === undefined) {
      const text = `Invalid '${param}': no ${kind} found with id '${shown(id)}'.`;
      throw new AppError("invalid_value", text, { param });
    }
    return seq;
  };
  return { limit: cursor.limit, order: cursor.order, after: await place("after"), before: await place("before") };
}

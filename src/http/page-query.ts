import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { PageQuery } from "../storage/page.ts";
import type { Cursor } from "./openai.ts";

/**
 * A client's cursor as places in the list. `find` gives the place of an id, also of one that was removed since its
 * page was handed out. Throws a 404 for an id that never was.
 */
export async function pageQuery(
  cursor: Cursor,
  find: (id: string) => number | undefined | Promise<number | undefined>,
  unknown: { code: ErrorCode; message: (id: string) => string },
): Promise<PageQuery> {
  const place = async (param: "after" | "before"): Promise<number | undefined> => {
    const id = cursor[param];
    if (id === null) return undefined;
    const seq = await find(id);
    if (seq === undefined) throw new AppError(unknown.code, unknown.message(id), { param });
    return seq;
  };
  return { limit: cursor.limit, order: cursor.order, after: await place("after"), before: await place("before") };
}

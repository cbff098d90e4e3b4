import { containerOf } from "../parse/detect.ts";

/** As much of a file's beginning as tells what it is. */
const HEAD_BYTES = 128 * 1024;

/** Whether a file is of a kind that can hold text, as far as its beginning tells; one that is not there is left to others. */
export async function canHoldText(path: string): Promise<boolean> {
  const file = Bun.file(path);
  if (!(await file.exists())) return true;
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  return head.length === 0 || containerOf(head) !== "binary";
}

/**
 * For `skipIf`, whose only reason is a program or a right that this machine does not have: data never is, the tests
 * bring their own. test/run.ts reads the line and names what was missing at the end.
 */
export const LACKING = "skipped for lack of";

const said = new Set<string>();

/** Whether this machine lacks `what`: a program on PATH, or what `isThere` tells about. */
export function lacks(what: string, isThere: boolean = Bun.which(what) !== null): boolean {
  if (!isThere && !said.has(what)) console.log(`${LACKING}: ${what}`);
  if (!isThere) said.add(what);
  return !isThere;
}

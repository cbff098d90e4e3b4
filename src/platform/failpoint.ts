/**
 * Named points at which a test can end the process as if the power went: `LECTERN_TEST_FAILPOINT=<name>`, or
 * `<name>:<n>` for the n-th time it is passed. Without a name set, passing a point does nothing.
 */
export const FAILPOINTS = [
  "migrate:planned",
  "migrate:file-chunked",
  "migrate:vectors-added",
  "migrate:file-done",
  "migrate:built",
  "migrate:verified",
  "migrate:before-cutover",
  "migrate:after-cutover",
  "migrate:cancelled",
  "migrate:before-rollback",
  "migrate:after-rollback",
  "retire:some-removed",
  "retire:before-row",
  "reanalyze:some-written",
  "upgrade:copied",
  "upgrade:in-step",
  "upgrade:step-done",
  "image:arrays",
  "image:durable",
  "image:renamed",
  "move:marked",
  "move:begun",
  "move:blob",
  "move:batch",
  "move:rows",
  "move:compared",
  "move:ended",
] as const;

export type FailpointName = (typeof FAILPOINTS)[number];
export type Failpoint = (name: FailpointName) => void;

export function createFailpoint(setting: string | null): Failpoint {
  if (setting === null) return () => {};
  const at = setting.lastIndexOf(":");
  const counted = /^\d+$/.test(setting.slice(at + 1));
  const wanted = counted ? setting.slice(0, at) : setting;
  let left = counted ? Number(setting.slice(at + 1)) : 1;
  return (name) => {
    if (name === wanted && --left === 0) process.kill(process.pid, "SIGKILL");
  };
}

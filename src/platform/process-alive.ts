/** Whether there is a process of that id, be it another user's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/**
 * Whether what is named after the process that made it was left behind: its maker is gone. For whoever has made nothing of
 * the kind yet: what bears its own number is of one that had it before. The pattern's first group is the number.
 */
export function isLeftBehind(name: string, pattern: RegExp): boolean {
  const number = pattern.exec(name)?.[1];
  if (number === undefined) return false;
  const pid = Number(number);
  return pid === process.pid || !isAlive(pid);
}

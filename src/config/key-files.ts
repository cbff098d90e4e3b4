import type { KeyFileRead } from "../platform/key-file.ts";
import { ConfigError } from "./setting.ts";

/**
 * Takes every key and password whose setting `…File` names a file out of that file into the setting without `File`. Gives a line for
 * each file that others may read.
 */
export function takeKeysFromFiles(
  settings: Record<string, unknown>,
  optionOf: (name: string) => string,
  read: (path: string) => KeyFileRead,
): string[] {
  const warnings: string[] = [];
  for (const [name, path] of Object.entries(settings)) {
    const target = name.replace(/(Key|Password)File$/, "$1");
    if (target === name || typeof path !== "string") continue;
    if (settings[target] !== null)
      throw new ConfigError(`${optionOf(target)} and ${optionOf(name)} are both set: keep one of them.`);
    const file = read(path);
    if (!file.ok) throw new ConfigError(`The file ${path} (${optionOf(name)}) ${file.problem}.`);
    if (file.isOpenToOthers)
      warnings.push(`Other users may read the key in ${path} (${optionOf(name)}): chmod 600 ${path}`);
    settings[target] = file.key;
  }
  return warnings;
}

import { type Config, reloadSettings } from "./config.ts";
import { ConfigError } from "./setting.ts";
import { AppError } from "../errors.ts";
import type { Log } from "../platform/log.ts";

/**
 * Makes the function that reads the settings again and takes over, all at once, those that can change while the server
 * runs: whoever uses such a setting reads it from `config` each time.
 * @throws AppError `invalid_value` for settings that cannot be used; then nothing has changed.
 */
export function settingsReloader(config: Config, read: () => Config, log: Log) {
  return (): { applied: string[]; restartNeeded: string[] } => {
    let wanted: Config;
    try {
      wanted = read();
    } catch (error) {
      if (error instanceof ConfigError) throw new AppError("invalid_value", error.message);
      throw error;
    }
    const changes = reloadSettings(config, wanted);
    log.info("settings reloaded", {
      applied: changes.applied.join(", "),
      restart_needed: changes.restartNeeded.join(", "),
    });
    return changes;
  };
}

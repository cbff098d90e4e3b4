/** The settings cannot be used; the message is one line that names the option and the way out. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

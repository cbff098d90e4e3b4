/** `/etc/lectern/lectern.toml` of the package: every setting with its meaning, as a comment, at its default. */
import { describeSettings, type SettingDescription } from "../../config/config.ts";

const HEAD = `# Settings of Lectern. What stands here as a comment is the default; take the # away to change it.
# "lectern help serve" explains them too, and /usr/share/doc/lectern/configuration.md.
# Some are taken over by "systemctl reload lectern", all by "systemctl restart lectern".
# Keys of providers belong into /etc/lectern/environment, which only root reads.

data = "/var/lib/lectern"
`;

/** Settings that the package answers itself, and those that only tests have. */
const LEFT_OUT = new Set(["data", "test-clock-file", "test-failpoint", "test-replica-term"]);

export function settingsFile(): string {
  const rows = describeSettings().filter(({ option }) => !LEFT_OUT.has(option));
  const groups = [...new Set(rows.map(({ group }) => group))];
  const sections = groups.map((group) => {
    const lines = rows.filter((row) => row.group === group).map(rowText);
    return `\n# ---- ${group}\n\n${lines.join("\n")}`;
  });
  return HEAD + sections.join("");
}

function rowText(row: SettingDescription): string {
  const literal = literalOf(row);
  const line = literal === null ? `#${row.option} =    # ${row.default}` : `#${row.option} = ${literal}`;
  return `# ${row.help}\n${line}\n`;
}

/** The default as TOML has it; null where there is none, or it follows from the machine. */
function literalOf({ isSwitch, default: shown }: SettingDescription): string | null {
  if (isSwitch) return shown === "off" ? "false" : "true";
  if (/^-?\d+(\.\d+)?$/.test(shown)) return shown;
  return shown === "none" || /[\s;,]/.test(shown) ? null : JSON.stringify(shown);
}

/**
 * `lectern completion SHELL`: a script for the shell, made from the table of verbs and their options, so that it cannot
 * name another. It asks no server and reads nothing while it completes.
 */
import type { Flag, Flags } from "./arguments.ts";
import { UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

export const COMPLETION_HELP = `bash: put  source <(lectern completion bash)  into ~/.bashrc.
zsh:  lectern completion zsh > FOLDER/_lectern  where FOLDER is in fpath before compinit runs.
fish: lectern completion fish > ~/.config/fish/completions/lectern.fish
`;

/** A verb as completion sees it. */
interface Completed {
  name: string;
  summary: string;
  actions: readonly string[];
  takesPaths: boolean;
  flags: readonly (readonly [name: string, flag: Flag])[];
}

const SCRIPTS: Readonly<Record<string, (verbs: readonly Completed[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export async function completion(
  argv: readonly string[],
  terminal: Terminal,
  table: Readonly<Record<string, Verb>>,
): Promise<number> {
  const [shell = "", ...more] = argv;
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined || more.length > 0)
    throw new UsageError("Say for which shell: lectern completion bash, zsh or fish.");
  const names = Object.keys(table);
  const verbs = Object.entries(table).map(async ([name, { summary, actions = [], takesPaths = false, load }]) => {
    const { flags = {} }: { flags?: Flags } = await load();
    const words = name === "help" ? names : actions;
    return { name, summary, actions: words, takesPaths, flags: Object.entries(flags) };
  });
  terminal.out(script(await Promise.all(verbs)));
  return 0;
}

/** What stands for the option's value. */
function kindOf({ value, choices = [] }: Flag): "none" | "words" | "file" | "folder" | "text" {
  if (value === undefined) return "none";
  if (choices.length > 0) return "words";
  if (value === "DIR") return "folder";
  return value === "FILE" ? "file" : "text";
}

function bashScript(verbs: readonly Completed[]): string {
  const names = verbs.map(({ name }) => name).join(" ");
  const values = verbs.flatMap(({ name, flags }) =>
    flags.flatMap(([flag, row]) => {
      const does = {
        none: null,
        words: `COMPREPLY=($(compgen -W "${(row.choices ?? []).join(" ")}" -- "$cur")); return`,
        file: `_lectern_paths -f; return`,
        folder: `_lectern_paths -d; return`,
        text: `return`,
      }[kindOf(row)];
      return does === null ? [] : [{ place: `${name}:--${flag}`, does }];
    }),
  );
  const cases = [...Map.groupBy(values, ({ does }) => does)].map(
    ([does, rows]) => `    ${rows.map(({ place }) => place).join("|")}) ${does} ;;\n`,
  );
  const words = verbs.map(({ name, actions, takesPaths, flags }) => {
    const options = flags.map(([flag]) => `--${flag}`).join(" ");
    return `    ${name}) options="${options}"; words="${actions.join(" ")}"; paths=${takesPaths ? "yes" : ""} ;;\n`;
  });
  return `# Completion of lectern for bash, made by: lectern completion bash
_lectern_paths() {
  local path
  compopt -o filenames 2>/dev/null
  while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "$cur")
}
_lectern() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" verb="\${COMP_WORDS[1]}"
  local options="" words="" paths=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "$cur")); return; fi
  case "$verb:$prev" in
${cases.join("")}  esac
  case "$verb" in
${words.join("")}  esac
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$cur")) ;;
    *)
      COMPREPLY=($(compgen -W "$words" -- "$cur"))
      if [ -n "$paths" ]; then _lectern_paths -f; fi ;;
  esac
}
complete -F _lectern lectern
`;
}

function zshScript(verbs: readonly Completed[]): string {
  const described = verbs.map(({ name, summary }) => `    ${zshQuoted(`${name}:${summary}`)}\n`).join("");
  const cases = verbs.map(({ name, actions, takesPaths, flags }) => {
    const options = flags.map(([flag, row]) => {
      const value = {
        none: "",
        words: `:${row.value}:(${(row.choices ?? []).join(" ")})`,
        file: `:${row.value}:_files`,
        folder: `:${row.value}:_files -/`,
        text: `:${row.value}: `,
      }[kindOf(row)];
      const help = row.help.replace(/[[\]:\\]/g, (sign) => `\\${sign}`);
      return zshQuoted(`${row.many ? "*" : ""}--${flag}[${help}]${value}`);
    });
    const rest = [
      ...(actions.length > 0 ? [`compadd -- ${actions.join(" ")}`] : []),
      ...(takesPaths ? ["_files"] : []),
    ];
    const words = rest.length > 0 ? ` ${zshQuoted(`*:word:{ ${rest.join("; ")} }`)}` : "";
    return `    ${name}) _arguments ${options.join(" ")}${words} ;;\n`;
  });
  return `#compdef lectern
# Completion of lectern for zsh, made by: lectern completion zsh
_lectern() {
  local -a verbs
  verbs=(
${described}  )
  if (( CURRENT == 2 )); then _describe verb verbs; return; fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join("")}  esac
}
if [ "$funcstack[1]" = "_lectern" ]; then _lectern "$@"; else compdef _lectern lectern; fi
`;
}

const zshQuoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function fishScript(verbs: readonly Completed[]): string {
  const lines = verbs.flatMap(({ name, summary, actions, takesPaths, flags }) => {
    const here = `complete -c lectern -n '__lectern_verb ${name}'`;
    const options = flags.map(([flag, row]) => {
      const value = {
        none: "",
        words: ` -x -a ${fishQuoted((row.choices ?? []).join(" "))}`,
        file: ` -r -F`,
        folder: ` -x -a '(__fish_complete_directories)'`,
        text: ` -x`,
      }[kindOf(row)];
      return `${here} -l ${flag}${value} -d ${fishQuoted(row.help)}`;
    });
    return [
      `complete -c lectern -n __lectern_no_verb -a ${name} -d ${fishQuoted(summary)}`,
      ...(actions.length > 0 ? [`${here} -a ${fishQuoted(actions.join(" "))}`] : []),
      ...(takesPaths ? [`${here} -F`] : []),
      ...options,
    ];
  });
  return `# Completion of lectern for fish, made by: lectern completion fish
function __lectern_no_verb
    test (count (commandline -opc)) -eq 1
end
function __lectern_verb
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = $argv[1]
end
complete -c lectern -f
${lines.join("\n")}
`;
}

const fishQuoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

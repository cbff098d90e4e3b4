/** The Python that runs the examples; another one than the PATH's by LECTERN_TEST_PYTHON. */
export const PYTHON = process.env["LECTERN_TEST_PYTHON"] ?? Bun.which("python3") ?? "python3";

/** Modules that a program imports and that this machine's Python lacks. */
export function missingModules(program: string): string[] {
  const modules = [...program.matchAll(/^\s*(?:from|import) ([\w.]+)/gm)].map(([, name = ""]) => name);
  const look = [
    "import importlib.util, sys",
    "def there(name):",
    "  try: return importlib.util.find_spec(name) is not None",
    "  except ImportError: return False",
    "for name in sys.argv[1:]:",
    "  if not there(name): print(name)",
  ].join("\n");
  try {
    const child = Bun.spawnSync({ cmd: [PYTHON, "-c", look, ...modules], stdout: "pipe", stderr: "ignore" });
    return child.stdout
      .toString()
      .split("\n")
      .filter((name) => name !== "");
  } catch {
    return [`${PYTHON} (no such program)`];
  }
}

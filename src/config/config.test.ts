import { describe, expect, test } from "bun:test";
import { ConfigError } from "./setting.ts";
import { describeSettings, readConfig, redactedConfig } from "./config.ts";
import type { ConfigInput } from "./config.ts";

const read = (input: Partial<ConfigInput> = {}) =>
  readConfig({
    argv: [],
    env: {},
    machine: { cpus: 2 },
    readFile: () => {
      throw new Error("no such file");
    },
    ...input,
  });

/** The message of the ConfigError that reading ends in. */
function refusal(input: Partial<ConfigInput>): string {
  try {
    read(input);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("the configuration was accepted");
}

describe("precedence", () => {
  test("a flag wins over the environment, that over the file, that over the default", () => {
    const readFile = (path: string) => {
      expect(path).toBe("a.toml");
      return 'port = 1\nhost = "file"\nmax_upload_mb = 7\n';
    };
    const argv = ["--config", "a.toml", "--port", "3"];
    const { port, host, maxUploadMb, graceSeconds } = read({
      argv,
      env: { LECTERN_PORT: "2", LECTERN_HOST: "env" },
      readFile,
    });
    expect({ port, host, maxUploadMb, graceSeconds }).toEqual({
      port: 3,
      host: "env",
      maxUploadMb: 7,
      graceSeconds: 10,
    });
  });

  test("the defaults are those of the documented command line", () => {
    const { host, port, dataDir, graceSeconds, apiKey, maxVectorStoreFiles, offline } = read();
    expect({ host, port, dataDir, graceSeconds, apiKey, maxVectorStoreFiles, offline }).toEqual({
      host: "127.0.0.1",
      port: 8080,
      dataDir: "./lectern-data",
      graceSeconds: 10,
      apiKey: null,
      maxVectorStoreFiles: null,
      offline: false,
    });
  });

  test("workers follow the number of CPUs", () => {
    const { parseWorkers, embedWorkers } = read({ machine: { cpus: 6 } });
    expect({ parseWorkers, embedWorkers }).toEqual({ parseWorkers: 6, embedWorkers: 6 });
    // A document that takes its whole deadline must not hold up the next one, on the smallest machine either.
    expect(read({ machine: { cpus: 1 } }).parseWorkers).toBe(2);
  });

  test("the quotas' unprefixed names are read, the prefixed ones win", () => {
    expect(read({ env: { MAX_USER_VECTOR_STORES: "10" } }).maxUserVectorStores).toBe(10);
    const both = { MAX_USER_VECTOR_STORES: "10", LECTERN_MAX_USER_VECTOR_STORES: "none" };
    expect(read({ env: both }).maxUserVectorStores).toBeNull();
  });
});

describe("what a value may be", () => {
  test.each([
    [["--offline"], true],
    [["--offline=false"], false],
    [["--offline=on"], true],
  ])("%j reads the switch as %p", (argv, expected) => {
    expect(read({ argv }).offline).toBe(expected);
  });

  test("an empty variable is an unset one", () => {
    expect(read({ env: { LECTERN_PORT: "", LECTERN_API_KEY: "" } })).toMatchObject({ port: 8080, apiKey: null });
  });

  test("a key may hold spaces and equals signs", () => {
    expect(read({ argv: ["--api-key=My API=Key"] }).apiKey).toBe("My API=Key");
  });

  test("the variables that Kubernetes makes for a service of this name are no settings", () => {
    const env = {
      LECTERN_PORT: "tcp://10.0.0.7:80",
      LECTERN_SERVICE_HOST: "10.0.0.7",
      LECTERN_PORT_80_TCP_ADDR: "10.0.0.7",
    };
    expect(read({ env }).port).toBe(8080);
  });
});

describe("what is refused, in one line that names it", () => {
  test.each([
    ["an unknown flag", { argv: ["--prot", "1"] }, "--prot is not an option; did you mean --port?"],
    [
      "a far-off flag",
      { argv: ["--xyzzyxyzzy"] },
      "--xyzzyxyzzy is not an option; lectern help serve lists all there are.",
    ],
    [
      "an unknown variable",
      { env: { LECTERN_MAX_UPLOAD: "1" } },
      "Environment variable LECTERN_MAX_UPLOAD is not an option; did you mean LECTERN_MAX_UPLOAD_MB?",
    ],
    [
      "an unknown key in the file",
      { argv: ["--config=a"], readFile: () => "prt = 1" },
      "prt in a is not an option; did you mean port?",
    ],
    ["a missing value", { argv: ["--port"] }, "--port needs a value: --port VALUE."],
    [
      "a port out of range",
      { argv: ["--port", "70000"] },
      '--port must be a whole number from 0 to 65535, not "70000".',
    ],
    [
      "a port in words",
      { env: { LECTERN_PORT: "http" } },
      'LECTERN_PORT must be a whole number from 0 to 65535, not "http".',
    ],
    [
      "an unknown choice",
      { argv: ["--log-level=loud"] },
      '--log-level must be debug, info, warn or error, not "loud".',
    ],
    [
      "a wrong type in the file",
      { argv: ["--config=a"], readFile: () => "offline = 1" },
      "offline in a must be true or false, not 1.",
    ],
    ["a bare word", { argv: ["8080"] }, 'Unexpected argument "8080": options start with --; see lectern help serve.'],
    [
      "the same flag with two values",
      { argv: ["--port=1", "--port=2"] },
      "--port is given twice with different values.",
    ],
    ["a missing file", { argv: ["--config=a"] }, "Configuration file a cannot be used: no such file"],
    [
      "a NUL in a path",
      { argv: ["--data", "a\0b"] },
      '--data must be text of at least one character on one line, not "a\\u0000b".',
    ],
    [
      "quotas that contradict each other",
      { env: { MAX_USER_VECTOR_STORES: "9", MAX_TEAM_VECTOR_STORES: "5" } },
      "max-user-vector-stores (9) is above max-team-vector-stores (5), so it could never be reached: lower it or raise the other.",
    ],
  ])("%s", (_, input, message) => {
    expect(refusal(input)).toBe(message);
  });

  test("broken TOML is one line", () => {
    const message = refusal({ argv: ["--config=a"], readFile: () => "port = = 1" });
    expect(message).toStartWith("Configuration file a cannot be used: ");
    expect(message).not.toContain("\n");
  });

  test("a secret is never repeated", () => {
    expect(refusal({ argv: ["--api-key", "canary\nsecond"] })).not.toContain("canary");
    expect(JSON.stringify(redactedConfig(read({ argv: ["--api-key", "canary"] })))).not.toContain("canary");
  });
});

test("every setting has a unique option, a default that fits it and a help line", () => {
  const rows = describeSettings();
  expect(new Set(rows.map((row) => row.option)).size).toBe(rows.length);
  for (const row of rows)
    expect([row.option, row.help.length > 10, row.default.length > 0]).toEqual([row.option, true, true]);
  // Defaults written out as a file are read back as they are.
  const config = read();
  const values = Object.entries(redactedConfig(config)).filter(([, value]) => value !== null);
  const toml = values.map(([option, value]) => `${option} = ${JSON.stringify(value)}`).join("\n");
  const again = read({ argv: ["--config=a"], readFile: () => toml });
  expect({ ...again, environment: null }).toEqual({ ...config, environment: null });
});

describe("models and their names", () => {
  const file = `
    default_model = "house"
    [[models]]
    id = "house"
    dialect = "openai-compatible"
    address = "http://127.0.0.1:11434/v1"
    api_key_env = "HOUSE_KEY"
    dimensions = 768
    [aliases]
    fast = "lectern-embed-en"
    best = "house"
  `;
  const withFile = (text: string, more: Partial<ConfigInput> = {}) =>
    read({ env: { LECTERN_CONFIG: "a.toml", HOUSE_KEY: "sk-1" }, readFile: () => text, ...more });

  test("come from the file's tables, and aliases from flags too, which win", () => {
    const config = withFile(file, { argv: ["--alias", "best=other", "--alias", "third=house"] });
    expect(config.remoteModels).toEqual([
      {
        id: "house",
        dialect: "openai-compatible",
        address: "http://127.0.0.1:11434/v1",
        api_key_env: "HOUSE_KEY",
        dimensions: 768,
      },
    ]);
    expect([...config.modelNames]).toEqual([
      ["fast", "lectern-embed-en"],
      ["best", "other"],
      ["third", "house"],
    ]);
    expect(config.environment("HOUSE_KEY")).toBe("sk-1");
  });

  const refused: [string, string, string][] = [
    [
      "a dialect that nobody speaks",
      '[[models]]\nid = "a"\ndialect = "smoke"',
      "model 'a': dialect must be one of openai,",
    ],
    ["a model without an id", '[[models]]\ndialect = "openai"', "model 1: id is missing"],
    ["an unknown key", '[[models]]\nid = "a"\ndialect = "openai"\nkey = "sk-secret"', "key is no setting of a model"],
    [
      "two keys",
      '[[models]]\nid = "a"\ndialect = "openai"\napi_key = "sk-secret"\napi_key_env = "K"',
      "cannot both be set",
    ],
    [
      "two models of one id",
      '[[models]]\nid = "a"\ndialect = "openai"\n[[models]]\nid = "a"\ndialect = "google"',
      "two models have the id 'a'",
    ],
    ["an alias of nothing", "[aliases]\na = 1", "aliases must be a table of texts"],
  ];
  for (const [name, text, words] of refused) {
    test(`are refused with ${name}, without any value`, () => {
      const message = refusal({ env: { LECTERN_CONFIG: "a.toml" }, readFile: () => text });
      expect(message).toContain(words);
      expect(message).not.toContain("sk-secret");
    });
  }

  test("are refused where an alias is no pair", () => {
    expect(refusal({ argv: ["--alias", "fast"] })).toBe('--alias must be NAME=MODEL, not "fast".');
  });

  test("keys of providers are never shown", () => {
    const shown = redactedConfig(
      read({ env: { LECTERN_OPENAI_API_KEY: "sk-secret", LECTERN_GOOGLE_API_KEY: "sk-secret" } }),
    );
    expect(JSON.stringify(shown)).not.toContain("sk-secret");
  });
});

describe("origins of pages", () => {
  test("are named one by one, in a list or by an asterisk", () => {
    const of = (...argv: string[]) => read({ argv }).corsOrigins;
    expect(of()).toEqual([]);
    expect(of("--cors-origin", "http://app.example", "--cors-origin", "HTTPS://B.Example:443/")).toEqual([
      "http://app.example",
      "https://b.example",
    ]);
    expect(of("--cors-origin", "http://localhost:3000, *")).toEqual(["http://localhost:3000", "*"]);
    expect(of("--cors-origin", "chrome-extension://abcdef")).toEqual(["chrome-extension://abcdef"]);
  });

  test.each(["app.example", "http://app.example/path", "http://u@app.example", "http://", "null", "http://*.example"])(
    "are refused as %s",
    (origin) => {
      expect(refusal({ argv: ["--cors-origin", origin] })).toStartWith("--cors-origin must be an origin such as");
    },
  );
});

describe("a key in a file", () => {
  const readKey = (path: string) =>
    path === "gone"
      ? { ok: false as const, problem: "cannot be read (ENOENT)" }
      : { ok: true as const, key: `key of ${path}`, isOpenToOthers: path === "open" };

  test("stands for the key itself, for every setting that is a key", () => {
    const options = describeSettings().flatMap(({ option }) => (option.endsWith("api-key") ? [option] : []));
    expect(options).toHaveLength(7);
    for (const option of options) {
      const config = read({ argv: [`--${option}-file`, "f"], readKey });
      expect(Object.values(config).filter((value) => value === "key of f")).toHaveLength(1);
      expect([redactedConfig(config)[option], config.warnings]).toEqual(["(set)", []]);
    }
    const config = read({ env: { LECTERN_OPENAI_API_KEY_FILE: "g", LECTERN_COHERE_API_KEY_FILE: "open" }, readKey });
    expect([config.openaiApiKey, config.cohereApiKey]).toEqual(["key of g", "key of open"]);
    expect(config.warnings).toEqual(["Other users may read the key in open (cohere-api-key-file): chmod 600 open"]);
  });

  test("is refused beside the key, wherever either is given, and where the file is no key", () => {
    const both = "openai-api-key and openai-api-key-file are both set: keep one of them.";
    expect(refusal({ argv: ["--openai-api-key=a", "--openai-api-key-file=f"], readKey })).toBe(both);
    expect(refusal({ argv: ["--openai-api-key-file=f"], env: { LECTERN_OPENAI_API_KEY: "a" }, readKey })).toBe(both);
    expect(refusal({ argv: ["--api-key-file=gone"], readKey })).toBe(
      "The file gone (api-key-file) cannot be read (ENOENT).",
    );
  });
});

describe("variables that hold keys of added models", () => {
  test("are a list, in the file as well", () => {
    const listed = (input: Partial<ConfigInput>) => [...read(input).modelKeyNames];
    expect(listed({})).toEqual([]);
    expect(listed({ argv: ["--model-key-variables", "A, B", "--model-key-variables", "C_1"] })).toEqual([
      "A",
      "B",
      "C_1",
    ]);
    for (const text of ['["A", "B"]', '"A,B"'])
      expect(listed({ argv: ["--config", "c"], readFile: () => `model-key-variables = ${text}` })).toEqual(["A", "B"]);
    expect(listed({ argv: ["--config", "c"], readFile: () => "model-key-variables = []" })).toEqual([]);
  });

  test("are names", () => {
    expect(refusal({ argv: ["--model-key-variables", "A,B C"] })).toContain('not "B C"');
    expect(refusal({ argv: ["--config", "c"], readFile: () => "model-key-variables = [1]" })).toContain(
      "model-key-variables in c must be",
    );
  });
});

/** What is pasted into other programs so that they use this server. */
export interface Given {
  /** The server's address as others reach it, without a slash at its end. */
  address: string;
  key: string;
  /** The store that is meant, where a program has to name one. */
  store: string;
  /** Of the texts that others want vectors of. */
  model: string;
}

export type RecipeId =
  | "claude-desktop"
  | "claude-code"
  | "cursor"
  | "vscode"
  | "open-webui"
  | "dify"
  | "litellm"
  | "librechat"
  | "langchain"
  | "openai";

export interface Recipe {
  id: RecipeId;
  title: string;
  blocks: readonly Block[];
}

/** Something that is copied in one go; `name` is a file, or the field of a form. */
export interface Block {
  name: string;
  text: string;
}

/** What ranks passages where no reranker was added. */
const RANKER = "lectern-rank";

export function recipes(given: Given): Recipe[] {
  return [...assistants(given), ...frontEnds(given), ...libraries(given)];
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

/** Programs that speak MCP, by the server's address or by the command that speaks it over its own input and output. */
function assistants({ address, key }: Given): Recipe[] {
  const command = { command: "lectern", args: ["mcp"], env: { LECTERN_URL: address, LECTERN_API_KEY: key } };
  const headers = { Authorization: `Bearer ${key}` };
  const url = `${address}/mcp`;
  return [
    {
      id: "claude-desktop",
      title: "Claude Desktop",
      blocks: [{ name: "claude_desktop_config.json", text: json({ mcpServers: { lectern: command } }) }],
    },
    {
      id: "claude-code",
      title: "Claude Code",
      blocks: [
        {
          name: "command",
          text: `claude mcp add --transport http lectern ${shell(url)} --header ${shell(`Authorization: Bearer ${key}`)}`,
        },
      ],
    },
    {
      id: "cursor",
      title: "Cursor",
      blocks: [{ name: "mcp.json", text: json({ mcpServers: { lectern: { url, headers } } }) }],
    },
    {
      id: "vscode",
      title: "VS Code",
      blocks: [{ name: "mcp.json", text: json({ servers: { lectern: { type: "http", url, headers } } }) }],
    },
  ];
}

function frontEnds({ address, key, store, model }: Given): Recipe[] {
  const mcp = `${address}/mcp`;
  return [
    {
      id: "open-webui",
      title: "Open WebUI",
      blocks: [
        { name: "Embedding: API base URL", text: `${address}/v1` },
        { name: "Embedding: model", text: model },
        { name: "Reranking: URL", text: `${address}/v1/rerank` },
        { name: "Reranking: model", text: RANKER },
        { name: "External tools: URL", text: mcp },
        { name: "API key, everywhere", text: key },
      ],
    },
    {
      id: "dify",
      title: "Dify",
      blocks: [
        { name: "API endpoint URL", text: `${address}/v1` },
        { name: "Text Embedding: model name", text: model },
        { name: "Rerank: model name", text: RANKER },
        { name: "MCP: server URL", text: mcp },
        { name: "API key, everywhere", text: key },
      ],
    },
    {
      id: "litellm",
      title: "LiteLLM",
      blocks: [
        {
          name: "config.yaml",
          text: [
            "vector_store_registry:",
            "  - vector_store_name: lectern",
            "    litellm_params:",
            `      vector_store_id: ${json(store)}`,
            "      custom_llm_provider: openai",
            `      api_base: ${json(`${address}/v1`)}`,
            "      api_key: os.environ/LECTERN_API_KEY",
            "model_list:",
            "  - model_name: lectern-rank",
            "    litellm_params:",
            `      model: hosted_vllm/${RANKER}`,
            `      api_base: ${json(`${address}/v1`)}`,
            "      api_key: os.environ/LECTERN_API_KEY",
          ].join("\n"),
        },
        { name: "environment", text: exported(key) },
      ],
    },
    {
      id: "librechat",
      title: "LibreChat",
      blocks: [
        {
          name: "librechat.yaml",
          text: [
            "mcpServers:",
            "  lectern:",
            "    type: streamable-http",
            `    url: ${json(mcp)}`,
            "    headers:",
            `      Authorization: ${json(`Bearer ${key}`)}`,
          ].join("\n"),
        },
      ],
    },
  ];
}

function libraries({ address, key, store, model }: Given): Recipe[] {
  const base = `${address}/v1`;
  return [
    {
      id: "langchain",
      title: "LangChain",
      blocks: [
        { name: "environment", text: exported(key) },
        {
          name: "Python",
          text: [
            "import os",
            "from langchain_openai import OpenAIEmbeddings",
            "",
            "embeddings = OpenAIEmbeddings(",
            `    model=${json(model)},`,
            `    base_url=${json(base)},`,
            '    api_key=os.environ["LECTERN_API_KEY"],',
            "    check_embedding_ctx_length=False,",
            ")",
          ].join("\n"),
        },
        {
          name: "TypeScript",
          text: [
            'import { OpenAIEmbeddings } from "@langchain/openai";',
            "",
            "const embeddings = new OpenAIEmbeddings({",
            `  model: ${json(model)},`,
            "  apiKey: process.env.LECTERN_API_KEY,",
            `  configuration: { baseURL: ${json(base)} },`,
            "});",
          ].join("\n"),
        },
      ],
    },
    {
      id: "openai",
      title: "OpenAI clients",
      blocks: [
        { name: "environment", text: exported(key) },
        {
          name: "Python",
          text: [
            "import os",
            "from openai import OpenAI",
            "",
            `client = OpenAI(base_url=${json(base)}, api_key=os.environ["LECTERN_API_KEY"])`,
            `for hit in client.vector_stores.search(${json(store)}, query="a question"):`,
            "    print(hit.score, hit.filename, hit.content[0].text)",
          ].join("\n"),
        },
        {
          name: "TypeScript",
          text: [
            'import OpenAI from "openai";',
            "",
            `const client = new OpenAI({ baseURL: ${json(base)}, apiKey: process.env.LECTERN_API_KEY });`,
            `const page = await client.vectorStores.search(${json(store)}, { query: "a question" });`,
            "for (const hit of page.data) console.log(hit.score, hit.filename, hit.content[0]?.text);",
          ].join("\n"),
        },
      ],
    },
  ];
}

function exported(key: string): string {
  return `export LECTERN_API_KEY=${shell(key)}`;
}

/** In single quotes nothing is special but their end. */
function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** What the cards of much used models ask to be put before texts, where their files do not say it. */
import type { ModelOverrides } from "../../embed/local/model-folder.ts";

type Prompts = Pick<ModelOverrides, "queryPrefix" | "passagePrefix">;

const TABLE: readonly { name: RegExp; prompts: Prompts }[] = [
  {
    name: /^(?:multilingual-)?e5-(?:small|base|large)(?:-v2|-unsupervised)?$/,
    prompts: { queryPrefix: "query: ", passagePrefix: "passage: " },
  },
  {
    name: /^nomic-embed-text-v1(?:\.5)?(?:-unsupervised)?$/,
    prompts: { queryPrefix: "search_query: ", passagePrefix: "search_document: " },
  },
  {
    name: /^(?:bge-(?:small|base|large)-en(?:-v1\.5)?|mxbai-embed-(?:xsmall|large)-v1|snowflake-arctic-embed-(?:xs|s|m|m-long|l))$/,
    prompts: { queryPrefix: "Represent this sentence for searching relevant passages: " },
  },
  {
    name: /^bge-(?:small|base|large)-zh(?:-v1\.5)?$/,
    prompts: { queryPrefix: "为这个句子生成表示以用于检索相关文章：" },
  },
  {
    name: /^(?:snowflake-arctic-embed-(?:m|l)-v2\.0)$/,
    prompts: { queryPrefix: "query: " },
  },
];

/** By the last part of the model's name: exports of others are called as the model is. */
export function knownPrompts(name: string): Prompts {
  const last = (name.split("/").at(-1) ?? "").toLowerCase().replace(/-onnx$/, "");
  return TABLE.find((row) => row.name.test(last))?.prompts ?? {};
}

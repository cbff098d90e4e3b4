/** The language models that answer here: which one a name means, and what is known of each. */

/** One as it is called. It holds its key: never shown, never logged. */
export interface ChatModel {
  /** What clients write. */
  id: string;
  /** As its server calls it. */
  model: string;
  /** Ends without a slash. */
  address: string;
  apiKey: string | null;
  /** What its server really has: local ones cut a longer conversation silently. */
  contextTokens: number;
  tools: "auto" | "never";
  /** Whether documents are searched before it is asked, or when it asks for it. */
  search: "always" | "model";
  systemRole: "system" | "developer" | "user";
  maxTokensField: "max_tokens" | "max_completion_tokens";
  /** Calls at the same time. */
  parallel: number;
}

/** A chat model as it is set up, or why it cannot be used. */
export type ChatSource =
  | { ok: true; model: ChatModel; /** By `lectern models remove`. */ removable: boolean }
  | { ok: false; id: string; problem: string; isInactive?: boolean };

export interface ChatSources {
  /** Reads the operator's files anew. */
  list(): ChatSource[];
  /** Takes a removable one out of its file; false where there is none of that id. */
  forget(id: string): boolean;
}

export interface ChatModelsOptions {
  sources: ChatSources;
  /** `--default-chat-model`; the first where it is null. */
  defaultModel: string | null;
  /** Nothing can be called. */
  offline: boolean;
}

export class ChatModels {
  readonly #options: ChatModelsOptions;
  #found: ChatSource[] = [];

  constructor(options: ChatModelsOptions) {
    this.#options = options;
    this.rescan();
  }

  rescan(): readonly ChatSource[] {
    this.#found = this.#options.sources.list();
    return this.#found;
  }

  /** What was found when they were last looked for. */
  found(): readonly ChatSource[] {
    return this.#found;
  }

  list(): ChatModel[] {
    if (this.#options.offline) return [];
    return this.#found.flatMap((source) => (source.ok ? [source.model] : []));
  }

  get(id: string): ChatModel | null {
    return this.list().find((model) => model.id === id) ?? null;
  }

  /** The one of this name, else the default one; null where there is none. */
  resolve(name: string | null): ChatModel | null {
    return (name === null ? null : this.get(name)) ?? this.#default();
  }

  /** Why the default of the settings is not used; null where it is, or none is named. */
  get problem(): string | null {
    const { defaultModel, offline } = this.#options;
    if (defaultModel === null || offline || this.get(defaultModel) !== null) return null;
    const source = this.#found.find((one) => !one.ok && one.id === defaultModel);
    return `the default chat model '${defaultModel}' cannot be used: ${source?.ok === false ? source.problem : "there is none of that id"}`;
  }

  remove(id: string): boolean {
    const isRemoved = this.#options.sources.forget(id);
    if (isRemoved) this.rescan();
    return isRemoved;
  }

  #default(): ChatModel | null {
    const { defaultModel } = this.#options;
    return defaultModel === null ? (this.list()[0] ?? null) : this.get(defaultModel);
  }
}

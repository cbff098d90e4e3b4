/** Where a passage can be looked at by a person: in the console, or where that is not served its file's text. */
export interface Links {
  passage(storeId: string, fileId: string, chunk: number): string;
}

export interface LinkSettings {
  /** Address at which people reach this server, without a slash at the end; null: the one that the request came to. */
  publicUrl: string | null;
  noConsole: boolean;
}

/** `host`: the request's Host header. */
export function linksFor({ publicUrl, noConsole }: LinkSettings, host: string | null): Links {
  const base = publicUrl ?? `http://${host || "localhost"}`;
  return {
    passage(storeId, fileId, chunk) {
      const [store, file] = [storeId, fileId].map(encodeURIComponent);
      return noConsole
        ? `${base}/v1/vector_stores/${store}/files/${file}/content`
        : `${base}/console/#/stores/${store}/files/${file}?chunk=${chunk}`;
    },
  };
}

import OpenAI from "openai";

/** Ways to ask a server, whichever process or proxy answers at its address. */
export interface Asking {
  url: string;
  key: string;
  client: OpenAI;
  /** With the key, unless the headers say who asks. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export function asking(url: string, key: string): Asking {
  return {
    url,
    key,
    client: new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 }),
    fetch(path, init = {}) {
      const headers = new Headers(init.headers);
      if (!headers.has("authorization")) headers.set("authorization", `Bearer ${key}`);
      return fetch(url + path, { ...init, headers });
    },
  };
}

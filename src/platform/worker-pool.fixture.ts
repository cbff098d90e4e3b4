/** The worker of worker-pool.test.ts. */
import { readdirSync } from "node:fs";
import { serveCalls } from "./worker-serve.ts";

export type FixtureMethods = {
  echo: { args: string; result: string };
  count: { args: null; result: number };
  spin: { args: null; result: null };
  fail: { args: string; result: null };
  die: { args: null; result: null };
  later: { args: number; result: string };
};

serveCalls<FixtureMethods, { greeting: string }>((init) => {
  let calls = 0;
  return {
    handlers: {
      echo: (text) => ({ result: `${init.greeting} ${text}` }),
      count: () => ({ result: ++calls }),
      spin() {
        for (;;);
      },
      fail(message) {
        if (message.startsWith("/")) readdirSync(message);
        throw new TypeError(message);
      },
      die() {
        process.exit(3);
      },
      async later(ms) {
        await Bun.sleep(ms);
        return { result: "finished" };
      },
    },
  };
});

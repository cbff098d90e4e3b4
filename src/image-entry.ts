/** Process that writes images of indexes: reads the database, writes a file beside the graphs. May be killed at any instant. */
import type { ImageStep } from "./index/image-file.ts";
import { writeIndexImage } from "./jobs/index-image.ts";
import { createFailpoint } from "./platform/failpoint.ts";
import { loadVectors } from "./platform/native.ts";
import { lowerPriority } from "./platform/priority.ts";
import { serveCalls } from "./platform/worker-serve.ts";
import { syncLog } from "./storage/settle-log.ts";
import { openReader } from "./storage/sqlite-reader.ts";
import type { ImageInit, ImageMethods } from "./workers/protocol.ts";

serveCalls<ImageMethods, ImageInit>((init) => {
  lowerPriority(init.nice);
  loadVectors(init.natives);
  const failpoint = createFailpoint(init.failpoint);
  return {
    handlers: {
      async write({ database, ...plan }) {
        using reader = openReader(database);
        const { chunks } = reader;
        const passed = (step: ImageStep) => failpoint(`image:${step}`);
        const makeDurable = () => syncLog(database);
        return { result: await writeIndexImage({ ...plan, chunks, passed, makeDurable }) };
      },
    },
  };
});

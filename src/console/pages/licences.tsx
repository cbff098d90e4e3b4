import { useState } from "preact/hooks";
import { OPERATE } from "../operate-words.ts";
import { Load } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { visible } from "../text/visible.ts";

const WORD = OPERATE.health;

export function LicencesSection() {
  const [isShown, show] = useState(false);
  return (
    <section class="stack" aria-labelledby="licences">
      <h2 id="licences">{WORD.licences}</h2>
      {isShown ? (
        <Texts />
      ) : (
        <div class="row">
          <button type="button" onClick={() => show(true)}>
            {WORD.showLicences}
          </button>
        </div>
      )}
    </section>
  );
}

function Texts() {
  const { api } = useConsole();
  const text = useLoad("licences", async (signal) => await (await api.stream("licences", signal)).text());
  return (
    <Load of={text}>
      {(loaded) => (
        <pre class="code long" tabIndex={0}>
          {visible(loaded, { keepLines: true })}
        </pre>
      )}
    </Load>
  );
}

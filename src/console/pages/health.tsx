import type { ComponentChildren } from "preact";
import type { ServerStatus } from "../../api/admin/schema.ts";
import { concernsOf } from "../health.ts";
import { OPERATE } from "../operate-words.ts";
import { Load } from "../parts/load.tsx";
import { Bar, Name, State, Time } from "../parts/text.tsx";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { bytesText, numberText } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import { BackupSection } from "./backup.tsx";
import { DeletionsSection } from "./deletions.tsx";
import { LicencesSection } from "./licences.tsx";

const WORD = OPERATE.health;

/** What the server is doing, what needs a look, and what an operator does now and then. */
export function HealthPage() {
  const { api } = useConsole();
  const status = useLoad("admin/status", (signal) => api.get<ServerStatus>("admin/status", signal));
  return (
    <>
      <div class="row spread">
        <h1>{WORD.title}</h1>
        <button type="button" onClick={status.reload}>
          {WORD.again}
        </button>
      </div>
      <Load of={status}>
        {(loaded) => (
          <>
            <Concerns status={loaded} />
            <Facts status={loaded} />
            <Lanes lanes={loaded.lanes} />
            <Queues queues={loaded.queues} />
            <Indexes indexes={loaded.indexes} />
            <Outbound outbound={loaded.outbound} />
          </>
        )}
      </Load>
      <BackupSection />
      <DeletionsSection />
      <LicencesSection />
    </>
  );
}

function Concerns({ status }: { status: ServerStatus }) {
  const concerns = concernsOf(status);
  if (concerns.length === 0)
    return (
      <p>
        <State kind="good" word={WORD.well} />
      </p>
    );
  return (
    <ul class="plain stack">
      {concerns.map((concern) => (
        <li class="banner" key={concern}>
          {WORD.concerns[concern]}
        </li>
      ))}
    </ul>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ status: { version, started_at: startedAt, memory, disk, query_log: log } }: { status: ServerStatus }) {
  const used = disk.total_bytes === 0 ? 0 : 1 - disk.free_bytes / disk.total_bytes;
  return (
    <dl class="attributes">
      <Fact name={WORD.version}>{visible(version)}</Fact>
      <Fact name={WORD.since}>
        <Time at={startedAt} />
      </Fact>
      <Fact name={WORD.memory}>{bytesText(memory.resident_bytes)}</Fact>
      <Fact name={WORD.disk}>
        <Bar part={used} label={WORD.disk} kind={used > 0.9 ? "bad" : "good"} />{" "}
        {WORD.free(bytesText(disk.free_bytes), bytesText(disk.total_bytes))}
      </Fact>
      <Fact name={WORD.database}>{bytesText(disk.database_bytes)}</Fact>
      <Fact name={WORD.log}>{WORD.logModes[log.mode] ?? log.mode}</Fact>
    </dl>
  );
}

function Lanes({ lanes }: Pick<ServerStatus, "lanes">) {
  return (
    <section class="stack" aria-labelledby="lanes">
      <h2 id="lanes">{WORD.lanes}</h2>
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">{WORD.lane}</th>
            <th scope="col">{WORD.busy}</th>
            <th scope="col">{WORD.waiting}</th>
            <th scope="col">{WORD.restarts}</th>
          </tr>
        </thead>
        <tbody>
          {lanes.map(({ name, busy, waiting, restarts }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td data-label={WORD.busy}>{numberText(busy)}</td>
              <td data-label={WORD.waiting}>{numberText(waiting)}</td>
              <td data-label={WORD.restarts}>{numberText(restarts)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Queues({ queues }: Pick<ServerStatus, "queues">) {
  return (
    <section class="stack" aria-labelledby="queues">
      <h2 id="queues">{WORD.queues}</h2>
      {queues.length === 0 ? (
        <p>{WORD.noQueues}</p>
      ) : (
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">{WORD.work}</th>
              <th scope="col">{WORD.waiting}</th>
              <th scope="col">{WORD.running}</th>
            </tr>
          </thead>
          <tbody>
            {queues.map(({ kind, waiting, running }) => (
              <tr key={kind}>
                <th scope="row">{kind}</th>
                <td data-label={WORD.waiting}>{numberText(waiting)}</td>
                <td data-label={WORD.running}>{numberText(running)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Indexes({ indexes }: Pick<ServerStatus, "indexes">) {
  return (
    <section class="stack" aria-labelledby="indexes">
      <h2 id="indexes">{WORD.indexes}</h2>
      <dl class="attributes">
        <Fact name={WORD.open}>{numberText(indexes.open)}</Fact>
        <Fact name={WORD.opening}>{numberText(indexes.loading)}</Fact>
        <Fact name={WORD.chunks}>{numberText(indexes.chunks)}</Fact>
        <Fact name={WORD.vectors}>{numberText(indexes.vectors)}</Fact>
        <Fact name={WORD.size}>{bytesText(indexes.bytes)}</Fact>
        <Fact name={WORD.loads}>{numberText(indexes.loads)}</Fact>
        <Fact name={WORD.evictions}>{numberText(indexes.evictions)}</Fact>
      </dl>
    </section>
  );
}

function Outbound({ outbound }: Pick<ServerStatus, "outbound">) {
  const { offline, private_addresses: allowsPrivate, addresses } = outbound;
  return (
    <section class="stack" aria-labelledby="outbound">
      <h2 id="outbound">{WORD.outbound}</h2>
      {offline ? (
        <p>{WORD.offline}</p>
      ) : (
        <>
          <p>{addresses.length === 0 ? WORD.callsNobody : WORD.calls}</p>
          {addresses.length > 0 && (
            <ul>
              {addresses.map((address) => (
                <li key={address}>
                  <Name of={address} />
                </li>
              ))}
            </ul>
          )}
          <p class="quiet">{allowsPrivate ? WORD.privateAllowed : WORD.privateRefused}</p>
        </>
      )}
    </section>
  );
}

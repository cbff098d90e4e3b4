/** The examples of docs/deploy fit the image: its user, its port, its volume, and addresses that answer without a key. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeSettings } from "../../src/config/config.ts";
import { version } from "../../src/platform/build-info.ts";
import { hasHaproxy } from "../cluster/servers/haproxy.ts";
import { lacks } from "../helpers/lacks.ts";
import { ROOT, startServer } from "../helpers/server.ts";

const read = (name: string) => readFileSync(join(ROOT, "docs/deploy", name), "utf8");

test("Compose: as the image is, read-only, on loopback, with a volume that is declared", () => {
  expect(Bun.YAML.parse(read("compose.yaml"))).toMatchObject({
    services: {
      lectern: {
        image: `lectern:${version}`,
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        ports: ["127.0.0.1:8080:8080"],
        environment: { LECTERN_API_KEY_FILE: "/run/secrets/lectern_key" },
        secrets: ["lectern_key"],
        volumes: ["data:/data"],
      },
    },
    secrets: { lectern_key: { file: "./lectern.key" } },
    volumes: { data: null },
  });
});

test("Kubernetes: one pod with the image's user, and probes that the server answers", async () => {
  const [set, service] = Bun.YAML.parse(read("kubernetes.yaml")) as [StatefulSet, object];
  const { spec } = set.spec.template;
  const [container] = spec.containers;
  expect(set.spec.replicas).toBe(1);
  expect(spec.securityContext).toMatchObject({
    runAsNonRoot: true,
    runAsUser: 10001,
    runAsGroup: 10001,
    fsGroup: 10001,
  });
  expect(container).toMatchObject({
    image: `lectern:${version}`,
    ports: [{ name: "http", containerPort: 8080 }],
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
    volumeMounts: [{ name: set.spec.volumeClaimTemplates[0].metadata.name, mountPath: "/data" }],
  });
  expect(service).toMatchObject({ spec: { selector: set.spec.selector.matchLabels, ports: [{ targetPort: "http" }] } });
  await using server = await startServer();
  for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe])
    expect((await fetch(server.url + probe.httpGet.path)).status).toBe(200);
});

test("CloudNativePG: a cluster whose commits wait for a standby, and Lecterns as the image is", () => {
  const [cluster, deployment] = Bun.YAML.parse(read("cloudnativepg.yaml")) as [object, Deployment];
  expect(cluster).toMatchObject({
    kind: "Cluster",
    spec: { minSyncReplicas: 1, bootstrap: { initdb: { encoding: "UTF8" } } },
  });
  const [container] = deployment.spec.template.spec.containers;
  expect(container).toMatchObject({ image: `lectern:${version}`, readinessProbe: { httpGet: { path: "/readyz" } } });
  expect(deployment.spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
  const named = container.env.map(({ name }) => name.replace("LECTERN_", "").toLowerCase().replaceAll("_", "-"));
  const options = describeSettings().map(({ option }) => option);
  expect(named.filter((name) => !options.includes(name))).toEqual([]);
});

test("Patroni: commits wait for a standby", () => {
  expect(Bun.YAML.parse(read("patroni.yml"))).toMatchObject({
    bootstrap: { dcs: { synchronous_mode: true }, initdb: expect.arrayContaining([{ encoding: "UTF8" }]) },
  });
});

test.skipIf(lacks("haproxy", hasHaproxy))("HAProxy takes its file", async () => {
  const child = Bun.spawn([
    Bun.which("haproxy", { PATH: "/usr/sbin:/usr/bin:/bin" }) ?? "haproxy",
    "-c",
    "-f",
    join(ROOT, "docs/deploy/haproxy.cfg"),
  ]);
  expect(await child.exited).toBe(0);
});

interface Deployment {
  spec: { template: { spec: { securityContext: object; containers: [{ env: { name: string }[] }] } } };
}

interface StatefulSet {
  spec: {
    replicas: number;
    selector: { matchLabels: object };
    template: { spec: { securityContext: object; containers: [Container] } };
    volumeClaimTemplates: [{ metadata: { name: string } }];
  };
}

interface Container {
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
}

interface Probe {
  httpGet: { path: string };
}

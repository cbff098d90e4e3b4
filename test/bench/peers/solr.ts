import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { httpAnswer, requestBytes } from "../connection.ts";
import { attributesAt, conditionOf, decimals, type Engine, K, vectorOf } from "./engine.ts";
import { fromMaven, run } from "./install.ts";
import { freePort, spawn } from "./processes.ts";
import { ask, inBatches, positionsBetween, type Protocol, Served } from "./served.ts";

const VERSION = "9.10.1";
let folder = "";

/** Starts Solr in Jetty, as its distribution does: that one is in no package registry, its jars are. */
const MAIN = `
import java.util.Properties;
import org.apache.solr.embedded.JettyConfig;
import org.apache.solr.embedded.JettySolrRunner;
public class Start {
  public static void main(String[] args) throws Exception {
    JettyConfig config = JettyConfig.builder().setPort(Integer.parseInt(args[1])).build();
    JettySolrRunner runner = new JettySolrRunner(args[0], new Properties(), config);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try { runner.stop(); } catch (Exception failed) { failed.printStackTrace(); }
    }));
    runner.start();
    Thread.currentThread().join();
  }
}`;
const CONFIG = `<config>
  <luceneMatchVersion>9.12.3</luceneMatchVersion>
  <schemaFactory class="ClassicIndexSchemaFactory"/>
  <requestHandler name="/select" class="solr.SearchHandler"/>
  <updateHandler class="solr.DirectUpdateHandler2"><updateLog/></updateHandler>
</config>`;
const SCHEMA = `<schema name="bench" version="1.7">
  <fieldType name="string" class="solr.StrField"/>
  <fieldType name="int" class="solr.IntPointField" docValues="true"/>
  <fieldType name="long" class="solr.LongPointField" docValues="true"/>
  <fieldType name="vector" class="solr.DenseVectorField" vectorDimension="256" similarityFunction="dot_product"/>
  <field name="id" type="string" indexed="true" stored="true" required="true"/>
  <field name="_version_" type="long" indexed="false" stored="false"/>
  <field name="content" type="string" indexed="false" stored="true" docValues="false"/>
  <field name="tenth" type="int" indexed="true" stored="true"/>
  <field name="hundredth" type="int" indexed="true" stored="true"/>
  <field name="vector" type="vector" indexed="true" stored="false"/>
  <uniqueKey>id</uniqueKey>
</schema>`;
/** Those of Solr's own start script. */
const MEMORY = ["-Xms512m", "-Xmx512m", "-XX:+UseG1GC"];

/**
 * Solr, alone, with its defaults of HNSW. It keeps no results of earlier searches: the same questions come again and
 * again here, as they do not elsewhere.
 */
export const solr: Engine = {
  name: "Solr",
  how: "http",
  filters: true,
  concurrent: true,
  async install() {
    folder = await fromMaven("solr", "org.apache.solr", { "solr-test-framework": VERSION });
    if (!existsSync(join(folder, "classes/Start.class"))) {
      await Bun.write(join(folder, "Start.java"), MAIN);
      await run(folder, ["javac", "-proc:none", "-cp", "lib/*", "-d", "classes", "Start.java"]);
    }
    const conf = join(folder, "home/configsets/bench/conf");
    mkdirSync(conf, { recursive: true });
    await Bun.write(join(folder, "home/solr.xml"), "<solr/>");
    await Bun.write(join(conf, "solrconfig.xml"), CONFIG);
    await Bun.write(join(conf, "schema.xml"), SCHEMA);
    return VERSION;
  },
  async start({ dir, cores }) {
    const port = await freePort();
    const home = join(dir, "data");
    if (!existsSync(home)) cpSync(join(folder, "home"), home, { recursive: true });
    const classes = [join(folder, "classes"), join(folder, "lib/*")].join(":");
    const java = ["java", ...MEMORY, "-Djava.awt.headless=true", `-Dsolr.log.dir=${dir}`, "-cp", classes];
    const child = spawn([...java, "Start", home, String(port)], { cores, cwd: dir });
    return new Served(child, protocol(`http://127.0.0.1:${port}/solr`));
  },
};

interface Found {
  response: { docs: { id: string }[] };
}

function protocol(url: string): Protocol {
  return {
    url,
    framing: httpAnswer,
    greetings: () => [],
    request(core, query, share) {
      const condition = conditionOf(share);
      return requestBytes("POST", `${url}/${core}/select`, null, {
        query: `{!knn f=vector topK=${K}}${JSON.stringify(decimals(query))}`,
        fields: "id,content,tenth,hundredth,score",
        limit: K,
        ...(condition === null ? {} : { filter: `${condition.key}:${condition.value}` }),
      });
    },
    positions: (body) =>
      (JSON.parse(new TextDecoder().decode(body)) as Found).response.docs.map(({ id }) => Number(id)),
    ready: async () => (await fetch(`${url}/admin/cores?action=STATUS`)).ok,
    async load(core, data) {
      await ask(`${url}/admin/cores?action=CREATE&name=${core}&configSet=bench`);
      await inBatches(data.count, async (from, to) => {
        const documents = positionsBetween(from, to).map((n) => {
          const [content, vector] = [data.texts[n], decimals(vectorOf(data, n))];
          return { id: String(n), content, ...attributesAt(n), vector };
        });
        await ask(`${url}/${core}/update`, documents);
      });
      await ask(`${url}/${core}/update?commit=true`, []);
      return core;
    },
  };
}

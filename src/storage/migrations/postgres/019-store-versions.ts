/**
 * What became visible to searches of a store: its version is raised, and a row tells what it was, by triggers, in the
 * transaction that changes it. So no statement can forget it, whoever sends it. Frozen.
 *
 * - Each change is one version, under the lock of the store's row: versions of one store commit in order and without gaps.
 * - A file is seen while it is completed: what happens to others is no change. Of a generation that is not live a file is
 *   seen once it is whole there.
 * - Of a store that is being deleted nothing is written: nobody searches it any more.
 * - Keyword terms that a newer analyzer made are told of by whoever wrote the last of a file (storage/chunk-terms.ts).
 */
export const sql = /*sql*/ `
ALTER TABLE vector_store ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

CREATE TABLE store_change (
  tenant_id  TEXT COLLATE "C" NOT NULL,
  store_id   TEXT COLLATE "C" NOT NULL,
  version    BIGINT NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('completed', 'grown', 'attributes', 'removed', 'terms', 'entered',
               'next', 'live', 'retired', 'mode', 'everything')),
  store_file BIGINT,
  generation BIGINT,
  at         BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, store_id, version),
  FOREIGN KEY (tenant_id, store_id) REFERENCES vector_store (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX store_change_by_time ON store_change (at);
CREATE INDEX store_change_retired ON store_change (generation) WHERE kind = 'retired';

-- More files than this at once are not named: whoever has the store in memory loads it anew.
CREATE FUNCTION store_changed(of_tenant TEXT, of_store TEXT, kinds TEXT[], files BIGINT[], of_generation BIGINT)
  RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  many BIGINT := cardinality(kinds);
  before BIGINT;
BEGIN
  IF many > 1000 THEN
    many := 1;
    kinds := ARRAY['everything'];
    files := ARRAY[NULL::bigint];
  END IF;
  UPDATE vector_store SET version = version + many
    WHERE tenant_id = of_tenant AND id = of_store AND lifecycle <> 'deleting' RETURNING version - many INTO before;
  IF before IS NULL THEN RETURN; END IF;
  INSERT INTO store_change (tenant_id, store_id, version, kind, store_file, generation, at)
    SELECT of_tenant, of_store, before + c.place, c.kind, c.file, of_generation,
      extract(epoch FROM clock_timestamp())::bigint
    FROM unnest(kinds, files) WITH ORDINALITY AS c (kind, file, place);
END $$;

CREATE FUNCTION store_file_seen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE own RECORD;
BEGIN
  IF TG_OP = 'INSERT' THEN
    FOR own IN SELECT tenant_id, store_id, array_agg(seq ORDER BY seq) AS files, array_agg('completed'::text) AS kinds
        FROM added WHERE status = 'completed' GROUP BY tenant_id, store_id ORDER BY tenant_id, store_id LOOP
      PERFORM store_changed(own.tenant_id, own.store_id, own.kinds, own.files, NULL);
    END LOOP;
  ELSIF TG_OP = 'DELETE' THEN
    FOR own IN SELECT tenant_id, store_id, array_agg(seq ORDER BY seq) AS files, array_agg('removed'::text) AS kinds
        FROM removed WHERE status = 'completed' GROUP BY tenant_id, store_id ORDER BY tenant_id, store_id LOOP
      PERFORM store_changed(own.tenant_id, own.store_id, own.kinds, own.files, NULL);
    END LOOP;
  ELSE
    FOR own IN SELECT n.tenant_id, n.store_id, array_agg(n.seq ORDER BY n.seq) AS files, array_agg(CASE
            WHEN n.status <> 'completed' THEN 'removed'
            WHEN o.status <> 'completed' OR n.revision <> o.revision OR n.file_id <> o.file_id OR n.filename <> o.filename
              THEN 'completed'
            WHEN n.content_bytes <> o.content_bytes THEN 'grown'
            ELSE 'attributes' END ORDER BY n.seq) AS kinds
        FROM added n JOIN removed o ON o.tenant_id = n.tenant_id AND o.seq = n.seq
        WHERE (n.status = 'completed' OR o.status = 'completed')
          AND (n.status, n.revision, n.file_id, n.filename, n.content_bytes, n.attributes)
            IS DISTINCT FROM (o.status, o.revision, o.file_id, o.filename, o.content_bytes, o.attributes)
        GROUP BY n.tenant_id, n.store_id ORDER BY n.tenant_id, n.store_id LOOP
      PERFORM store_changed(own.tenant_id, own.store_id, own.kinds, own.files, NULL);
    END LOOP;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER store_file_seen_added AFTER INSERT ON store_file REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION store_file_seen();
CREATE TRIGGER store_file_seen_removed AFTER DELETE ON store_file REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION store_file_seen();
CREATE TRIGGER store_file_seen_changed AFTER UPDATE ON store_file REFERENCING OLD TABLE AS removed NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION store_file_seen();

-- What is added to the live generation is told of by the file's own row.
CREATE FUNCTION generation_file_seen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE of_store TEXT;
BEGIN
  SELECT store_id INTO of_store FROM generation
    WHERE tenant_id = NEW.tenant_id AND id = NEW.generation AND state IN ('building', 'retained');
  IF FOUND THEN
    PERFORM store_changed(NEW.tenant_id, of_store, ARRAY['entered'], ARRAY[NEW.store_file], NEW.generation);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER generation_file_seen AFTER INSERT OR UPDATE ON generation_file FOR EACH ROW
  WHEN (NEW.done = 1) EXECUTE FUNCTION generation_file_seen();

CREATE FUNCTION store_seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.live_generation <> OLD.live_generation THEN
    PERFORM store_changed(NEW.tenant_id, NEW.id, ARRAY['live'], ARRAY[NULL::bigint], NEW.live_generation);
  END IF;
  IF NEW.index_mode <> OLD.index_mode THEN
    PERFORM store_changed(NEW.tenant_id, NEW.id, ARRAY['mode'], ARRAY[NULL::bigint], NULL);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER store_seen AFTER UPDATE OF live_generation, index_mode ON vector_store FOR EACH ROW
  EXECUTE FUNCTION store_seen();

CREATE FUNCTION generation_seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM store_changed(NEW.tenant_id, NEW.store_id, ARRAY['retired'], ARRAY[NULL::bigint], NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER generation_seen AFTER UPDATE OF state ON generation FOR EACH ROW
  WHEN (NEW.state = 'retired' AND OLD.state <> 'retired') EXECUTE FUNCTION generation_seen();

-- A generation that may soon be live is loaded ahead of that.
CREATE FUNCTION migration_seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM store_changed(NEW.tenant_id, NEW.store_id, ARRAY['next'], ARRAY[NULL::bigint], NEW.to_generation);
  RETURN NULL;
END $$;
CREATE TRIGGER migration_seen AFTER UPDATE OF status ON migration FOR EACH ROW
  WHEN (NEW.status = 'verifying' AND OLD.status <> 'verifying' AND NEW.to_generation IS NOT NULL)
  EXECUTE FUNCTION migration_seen();
`;

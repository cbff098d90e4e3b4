/** Claiming a job, and knowing how many wait, costs the same however many there are. Frozen. */
export const sql = /*sql*/ `
DROP INDEX job_due;
-- The next job of one tenant; \`due_ms\` is there so that jobs that are not due yet are passed over within the index.
CREATE INDEX job_next ON job (kind, tenant_id, priority, id, due_ms) WHERE lease_owner IS NULL;
CREATE INDEX job_by_due ON job (due_ms) WHERE lease_owner IS NULL;
CREATE INDEX job_by_lease ON job (lease_owner) WHERE lease_owner IS NOT NULL;
CREATE INDEX job_by_store ON job (store_id) WHERE store_id IS NOT NULL;

-- Kept by the triggers below.
CREATE TABLE job_count (
  kind      TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  waiting   INTEGER NOT NULL,
  running   INTEGER NOT NULL,
  PRIMARY KEY (kind, tenant_id)
) STRICT, WITHOUT ROWID;
INSERT INTO job_count (kind, tenant_id, waiting, running)
SELECT kind, tenant_id, sum(lease_owner IS NULL), sum(lease_owner IS NOT NULL) FROM job GROUP BY kind, tenant_id;

CREATE TRIGGER job_added AFTER INSERT ON job BEGIN
  INSERT INTO job_count (kind, tenant_id, waiting, running)
    VALUES (NEW.kind, NEW.tenant_id, NEW.lease_owner IS NULL, NEW.lease_owner IS NOT NULL)
    ON CONFLICT (kind, tenant_id) DO UPDATE SET waiting = waiting + excluded.waiting, running = running + excluded.running;
END;
CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN
  UPDATE job_count SET waiting = waiting - (OLD.lease_owner IS NULL), running = running - (OLD.lease_owner IS NOT NULL)
    WHERE kind = OLD.kind AND tenant_id = OLD.tenant_id;
  DELETE FROM job_count WHERE kind = OLD.kind AND tenant_id = OLD.tenant_id AND waiting <= 0 AND running <= 0;
END;
CREATE TRIGGER job_leased AFTER UPDATE OF lease_owner ON job BEGIN
  UPDATE job_count SET
    waiting = waiting - (OLD.lease_owner IS NULL) + (NEW.lease_owner IS NULL),
    running = running - (OLD.lease_owner IS NOT NULL) + (NEW.lease_owner IS NOT NULL)
    WHERE kind = NEW.kind AND tenant_id = NEW.tenant_id;
END;
`;

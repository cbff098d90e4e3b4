/** What servers tell one another of what is under way. Frozen. */
export const sql = /*sql*/ `
ALTER TABLE job ADD COLUMN progress TEXT COLLATE "C";

CREATE TABLE response_step (
  tenant_id TEXT COLLATE "C" NOT NULL,
  response  BIGINT NOT NULL,
  first     BIGINT NOT NULL,
  up_to     BIGINT NOT NULL,
  writer    TEXT COLLATE "C" NOT NULL,
  steps     TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, response, first),
  FOREIGN KEY (tenant_id, response) REFERENCES response (tenant_id, seq) ON DELETE CASCADE
);

CREATE TABLE held (
  tenant_id TEXT COLLATE "C" NOT NULL,
  name      TEXT COLLATE "C" NOT NULL,
  holder    TEXT COLLATE "C" NOT NULL,
  until_ms  BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
);

CREATE TABLE console_pass (
  tenant_id TEXT COLLATE "C" NOT NULL,
  hash      TEXT COLLATE "C" NOT NULL,
  kind      TEXT COLLATE "C" NOT NULL CHECK (kind IN ('code', 'session')),
  ends_ms   BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, hash)
);

CREATE TABLE list_place (
  tenant_id TEXT COLLATE "C" NOT NULL,
  name      TEXT COLLATE "C" NOT NULL,
  seq       BIGINT NOT NULL,
  noted_at  BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
CREATE INDEX list_place_by_time ON list_place (noted_at);
`;

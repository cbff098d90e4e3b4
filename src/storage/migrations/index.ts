import * as m001 from "./001-init.ts";
import * as m002 from "./002-add-migrations.ts";
import * as m003 from "./003-add-limits-and-logs.ts";
import * as m004 from "./004-add-embedding-cache.ts";
import * as m005 from "./005-count-jobs.ts";
import * as m006 from "./006-add-chunk-lines.ts";
import * as m007 from "./007-add-judgments.ts";
import * as m008 from "./008-reanalyze-chunks.ts";
import * as m009 from "./009-bound-query-log.ts";
import * as m010 from "./010-add-upload-owners.ts";
import * as m011 from "./011-add-responses.ts";
import * as m012 from "./012-add-assistants.ts";
import * as m013 from "./013-add-conversations.ts";
import * as m014 from "./014-add-instance.ts";
import * as m015 from "./015-share-windows.ts";
import * as m016 from "./016-keep-results.ts";
import * as m017 from "./017-add-chunk-attributes.ts";
import * as m018 from "./018-add-replicas.ts";
import * as m019 from "./019-add-store-versions.ts";
import * as m020 from "./020-share-state.ts";
import * as m021 from "./021-find-by-index.ts";
import * as m022 from "./022-mark-commits.ts";

export interface Migration {
  version: number;
  sql: string;
  /**
   * The oldest schema version whose binaries may still open the file after this migration. One that adds or changes
   * triggers or views is its own: an older binary opens no file with such as it does not know.
   */
  minSafeVersion: number;
}

/** In order. A static list: nothing in the binary scans a folder. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: m001.sql, minSafeVersion: 1 },
  { version: 2, sql: m002.sql, minSafeVersion: 2 },
  { version: 3, sql: m003.sql, minSafeVersion: 3 },
  { version: 4, sql: m004.sql, minSafeVersion: 4 },
  { version: 5, sql: m005.sql, minSafeVersion: 5 },
  { version: 6, sql: m006.sql, minSafeVersion: 5 },
  { version: 7, sql: m007.sql, minSafeVersion: 5 },
  // Older binaries cannot read the terms of analyzer version 2.
  { version: 8, sql: m008.sql, minSafeVersion: 8 },
  { version: 9, sql: m009.sql, minSafeVersion: 8 },
  { version: 10, sql: m010.sql, minSafeVersion: 8 },
  // Older binaries would delete files and leave what answers hold of them.
  { version: 11, sql: m011.sql, minSafeVersion: 11 },
  // Older binaries would delete files and leave what runs hold of them.
  { version: 12, sql: m012.sql, minSafeVersion: 12 },
  // Older binaries would take conversations' items away with their age.
  { version: 13, sql: m013.sql, minSafeVersion: 13 },
  { version: 14, sql: m014.sql, minSafeVersion: 13 },
  // Older binaries would find a chunk by the windows that it brought alone.
  { version: 15, sql: m015.sql, minSafeVersion: 15 },
  { version: 16, sql: m016.sql, minSafeVersion: 15 },
  // Older binaries would filter such chunks by what their files have, and leave the rows when they delete.
  { version: 17, sql: m017.sql, minSafeVersion: 17 },
  { version: 18, sql: m018.sql, minSafeVersion: 17 },
  { version: 19, sql: m019.sql, minSafeVersion: 17 },
  { version: 20, sql: m020.sql, minSafeVersion: 17 },
  { version: 21, sql: m021.sql, minSafeVersion: 17 },
  { version: 22, sql: m022.sql, minSafeVersion: 17 },
];

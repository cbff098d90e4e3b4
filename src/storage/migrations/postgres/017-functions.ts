/** Functions of SQLite that statements use, in PostgreSQL's words. Frozen. */
export const functions = /*sql*/ `
CREATE FUNCTION json_each(list TEXT, OUT key BIGINT, OUT value TEXT) RETURNS SETOF RECORD
  LANGUAGE sql IMMUTABLE ROWS 100 AS
  $$ SELECT e.n - 1, e.v FROM json_array_elements_text(list::json) WITH ORDINALITY AS e (v, n) $$;
-- A path is names and places of lists: $.a.b or $[0].
CREATE FUNCTION json_path_of(path TEXT) RETURNS TEXT[] LANGUAGE sql IMMUTABLE AS
  $$ SELECT string_to_array(ltrim(translate(substr(path, 2), '[]', '.'), '.'), '.') $$;
CREATE FUNCTION json_extract(body TEXT, path TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS
  $$ SELECT body::json #>> json_path_of(path) $$;
CREATE FUNCTION json_array_length(body TEXT, path TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS
  $$ SELECT json_array_length(body::json #> json_path_of(path))::bigint $$;
CREATE FUNCTION json_quote(value TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$ SELECT to_json(value)::text $$;
-- Whether a text fits a pattern: * is any text, ? any character, [xy] one of these.
CREATE FUNCTION glob(pattern TEXT, value TEXT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE AS
  $$ SELECT value ~ ('^' || regexp_replace(regexp_replace(regexp_replace(
       pattern, '([.+(){}|^$\\\\])', '\\\\\\1', 'g'), '(?<!\\[)\\*', '.*', 'g'), '(?<!\\[)\\?', '.', 'g') || '$') $$;
-- Frozen in what it gives for a text, as a function in an index must be: databases of Lectern are in UTF-8.
CREATE FUNCTION text_hash(value TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE AS
  $$ SELECT sha256(convert_to(value, 'UTF8')) $$;
`;

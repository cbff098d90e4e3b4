/** What test/fixtures/data-schema-N.tar.gz hold, and of which schemas there are such. */
export const SCHEMAS = [10, 13, 15, 16, 17, 18, 19, 20, 21] as const;

export const FIXTURE = {
  /** Given by LECTERN_API_KEY. */
  key: "test key of earlier schemas 0123456789",
  store: "harbour",
  files: {
    "pier.md": "# Pier\n\nThe lamp on the northern pier is lit at dusk by the harbour master.",
    "rent.txt": "The rent of a berth is paid on the first of March. A berth costs 400 crowns.",
  },
  query: "who lights the lamp on the pier",
  assistant: "harbour master",
} as const;

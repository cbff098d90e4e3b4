/** What a tenant or a key may have; null: the server's default, for a key the tenant's. */
export interface Quotas {
  max_vector_stores: number | null;
  max_files_per_store: number | null;
  max_bytes: number | null;
  requests_per_minute: number | null;
  concurrent_ingests: number | null;
}

export const NO_QUOTAS: Quotas = {
  max_vector_stores: null,
  max_files_per_store: null,
  max_bytes: null,
  requests_per_minute: null,
  concurrent_ingests: null,
};

/** With what is not given as the default. */
export function wholeQuotas(quotas: Partial<Quotas>): Quotas {
  return { ...NO_QUOTAS, ...quotas };
}

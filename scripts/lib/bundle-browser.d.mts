import type { Plugin } from 'rolldown';

/** Bundles entries for pages and workers. */
export function bundleBrowser(
  input: Readonly<Record<string, string>>,
  options?: { minify?: boolean; plugins?: readonly Plugin[] },
): Promise<{ files: Record<string, string>; missing: string[]; modules: string[] }>;

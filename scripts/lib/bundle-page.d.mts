/** The page's script and style as text. */
export function bundlePage(): Promise<{ script: string; style: string }>;

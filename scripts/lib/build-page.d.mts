/** Files of the page "This GPU" by name. */
export function pageFiles(): Promise<Record<string, string | Uint8Array>>;
/** Writes them, by default into page/built, and returns the folder. */
export function buildPage(folder?: string): Promise<string>;

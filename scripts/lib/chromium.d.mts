/** The executable that OSLER_CHROMIUM names, or the first that is found; undefined where there is none. */
export function findChromium(): string | undefined;
/** What a skipped test says. */
export const NO_CHROMIUM: string;

/** A folder of src/, or a file right in it; the longest name that fits a file is its room. */
export interface Room {
  /** Rooms that it may import from, beside itself. */
  readonly may: readonly string[];
  /** It may use Node and any package. */
  readonly node?: boolean;
}

/** What imports are held to. */
export interface Rules {
  readonly rooms: Readonly<Record<string, Room>>;
  /** Packages that run in a browser as well. */
  readonly packages: readonly string[];
  /** Files that run in a browser with all that they reach. */
  readonly entries: readonly string[];
}

/** Every import of a file, whether static, dynamic, of types alone or by `require` or `resolve`, and every re-export. */
export function importsOf(text: string, file: string): { specifier: string | undefined; line: number }[];

/** True for tests, and for what they share. */
export function isTest(file: string): boolean;

/** Checks files, given by path within src/, and returns one line for each violation of the rules. */
export function checkImports(sources: ReadonlyMap<string, string>, rules: Rules): string[];

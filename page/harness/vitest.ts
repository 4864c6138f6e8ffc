/**
 * As much of vitest as the files of kernels-tests/ use, for a worker in a tab: they are bundled with this in its place. What they
 * expect is judged by vitest's own `expect`.
 */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';
import * as chai from 'chai';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** vitest's `expect`. */
export const expect = Object.assign(
  (value: unknown, message?: string) => chai.expect(value, message),
  (globalThis as unknown as Record<symbol, object>)[ASYMMETRIC_MATCHERS_OBJECT],
);

type Hook = () => unknown;
type Body = (...args: never[]) => unknown;

interface Context {
  skip(condition?: boolean, note?: string): void;
}

interface Suite {
  readonly name: string;
  readonly parent: Suite | null;
  readonly skipped: boolean;
  readonly hooks: Record<'beforeAll' | 'afterAll' | 'beforeEach' | 'afterEach', Hook[]>;
  readonly parts: (Suite | Test)[];
}

interface Test {
  readonly name: string;
  readonly skipped: boolean;
  run(context: Context): unknown;
}

/** How a test ended. */
export interface TestResult {
  /** Its name after those of what it stands in, as the terminal has it. */
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly milliseconds: number;
  /** Why it failed, or was skipped. */
  readonly reason?: string;
}

class Skipped extends Error {}

function makeSuite(name: string, parent: Suite | null, skipped: boolean): Suite {
  return {
    name,
    parent,
    skipped,
    parts: [],
    hooks: { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] },
  };
}

let current = makeSuite('', null, false);

const hook = (kind: keyof Suite['hooks']) => (body: Hook) => void current.hooks[kind].push(body);
export const beforeAll = hook('beforeAll');
export const afterAll = hook('afterAll');
export const beforeEach = hook('beforeEach');
export const afterEach = hook('afterEach');

function addSuite(skipped: boolean, name: string, body: Body, args: readonly unknown[] = []): void {
  const suite = makeSuite(name, current, skipped);
  current.parts.push(suite);
  current = suite;
  body(...(args as never[]));
  current = suite.parent as Suite;
}

function addTest(skipped: boolean, name: string, run: (context: Context) => unknown): void {
  current.parts.push({ name, skipped, run });
}

const listed = (item: unknown): unknown[] => (Array.isArray(item) ? item : [item]);

function describeWith(skipped: boolean) {
  return Object.assign((name: string, body: Body) => addSuite(skipped, name, body), {
    each: (items: readonly unknown[]) => (name: string, body: Body) => {
      for (const item of items) addSuite(skipped, format(name, listed(item)), body, listed(item));
    },
    skipIf: (condition: unknown) => describeWith(Boolean(condition)),
  });
}

function testWith(skipped: boolean) {
  return Object.assign(
    (name: string, body: Body) => addTest(skipped, name, (context) => body(context as never)),
    {
      each: (items: readonly unknown[]) => (name: string, body: Body) => {
        for (const item of items) {
          addTest(skipped, format(name, listed(item)), () => body(...(listed(item) as never[])));
        }
      },
      for: (items: readonly unknown[]) => (name: string, body: Body) => {
        for (const item of items) {
          addTest(skipped, format(name, listed(item)), (context) => body(item as never, context as never));
        }
      },
      skipIf: (condition: unknown) => testWith(Boolean(condition)),
      runIf: (condition: unknown) => testWith(!condition),
    },
  );
}

export const describe = describeWith(false);
export const test = testWith(false);
export const it = test;

/** A name with the values of a table in it. */
function format(name: string, args: readonly unknown[]): string {
  let next = 0;
  const filled = name.replace(/%([sdijo%])/g, (_, kind: string) => {
    if (kind === '%') return '%';
    const value = args[next++];
    return kind === 's' && typeof value !== 'object' ? String(value) : JSON.stringify(value);
  });
  const [first] = args;
  return filled.replace(/\$(\w+)/g, (whole, key: string) =>
    typeof first === 'object' && first !== null && key in first
      ? String((first as Record<string, unknown>)[key])
      : whole,
  );
}

/** Runs what `load` defines, one test after another, and tells of each. */
export async function runTests(
  load: () => Promise<unknown>,
  onResult: (result: TestResult) => void,
): Promise<void> {
  current = makeSuite('', null, false);
  const root = current;
  await load();
  await runSuite(root, [], onResult);
}

async function runSuite(
  suite: Suite,
  above: readonly Suite[],
  onResult: (result: TestResult) => void,
): Promise<void> {
  const line = [...above, suite];
  const names = line.map(({ name }) => name).filter((name) => name !== '');
  let broken: unknown;
  try {
    if (!suite.skipped) for (const body of suite.hooks.beforeAll) await body();
  } catch (error) {
    broken = error;
  }
  for (const part of suite.parts) {
    if ('parts' in part) {
      await runSuite(suite.skipped ? { ...part, skipped: true } : part, line, onResult);
      continue;
    }
    const start = performance.now();
    const told = (state: TestResult['state'], reason?: string) =>
      onResult({
        name: [...names, part.name].join(' > '),
        state,
        milliseconds: performance.now() - start,
        ...(reason === undefined ? {} : { reason }),
      });
    if (suite.skipped || part.skipped) {
      told('skipped');
      continue;
    }
    try {
      if (broken !== undefined) throw broken;
      for (const { hooks } of line) for (const body of hooks.beforeEach) await body();
      await part.run({
        skip: (condition = true, note) => {
          if (condition) throw new Skipped(note);
        },
      });
      for (const { hooks } of line.toReversed()) for (const body of hooks.afterEach) await body();
      told('passed');
    } catch (error) {
      if (error instanceof Skipped) told('skipped', error.message);
      else told('failed', error instanceof Error ? error.message : String(error));
    }
  }
  if (!suite.skipped) for (const body of suite.hooks.afterAll) await body();
}

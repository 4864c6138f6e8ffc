/** From YAML text and `--set` overrides to a checked config; every mistake is named with the values that are allowed. */
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { OslerError } from '../../gpu/index.js';
import { closest } from './suggest.js';

/** Text of a config, and what comes on top of it. */
export interface ConfigSource {
  /** What error messages call it. */
  readonly file: string;
  readonly text: string;
  /** `a.b=value`, the value in YAML; later ones win. */
  readonly set?: readonly string[];
}

/** An error in a config: bad input. */
export function configError(where: string, problem: string): OslerError {
  return new OslerError('value', `${where} ${problem}`);
}

/** Reads a config; throws one sentence with all mistakes that were found. */
export function parseConfigFile<Shape extends z.core.$ZodLooseShape>(
  schema: z.ZodObject<Shape>,
  source: ConfigSource,
): z.output<z.ZodObject<Shape>> {
  const input = applySets(parseYamlFile(source.file, source.text), source.set ?? []);
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, input, schema));
  const places = problems.map(({ path }) => placeOf(path, source));
  const sentences = [...new Set(places)].map((place) => {
    const here = problems.filter((_, i) => places[i] === place);
    return `${place}: ${here.map(({ text }) => text).join('; ')}`;
  });
  throw new OslerError('value', sentences.join('; '));
}

/** Where the value at a path was given: in the last `--set` that reaches it, or in the file. */
function placeOf(path: readonly string[], { file, set = [] }: ConfigSource): string {
  const reaches = (text: string) => {
    const own = pathOfSet(text);
    return path.slice(0, own.length).join('.') === own.slice(0, path.length).join('.');
  };
  const last = [...set].reverse().find(reaches);
  return last === undefined ? file : `--set ${last}`;
}

function pathOfSet(set: string): string[] {
  return set.slice(0, set.indexOf('=')).trim().split('.');
}

type Tree = Record<string, unknown>;

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads YAML that is an object. */
export function parseYamlFile(file: string, text: string): Tree {
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (error) {
    throw configError(file, `is not YAML: ${yamlProblem(error)}`);
  }
  if (value === null || value === undefined) return {};
  if (!isTree(value)) throw configError(file, 'is not a list of "field: value" lines');
  return value;
}

/** The parser's first line; what follows it is a picture of the place, to which a colon leads. */
function yamlProblem(error: unknown): string {
  return (error as Error).message.split('\n')[0].replace(/:$/, '');
}

function applySets(input: Tree, sets: readonly string[]): Tree {
  const root = structuredClone(input);
  for (const set of sets) {
    const [, text] = /^[^=]+=([\s\S]*)$/.exec(set) ?? [];
    if (text === undefined) throw configError(`--set ${set}`, 'has no "="; write --set learning_rate=1e-5');
    let at = root;
    const keys = pathOfSet(set);
    for (const key of keys.slice(0, -1)) {
      const own = Object.hasOwn(at, key) ? at[key] : undefined;
      if (!isTree(own) && own !== undefined)
        throw configError(`--set ${set}`, `goes below "${key}", which is a value`);
      const next: Tree = own ?? Object.create(null);
      at[key] = next;
      at = next;
    }
    at[keys.at(-1) as string] = yamlValue(set, text);
  }
  return root;
}

function yamlValue(set: string, text: string): unknown {
  try {
    return parseYaml(text);
  } catch (error) {
    throw configError(`--set ${set}`, `has a value that is not YAML: ${yamlProblem(error)}`);
  }
}

/** A mistake and the field that has it. */
interface Problem {
  readonly path: readonly string[];
  readonly text: string;
}

function problemsOf(issue: z.core.$ZodIssue, input: unknown, schema: z.ZodType): Problem[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], text: unknownField(key, path, schema) }));
  }
  return [{ path, text: describe(issue, path, input) }];
}

function describe(issue: z.core.$ZodIssue, path: readonly string[], input: unknown): string {
  const field = `"${path.join('.')}"`;
  const value = path.reduce<unknown>((at, key) => (at as Tree | undefined)?.[key], input);
  if (value === undefined) return `${field} is missing; ${expected(issue)}`;
  if (issue.code === 'custom') return `${field} ${issue.message}`;
  return `${field} is ${JSON.stringify(value)}; ${expected(issue)}`;
}

/** Fields of other trainers that somebody may miss here, and why there are none. */
const NOT_OFFERED: Readonly<Record<string, string>> = {
  activation_offloading:
    'is not offered: it would save 8% of the memory of a 7B with prompts of 4096 tokens (docs/memory.md); lower max_pixels or max_prompt_length in its place',
};

function unknownField(key: string, path: readonly string[], schema: z.ZodType): string {
  if (path.length === 0 && Object.hasOwn(NOT_OFFERED, key)) return `"${key}" ${NOT_OFFERED[key]}`;
  const known = fieldNames(schema, path);
  const meant = closest(key, known);
  const name = [...path, key].join('.');
  if (meant) return `"${name}" is not a field; did you mean "${[...path, meant].join('.')}"?`;
  const list = path.length > 0 ? `; known are ${known.join(', ')}` : '';
  return `"${name}" is not a field${list}`;
}

/** Names of the fields of the object at a path of a schema. */
function fieldNames(schema: z.ZodType, path: readonly string[]): string[] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [];
  const [first, ...rest] = path;
  return first === undefined ? Object.keys(inner.shape) : fieldNames(inner.shape[first] as z.ZodType, rest);
}

function unwrap(schema: z.ZodType): z.ZodType {
  const wrapped =
    schema instanceof z.ZodDefault || schema instanceof z.ZodNullable || schema instanceof z.ZodOptional;
  return wrapped ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

const TYPES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

/** What would have been right, from what was wrong. */
function expected(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `allowed are ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return limit(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
    case 'too_big':
      return limit(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
    case 'invalid_union':
      return `expected ${[...new Set(issue.errors.flat().map((inner) => expected(inner).replace(/^(expected|allowed are) /, '')))].join(', or ')}`;
    default:
      return issue.message;
  }
}

function limit(origin: string, words: string, bound: number | bigint): string {
  if (origin === 'string' || origin === 'array') return 'expected something that is not empty';
  return `expected ${origin === 'int' ? 'a whole number' : 'a number'} of ${words} ${bound}`;
}

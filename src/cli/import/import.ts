/** From a config of another trainer to ours. */

import { stringify } from 'yaml';
import { GRPO_FIELDS } from '../../grpo/config.js';
import { parseGrpoConfig } from '../../grpo/index.js';
import { SFT_FIELDS } from '../../sft/config.js';
import { parseSftConfig } from '../../sft/index.js';
import { parseYamlFile } from '../../train/config/index.js';
import { easyR1 } from './easy-r1.js';
import { msSwift } from './ms-swift.js';
import type { Fields, Origin, Source } from './rules.js';
import { trl } from './trl.js';

/** Trainers whose configs are read, by what `--from` calls them. */
export const ORIGINS: Readonly<Record<string, Origin>> = { trl, easyr1: easyR1, 'ms-swift': msSwift };

/** What came of a config. */
export interface Imported {
  readonly origin: string;
  readonly trainer: 'sft' | 'grpo';
  readonly fields: Fields;
  /** Fields that have no counterpart, and why. */
  readonly without: Readonly<Record<string, string>>;
  /** Fields that change nothing here, and why. */
  readonly needless: Readonly<Record<string, string>>;
  readonly remarks: readonly string[];
  /** What the trainer would say of it. */
  readonly problem: string | null;
}

/** Reads a config, of the trainer that it shows itself to be of by default. */
export function importConfig(file: string, text: string, from?: string): Imported {
  const tree = parseYamlFile(file, text);
  const origin = ORIGINS[from ?? originOf(tree)];
  const source = origin === easyR1 ? flat(tree) : tree;
  const trainer = origin.trainer(source);
  const known = trainer === 'grpo' ? GRPO_FIELDS : SFT_FIELDS;
  const fields: Fields = { ...origin.defaults(source) };
  const without: Record<string, string> = {};
  const needless: Record<string, string> = {};
  for (const [name, value] of Object.entries(source)) {
    const why = Object.entries(origin.needless).find(([start]) => name.startsWith(start));
    if (Object.hasOwn(origin.rules, name)) {
      const found = origin.rules[name](value, source);
      if (typeof found === 'string') without[name] = found;
      else Object.assign(fields, found);
    } else if (why) needless[name] = why[1];
    else if (!known.has(name)) without[name] = 'has no counterpart';
    // What is not set is the default here, too.
    else if (value !== null) fields[name] = value;
  }
  for (const name of Object.keys(fields)) {
    if (known.has(name.split('.')[0]) || fields[name] === undefined) continue;
    without[name] = `is not a field of osler ${trainer}`;
    delete fields[name];
  }
  const nested = nest(fields);
  return {
    origin: origin.name,
    trainer,
    fields: nested,
    without,
    needless,
    remarks: origin.remarks,
    problem: problemOf(trainer, nested),
  };
}

/** The config as a file of ours, with what was left out in comments. */
export function importedText({ origin, trainer, fields, without, remarks }: Imported): string {
  const comments = [
    `From a config of ${origin}; run it with osler ${trainer} --config.`,
    ...remarks,
    ...Object.entries(without).map(([name, why]) => `${name}: ${why}`),
  ];
  return `${comments.map((line) => `# ${line}\n`).join('')}${stringify(fields)}`;
}

function originOf(tree: Source): string {
  if ('worker' in tree && 'data' in tree) return 'easyr1';
  return 'model_name_or_path' in tree || !('model' in tree || 'rlhf_type' in tree) ? 'trl' : 'ms-swift';
}

function flat(tree: Source, prefix = ''): Source {
  const entries = Object.entries(tree).flatMap(([name, value]): [string, unknown][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(flat(value as Source, `${prefix}${name}.`))
      : [[prefix + name, value]],
  );
  return Object.fromEntries(entries);
}

function nest(fields: Fields): Fields {
  const out: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    const [field, part] = name.split('.');
    out[field] = part === undefined ? value : { ...(out[field] as Fields), [part]: value };
  }
  return out;
}

function problemOf(trainer: 'sft' | 'grpo', fields: Fields): string | null {
  const source = { file: 'the new config', text: stringify(fields) };
  try {
    if (trainer === 'grpo') parseGrpoConfig(source);
    else parseSftConfig(source);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

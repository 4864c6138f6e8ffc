/** What config.yaml of a run tells a reader of its report. */
import { parse, stringify } from 'yaml';
import { isFolder, join, splitPath } from '../platform/files.js';
import { scrubbed, withoutPaths } from './scrub.js';

/** A run's configuration, ready to be shown. */
export interface RunConfig {
  /** YAML without absolute paths. */
  readonly text: string;
  readonly facts: readonly (readonly [string, string])[];
  readonly totalSteps?: number;
  /** Strings of the configuration that may be paths to data. */
  readonly strings: readonly string[];
}

/** Labels of what is shown first, and the fields that say it, the best name first. */
const FACTS: readonly (readonly [string, readonly string[]])[] = [
  ['Model', ['model_name_or_path']],
  ['Data', ['train_dataset']],
  ['Algorithm', ['algorithm']],
  ['Loss', ['loss_type']],
  ['Generations per prompt', ['num_generations']],
  ['Longest completion', ['max_completion_length']],
  ['Learning rate', ['learning_rate']],
  ['KL weight β', ['beta']],
  ['LoRA rank', ['lora_r']],
  ['Temperature', ['temperature']],
  ['Seed', ['seed']],
];

/** Reads the text of config.yaml; one that is not YAML is still shown. */
export function readRunConfig(text: string): RunConfig {
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    return { text: withoutPaths(text), facts: [], strings: [] };
  }
  const leaves = [...leavesOf(value, '')];
  const find = (names: readonly string[]) => {
    for (const name of names) {
      const leaf = leaves.find(({ key, value }) => key === name && value !== null && value !== '');
      if (leaf !== undefined) return leaf.value;
    }
    return undefined;
  };
  const steps = find(['max_steps']);
  // A config says everything, also what does not apply.
  const lora = find(['use_peft']) !== false;
  return {
    text: stringify(scrubbed(value)),
    facts: FACTS.flatMap(([label, names]) => {
      const value = find(names);
      const idle = value === undefined || (label.startsWith('LoRA') && !lora);
      return idle ? [] : [[label, withoutPaths(String(value))] as const];
    }),
    ...(typeof steps === 'number' && steps > 0 && { totalSteps: steps }),
    strings: leaves.flatMap(({ value }) => (typeof value === 'string' ? [value] : [])),
  };
}

function* leavesOf(value: unknown, key: string): Generator<{ key: string; value: unknown }> {
  if (Array.isArray(value)) for (const item of value) yield* leavesOf(item, key);
  else if (value !== null && typeof value === 'object') {
    for (const [name, item] of Object.entries(value)) yield* leavesOf(item, name);
  } else yield { key, value };
}

/** Folders that image paths of a run may be relative to: the run's own, and those that its configuration names. */
export async function imageRoots(runDir: string, strings: readonly string[]): Promise<string[]> {
  const roots = new Set<string>();
  for (const path of strings) {
    if (path.includes('\n') || path.length > 1000) continue;
    if (await isFolder(path)) roots.add(path);
    const { folder } = splitPath(path);
    // OmniMedVQA keeps its questions two folders below what image paths are relative to.
    const above = folder.replace(/[/\\]QA_information([/\\].*)?$/, '');
    if (/\.(jsonl?|ndjson|parquet|tsv)$/i.test(path) && (await isFolder(above || '.')))
      roots.add(above || '.');
  }
  return [...roots, runDir, join(runDir, 'images')];
}

/** Which modules an adapter changes, by PEFT's rules. Paths are those that transformers uses in memory. */
import { modelError } from '../errors.js';
import type { LoraConfig, ModuleSelector } from './config.js';

/** A regular expression written for Python's `re`, anchored as a prefix and suffix say. */
function pythonRegExp(source: string, before: string, after: string): RegExp {
  const translated = source.replaceAll('(?P<', '(?<').replaceAll('\\Z', '$').replaceAll('\\A', '^');
  try {
    return new RegExp(`${before}(?:${translated})${after}`, 's');
  } catch (error) {
    throw modelError('the adapter', `uses a pattern that cannot be read here: ${(error as Error).message}`);
  }
}

function selects(selector: ModuleSelector, path: string): boolean {
  if (typeof selector === 'string') return pythonRegExp(selector, '^', '$').test(path);
  return selector.some((name) => path === name || path.endsWith(`.${name}`));
}

/** Whether the config targets a module; `path` is any linear layer but the output head. */
export function targets(config: LoraConfig, path: string): boolean {
  if (config.exclude !== null && selects(config.exclude, path)) return false;
  const saved = config.modulesToSave.some((name) =>
    pythonRegExp(name, '^(?:.*\\.)?', '(?:$|\\..*)').test(path),
  );
  if (saved) return false;
  if (config.targets === 'all-linear') return true;
  if (!selects(config.targets, path)) return false;
  if (config.layers === null || typeof config.targets === 'string') return true;
  const index = layerIndex(path, config.layersPattern);
  return index !== undefined && config.layers.includes(index);
}

function layerIndex(path: string, patterns: readonly string[] | null): number | undefined {
  const expressions = patterns
    ? patterns.map((name) => pythonRegExp(name, '(?:^|.*?\\.)', '\\.(?<layer>\\d+)\\.'))
    : [/.*?\.[^.]*\.(?<layer>\d+)\./];
  for (const expression of expressions) {
    const layer = expression.exec(path)?.groups?.layer;
    if (layer !== undefined) return Number(layer);
  }
  return undefined;
}

/** Rank, alpha and the resulting factor of a module. */
export function scaling(config: LoraConfig, path: string): { rank: number; alpha: number; scale: number } {
  const rank = byPattern(config.rankPattern, path) ?? config.rank;
  const alpha = byPattern(config.alphaPattern, path) ?? config.alpha;
  return { rank, alpha, scale: alpha / (config.rsLora ? Math.sqrt(rank) : rank) };
}

function byPattern(patterns: Readonly<Record<string, number>>, path: string): number | undefined {
  const key = Object.keys(patterns).find((source) => pythonRegExp(source, '^(?:.*\\.)?', '$').test(path));
  return key === undefined ? undefined : patterns[key];
}

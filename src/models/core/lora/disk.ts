/** Adapters in PEFT's on-disk format: adapter_config.json and adapter_model.safetensors. */
import { type Checkpoint, openCheckpoint } from '../../../formats/checkpoint.js';
import { writeCheckpoint } from '../../../formats/checkpoint-writer.js';
import { isFloatDtype, toF32 } from '../../../formats/dtypes.js';
import type { Linear } from '../../../nn/linear.js';
import { writeTextFiles } from '../../../platform/files.js';
import type { Tensor } from '../../../tensor/index.js';
import { modelError } from '../errors.js';
import { fill } from '../load-weights.js';
import type { Model } from '../model.js';
import type { WeightNames } from '../names.js';
import { readJson } from '../read-json.js';
import { tensorSource } from '../save.js';
import { Adapter } from './adapter.js';
import { type LoraConfig, loraConfigJson, parseLoraConfig } from './config.js';
import { adapterRooms, disposeRooms } from './rooms.js';

const PREFIX = 'base_model.model.';
const CONFIG = 'adapter_config.json';

/** A name from an adapter file as a parameter's name: any generation of prefixes, with or without the adapter's name. */
export function adapterParameterName(names: WeightNames, name: string): string | null {
  const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  return names.canonical(bare.replace(/\.(lora_[AB])\.default\.weight$/, '.$1.weight'));
}

/** The matrices of one module in an adapter's file, by their names there. */
export interface LoraPair {
  readonly linear: Linear;
  readonly a: string;
  readonly b: string;
}

/** What an adapter's file holds for a model. */
export interface AdapterContents {
  /** In the order of the model. */
  readonly pairs: readonly LoraPair[];
  /** Weights that were trained whole, by their published names, and their names in the file. */
  readonly whole: ReadonlyMap<string, string>;
}

/** What a model must tell of itself. */
interface Described {
  readonly config: { readonly names: WeightNames };
  readonly linears: ReadonlyMap<string, Linear>;
  hasParameter(name: string): boolean;
}

/** Reads the settings of an adapter. */
export async function loadLoraConfig(dir: string): Promise<LoraConfig> {
  const raw = await readJson(dir, CONFIG);
  if (!raw) throw modelError(`${dir}/${CONFIG}`, 'does not exist; an adapter is a folder as PEFT saves it');
  return parseLoraConfig(raw, `${dir}/${CONFIG}`);
}

/** Finds an adapter's matrices in its file; refuses what does not belong to the model. */
export function adapterContents(file: Checkpoint, model: Described): AdapterContents {
  const found = new Map<string, { a?: string; b?: string }>();
  const whole = new Map<string, string>();
  for (const name of file.names()) {
    const canonical = adapterParameterName(model.config.names, name);
    const [, path, kind] = /^(.*)\.lora_(A|B)\.weight$/.exec(canonical ?? '') ?? [];
    if (path !== undefined) {
      const pair = found.get(path) ?? {};
      pair[kind === 'A' ? 'a' : 'b'] = name;
      found.set(path, pair);
    } else if (canonical !== null && model.hasParameter(canonical)) whole.set(canonical, name);
    else {
      throw modelError(
        `${file.path}: "${name}"`,
        'belongs to no module of this model; is it the right base?',
      );
    }
  }
  for (const [path, { a, b }] of found) {
    if (!model.linears.has(path))
      throw modelError(`${file.path}: "${a ?? b}"`, 'adapts a module that this model does not have');
    if (!a || !b) throw modelError(`${file.path}: "${a ?? b}"`, `stands without its lora_${a ? 'B' : 'A'}`);
  }
  if (found.size === 0) throw modelError(file.path, 'holds no LoRA matrices');
  // In the order in which a new adapter has them: those that are multiplied as one lie together, whatever the file sorts by.
  const pairs = [...model.linears.values()].flatMap((linear) => {
    const { a, b } = found.get(linear.path) ?? {};
    return a && b ? [{ linear, a, b }] : [];
  });
  return { pairs, whole };
}

/**
 * Loads an adapter onto a model. Modules that the adapter trained whole (`modules_to_save`) replace the model's weights.
 */
export async function loadAdapter(model: Model, dir: string): Promise<Adapter> {
  const adapter = new Adapter(model, await loadLoraConfig(dir));
  let file: Checkpoint | undefined;
  try {
    file = await openCheckpoint(dir);
    await attachAll(adapter, model, file);
  } catch (error) {
    adapter.dispose();
    throw error;
  } finally {
    await file?.close();
  }
  return adapter;
}

async function attachAll(adapter: Adapter, model: Model, file: Checkpoint): Promise<void> {
  const { config, linears, parameters } = model;
  const hasParameter = (name: string) => parameters.find(name) !== undefined;
  const { pairs, whole } = adapterContents(file, { config, linears, hasParameter });
  for (const [name, own] of whole) await replace(file, own, parameters.get(name));
  const plans = pairs.map(({ linear, a, b }) => ({ linear, a: file.info(a).shape, b: file.info(b).shape }));
  const rooms = adapterRooms(model.gpu, plans);
  try {
    for (const [i, { linear, a, b }] of pairs.entries()) {
      rooms[i].a.write(await readMatrix(file, a));
      rooms[i].b.write(await readMatrix(file, b));
      adapter.attach(linear, rooms[i]);
    }
  } catch (error) {
    disposeRooms(rooms);
    throw error;
  }
}

/** Adapters are small: a matrix at a time in host memory is fine. */
export async function readMatrix(file: Checkpoint, name: string): Promise<Float32Array> {
  const { dtype } = file.info(name);
  if (!isFloatDtype(dtype))
    throw modelError(`${file.path}: "${name}"`, `has dtype ${dtype}; expected a float`);
  return toF32(await file.read(name), dtype);
}

async function replace(file: Checkpoint, name: string, target: Tensor): Promise<void> {
  const { dtype, shape } = file.info(name);
  if (!isFloatDtype(dtype) || shape.join() !== target.shape.join()) {
    const got = `is ${dtype} [${shape.join(', ')}]`;
    throw modelError(`${file.path}: "${name}"`, `${got}; the model has [${target.shape.join(', ')}]`);
  }
  for await (const _ of fill(file, name, target));
}

/** Writes an adapter so that PEFT, with any recent transformers, loads it. */
export async function saveAdapter(
  adapter: Adapter,
  dir: string,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { model, config } = adapter;
  const named = (name: string) => `${PREFIX}${model.config.names.memory(name)}`;
  const whole = [...model.parameters.entries()].filter(([name]) => isSaved(config.modulesToSave, name));
  const sources = [...adapter.parameters.entries(), ...whole].map(([name, tensor]) =>
    tensorSource(named(name), tensor, 'F32'),
  );
  await writeCheckpoint(dir, sources, { base: 'adapter_model', maxShardBytes: Number.MAX_SAFE_INTEGER });
  await writeTextFiles(dir, { ...files, [CONFIG]: `${JSON.stringify(loraConfigJson(config), null, 2)}\n` });
}

/** Whether a parameter belongs to one of the modules that are stored whole. */
export function isSaved(modules: readonly string[], name: string): boolean {
  const path = name.replace(/\.(weight|bias)$/, '');
  return modules.some((module) => path === module || path.endsWith(`.${module}`));
}

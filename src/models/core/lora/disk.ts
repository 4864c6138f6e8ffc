/** Adapters in PEFT's on-disk format: adapter_config.json and adapter_model.safetensors. */
import { type Checkpoint, openCheckpoint } from '../../../formats/checkpoint.js';
import { writeCheckpoint } from '../../../formats/checkpoint-writer.js';
import { isFloatDtype, toF32 } from '../../../formats/dtypes.js';
import { writeTextFiles } from '../../../platform/files.js';
import type { Tensor } from '../../../tensor/index.js';
import { modelError } from '../errors.js';
import { fill } from '../load-weights.js';
import type { Model } from '../model.js';
import type { WeightNames } from '../names.js';
import { readJson } from '../read-json.js';
import { tensorSource } from '../save.js';
import { Adapter } from './adapter.js';
import { loraConfigJson, parseLoraConfig } from './config.js';
import { type AdapterPlan, adapterRooms, disposeRooms } from './rooms.js';

const PREFIX = 'base_model.model.';
const CONFIG = 'adapter_config.json';

/** A name from an adapter file as a parameter's name: any generation of prefixes, with or without the adapter's name. */
export function adapterParameterName(names: WeightNames, name: string): string | null {
  const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  return names.canonical(bare.replace(/\.(lora_[AB])\.default\.weight$/, '.$1.weight'));
}

/**
 * Loads an adapter onto a model. Modules that the adapter trained whole (`modules_to_save`) replace the model's weights.
 */
export async function loadAdapter(model: Model, dir: string): Promise<Adapter> {
  const raw = await readJson(dir, CONFIG);
  if (!raw) throw modelError(`${dir}/${CONFIG}`, 'does not exist; an adapter is a folder as PEFT saves it');
  const adapter = new Adapter(model, parseLoraConfig(raw, `${dir}/${CONFIG}`));
  let file: Checkpoint | undefined;
  try {
    file = await openCheckpoint(dir);
    await attachAll(adapter, file);
  } catch (error) {
    adapter.dispose();
    throw error;
  } finally {
    await file?.close();
  }
  return adapter;
}

async function attachAll(adapter: Adapter, file: Checkpoint): Promise<void> {
  const { model } = adapter;
  const pairs = new Map<string, { a?: string; b?: string }>();
  for (const name of file.names()) {
    const canonical = adapterParameterName(model.config.names, name);
    const [, path, kind] = /^(.*)\.lora_(A|B)\.weight$/.exec(canonical ?? '') ?? [];
    if (path !== undefined) {
      const pair = pairs.get(path) ?? {};
      pair[kind === 'A' ? 'a' : 'b'] = name;
      pairs.set(path, pair);
      continue;
    }
    const whole = canonical === null ? undefined : model.parameters.find(canonical);
    if (!whole)
      throw modelError(
        `${file.path}: "${name}"`,
        'belongs to no module of this model; is it the right base?',
      );
    await replace(file, name, whole);
  }
  for (const [path, { a, b }] of pairs) {
    if (model.linears.has(path)) continue;
    throw modelError(`${file.path}: "${a ?? b}"`, 'adapts a module that this model does not have');
  }
  const plans: (AdapterPlan & { readonly files: { readonly a: string; readonly b: string } })[] = [];
  // In the order of the model, whatever that of the file: so they lie as those of a new adapter do.
  for (const [path, linear] of model.linears) {
    const { a, b } = pairs.get(path) ?? {};
    if (!a && !b) continue;
    if (!a || !b) throw modelError(`${file.path}: "${a ?? b}"`, `stands without its lora_${a ? 'B' : 'A'}`);
    plans.push({ linear, a: file.info(a).shape, b: file.info(b).shape, files: { a, b } });
  }
  if (plans.length === 0) throw modelError(file.path, 'holds no LoRA matrices');
  // In the order in which a new adapter has them: those that are multiplied as one lie together, whatever the file sorts by.
  const order = new Map([...model.linears.keys()].map((path, i) => [path, i]));
  plans.sort((a, b) => (order.get(a.linear.path) ?? 0) - (order.get(b.linear.path) ?? 0));
  const rooms = adapterRooms(model.gpu, plans);
  try {
    for (const [i, { linear, files }] of plans.entries()) {
      await read(file, files.a, rooms[i].a);
      await read(file, files.b, rooms[i].b);
      adapter.attach(linear, rooms[i]);
    }
  } catch (error) {
    disposeRooms(rooms);
    throw error;
  }
}

/** Adapters are small: a matrix at a time in host memory is fine. */
async function read(file: Checkpoint, name: string, target: Tensor): Promise<void> {
  const { dtype } = file.info(name);
  if (!isFloatDtype(dtype))
    throw modelError(`${file.path}: "${name}"`, `has dtype ${dtype}; expected a float`);
  target.write(toF32(await file.read(name), dtype));
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

/**
 * Compiled kernels and bind groups, each made once.
 *
 * Bind-group layouts depend on the access list alone and are shared by all pipelines. Bind groups are cached because
 * making one costs more CPU than the dispatch that uses it, and because Dawn frees dropped ones only after a garbage
 * collection and a later submit.
 */
import { check, OslerError } from './errors.js';
import type { FaultWatch } from './faults.js';
import type { PoolBuffer } from './pool.js';
import { type ParamField, reflect } from './reflect.js';
import type { Defines } from './wgsl/defines.js';
import type { ShaderSource } from './wgsl/source.js';
import { type ParamsMode, specialise } from './wgsl/specialise.js';

/** A compiled, specialised kernel. */
export interface Pipeline {
  readonly id: number;
  readonly name: string;
  readonly gpu: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly layoutId: number;
  readonly bindings: readonly { readonly name: string; readonly access: 'read' | 'read_write' }[];
  readonly params: readonly ParamField[];
}

/** A range of a pooled buffer. */
export interface BufferRange {
  readonly buffer: PoolBuffer;
  readonly offset: number;
  readonly size: number;
}

/**
 * Bind groups made before all are dropped and collected. JavaScript sees a few bytes in a dropped one and takes its time,
 * while each holds a memory mapping on llvmpipe, which crashes at the 65530 that Linux allows. Dawn keeps the places of
 * freed ones for new ones until the device is destroyed.
 */
const MAX_BIND_GROUPS = 8192;

/** The pipeline and bind-group caches of one device. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #faults: FaultWatch;
  readonly #source: ShaderSource;
  readonly #mode: ParamsMode;
  readonly #collectGarbage: () => void;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #layouts = new Map<string, { id: number; group: GPUBindGroupLayout }>();
  readonly #uniformLayout: GPUBindGroupLayout | null;
  readonly #groups = new Map<string, GPUBindGroup>();
  #made = 0;
  readonly #groupsOfBuffer = new Map<number, Set<string>>();

  /** Compile errors are asynchronous in WebGPU; they arrive at `faults`. */
  constructor(
    device: GPUDevice,
    faults: FaultWatch,
    source: ShaderSource,
    mode: ParamsMode,
    collectGarbage: () => void,
  ) {
    this.#device = device;
    this.#faults = faults;
    this.#source = source;
    this.#mode = mode;
    this.#collectGarbage = collectGarbage;
    this.#uniformLayout =
      mode === 'immediate'
        ? null
        : device.createBindGroupLayout({
            entries: [
              {
                binding: 0,
                visibility: GPUShaderStage.COMPUTE,
                buffer: { type: 'uniform', hasDynamicOffset: true },
              },
            ],
          });
  }

  /** The layout of `@group(1)` where launch parameters travel in a uniform buffer. */
  get uniformLayout(): GPUBindGroupLayout | null {
    return this.#uniformLayout;
  }

  /** The pipeline of `shaders/<path>.wgsl` specialised by text defines and override constants. */
  pipeline(path: string, defines: Defines, constants: Readonly<Record<string, number>>): Pipeline {
    let key = path;
    for (const name in defines) key += `|${name}=${defines[name]}`;
    for (const name in constants) key += `;${name}=${constants[name]}`;
    let found = this.#pipelines.get(key);
    if (!found) {
      found = this.#compile(path, key, defines, constants);
      this.#pipelines.set(key, found);
    }
    return found;
  }

  /** The bind group of these ranges for a pipeline, from the cache when they were bound together before. */
  bindGroup(pipeline: Pipeline, ranges: readonly BufferRange[]): GPUBindGroup {
    let key = `${pipeline.layoutId}`;
    for (const r of ranges) key += `,${r.buffer.id}:${r.offset}:${r.size}`;
    const found = this.#groups.get(key);
    if (found) return found;
    if (++this.#made > MAX_BIND_GROUPS) {
      this.#made = 1;
      this.#groups.clear();
      this.#groupsOfBuffer.clear();
      this.#collectGarbage();
    }
    const group = this.#device.createBindGroup({
      label: pipeline.name,
      layout: pipeline.layout,
      entries: ranges.map((r, binding) => ({
        binding,
        resource: { buffer: r.buffer.gpu, offset: r.offset, size: Math.ceil(r.size / 4) * 4 },
      })),
    });
    this.#groups.set(key, group);
    for (const r of ranges) {
      const keys = this.#groupsOfBuffer.get(r.buffer.id);
      if (keys) keys.add(key);
      else this.#groupsOfBuffer.set(r.buffer.id, new Set([key]));
    }
    return group;
  }

  /** Drops the bind groups that refer to a buffer about to be destroyed. */
  forget(buffer: PoolBuffer): void {
    for (const key of this.#groupsOfBuffer.get(buffer.id) ?? []) {
      this.#groups.delete(key);
      for (const part of key.split(',').slice(1)) {
        const id = Number.parseInt(part, 10);
        if (id !== buffer.id) this.#groupsOfBuffer.get(id)?.delete(key);
      }
    }
    this.#groupsOfBuffer.delete(buffer.id);
  }

  /** Number of cached pipelines and bind groups. */
  get size(): { pipelines: number; bindGroups: number } {
    return { pipelines: this.#pipelines.size, bindGroups: this.#groups.size };
  }

  #layout(access: readonly string[]): { id: number; group: GPUBindGroupLayout } {
    const key = access.join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      const group = this.#device.createBindGroupLayout({
        entries: access.map((a, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: a === 'read' ? 'read-only-storage' : 'storage' },
        })),
      });
      layout = { id: this.#layouts.size, group };
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  #compile(
    path: string,
    key: string,
    defines: Defines,
    constants: Readonly<Record<string, number>>,
  ): Pipeline {
    const file = `${path}.wgsl`;
    const { code, origins } = specialise(file, this.#source, defines, this.#mode);
    const { bindings, params } = reflect(file, code);
    const max = this.#device.limits.maxStorageBuffersPerShaderStage;
    check(bindings.length <= max, 'limit', () => {
      return `shaders/${file} binds ${bindings.length} buffers; this adapter allows ${max}`;
    });
    const layout = this.#layout(bindings.map((b) => b.access));
    let module: GPUShaderModule;
    const gpu = this.#faults.guard(
      ['validation', 'internal'],
      () => {
        module = this.#device.createShaderModule({ label: key, code });
        return this.#device.createComputePipeline({
          label: key,
          layout: this.#device.createPipelineLayout({
            bindGroupLayouts: this.#uniformLayout ? [layout.group, this.#uniformLayout] : [layout.group],
            ...(this.#uniformLayout ? {} : { immediateSize: params.length * 4 }),
          }),
          compute: { module, entryPoint: 'main', constants: { ...constants } },
        });
      },
      (error) => compileError(key, module, error, origins),
    );
    return {
      id: this.#pipelines.size,
      name: path,
      gpu,
      layout: layout.group,
      layoutId: layout.id,
      bindings,
      params,
    };
  }
}

async function compileError(
  key: string,
  module: GPUShaderModule,
  error: GPUError,
  origins: readonly string[],
): Promise<OslerError> {
  const { messages } = await module.getCompilationInfo();
  const lines = messages
    .filter((m) => m.type === 'error')
    .map((m) => `shaders/${origins[m.lineNum - 1] ?? '?'}: ${m.message}`);
  return new OslerError('kernel', `kernel ${key} does not compile: ${lines.join('; ') || error.message}`);
}

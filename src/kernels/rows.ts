/** How kernels that give a workgroup to each row of a matrix are launched (reductions, softmax, norms). */
import type { Bindable, Defines, Gpu } from '../gpu/index.js';
import type { Tensor } from '../tensor/index.js';
import { fold, part, windows } from './support.js';

/** Workgroup size, and the defines of shaders/common/reduce.wgsl that go with it. */
export interface RowLaunch {
  readonly workgroup: number;
  readonly defines: Defines;
}

/**
 * Chooses the workgroup for rows that are `loads` loads long. A GPU wants about `perLane` loads per lane; a software
 * driver runs one subgroup at a time and pays for barriers, so that there a row gets exactly one subgroup.
 */
export function rowLaunch(gpu: Gpu, loads: number, perLane = 4): RowLaunch {
  const { software, subgroupSize } = gpu.info;
  const fixed =
    gpu.has.subgroups && subgroupSize && subgroupSize.min === subgroupSize.max ? subgroupSize.max : 0;
  let workgroup = software ? fixed || 16 : 32;
  while (!software && workgroup < 256 && workgroup * perLane < loads) workgroup *= 2;
  return {
    workgroup,
    defines: { SUBGROUPS: gpu.has.subgroups, ONE_SUBGROUP: workgroup === fixed },
  };
}

/** A launch in which each lane may keep its share of the row in registers. */
export interface HeldRowLaunch extends RowLaunch {
  /** Row length in loads: vectors of four where the row allows it. */
  readonly units: number;
}

/**
 * Chooses vector loads and the number of loads per lane to hold in registers (`HELD`; 0 where the row is too long), for
 * kernels that hold `copies` rows. Software drivers keep them on the stack, which is still far cheaper than loading again.
 */
export function heldRowLaunch(gpu: Gpu, n: number, copies = 1): HeldRowLaunch {
  const vector = n % 4 === 0;
  const units = vector ? n / 4 : n;
  const { workgroup, defines } = rowLaunch(gpu, units, vector ? 2 : 4);
  const held = Math.ceil(units / workgroup);
  const most = (gpu.info.software ? 64 : vector ? 8 : 16) / copies;
  return { workgroup, units, defines: { ...defines, VEC4: vector, HELD: held <= most ? held : 0 } };
}

/** What {@link launchHeldRows} runs over. */
export interface HeldRows {
  /** Row length. */
  readonly n: number;
  /** Rows that a lane keeps its share of at the same time; one by default. */
  readonly copies?: number;
  /** Tensors of n elements per row; the first one gives the number of rows. */
  readonly matrices: Readonly<Record<string, Tensor>>;
  /** Tensors of one element per row. */
  readonly columns?: Readonly<Record<string, Tensor>>;
  /** Tensors that every row uses. */
  readonly shared?: Readonly<Record<string, Tensor>>;
  readonly params?: Readonly<Record<string, number>>;
  readonly defines: Defines;
}

/** Launches such a kernel, in windows of rows where a matrix is larger than a binding. */
export function launchHeldRows(path: string, options: HeldRows): void {
  const { n, matrices, columns = {}, shared = {} } = options;
  const perRow = [
    ...Object.entries(matrices).map(([name, tensor]) => ({ name, tensor, elementsPerItem: n })),
    ...Object.entries(columns).map(([name, tensor]) => ({ name, tensor, elementsPerItem: 1 })),
  ];
  const { tensor } = perRow[0];
  const { gpu } = tensor;
  const launch = heldRowLaunch(gpu, n, options.copies);
  for (const { first, count } of windows(gpu, tensor.size / n, perRow)) {
    const bindings: Record<string, Bindable> = { ...shared };
    for (const { name, tensor: t, elementsPerItem: e } of perRow)
      bindings[name] = part(t, first * e, count * e);
    gpu.launch(
      path,
      bindings,
      { rows: count, units: launch.units, ...options.params },
      {
        groups: fold(gpu, count),
        defines: { ...options.defines, ...launch.defines },
        constants: { WORKGROUP: launch.workgroup },
      },
    );
  }
}
